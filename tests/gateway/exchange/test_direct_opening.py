"""By which servers mail goes, as the settings and MX records say, and that it arrives there."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import dns.message
import pytest

from gateway.app.mail import direct_means
from gateway.clients.dns_client import DnsClient, LookupFailed
from gateway.clients.smtp_client import SmtpClient
from gateway.exchange.direct_opening import Routes
from gateway.exchange.mail_packing import Packing
from gateway.settings import InvalidSettings
from gateway.settings_discovery import Discovery
from gateway.settings_mail import Mail, MailDomain
from gateway.settings_mail_out import MailOut, Route, Smarthost
from tests.gateway.clients.smtp_servers import posting
from tests.gateway.clients.test_dns_client import answered, records, scripted
from tests.gateway.house import PLAN, open_house

Zone = Mapping[tuple[str, str], Sequence[str]]
ZONE: Zone = {
    ("d.test", "MX"): ("20 b.test.", "10 a.test."),
    ("a.test", "A"): ("9.9.9.9",),
    ("b.test", "A"): ("8.8.8.8", "127.0.0.1"),
    ("b.test", "AAAA"): ("2620:fe::fe",),
    ("bare.test", "A"): ("9.9.9.10",),
    ("none.test", "MX"): ("0 .",),
    ("inside.test", "MX"): ("10 lan.test.",),
    ("lan.test", "A"): ("10.0.0.5", "127.0.0.1"),
}


@contextmanager
def name_server(zone: Zone) -> Iterator[DnsClient]:
    def say(question: dns.message.Message, _tcp: bool) -> bytes:
        (asked,) = question.question
        kind = asked.rdtype.name
        texts = zone.get((asked.name.to_text(omit_final_dot=True), kind))
        return answered(question, *([records(asked.name, kind, *texts)] if texts else []))

    with scripted(say) as client:
        yield client


def ways(out: MailOut, domain: str) -> list[tuple[str, int, str, str | None]]:
    with name_server(ZONE) as client:
        servers = Routes(out, client).route(domain)
    return [
        (one.host, one.port, one.security, None if one.address is None else str(one.address))
        for one in servers
    ]


def test_mx_records_are_followed_by_preference_to_public_addresses_alone() -> None:
    assert ways(MailOut(), "d.test") == [
        ("a.test", 25, "opportunistic", "9.9.9.9"),
        ("b.test", 25, "opportunistic", "8.8.8.8"),
        ("b.test", 25, "opportunistic", "2620:fe::fe"),
    ]


def test_a_domain_without_mx_is_its_own_server_and_a_null_mx_has_none() -> None:
    assert ways(MailOut(), "bare.test") == [("bare.test", 25, "opportunistic", "9.9.9.10")]
    assert ways(MailOut(), "none.test") == []


def test_a_strangers_mx_does_not_send_us_into_our_own_house() -> None:
    with pytest.raises(LookupFailed) as refused:
        ways(MailOut(), "inside.test")
    assert "no mail server that we may go to" in str(refused.value)
    inside = MailOut(private_addresses=("[::ffff:10.0.0.5]:25",))
    assert ways(inside, "inside.test") == [("lan.test", 25, "opportunistic", "10.0.0.5")]


def test_a_private_address_at_a_port_that_no_mail_goes_to_is_refused_at_the_start() -> None:
    with pytest.raises(InvalidSettings, match="mail goes to port 25 alone"):
        ways(MailOut(private_addresses=("10.0.0.5:587",)), "inside.test")


def test_a_domain_may_need_verified_tls_or_a_server_of_its_own() -> None:
    strict = MailOut(
        smarthost=Smarthost(server="relay.test:587"),
        routes=(
            Route(
                domain="hisp.test", smarthost=Smarthost(server="in.hisp.test:465", security="tls")
            ),
        ),
    )
    assert ways(strict, "d.test") == [("relay.test", 587, "starttls", None)]
    assert ways(strict, "HISP.test") == [("in.hisp.test", 465, "tls", None)]
    required = MailOut(routes=(Route(domain="d.test", tls="required"),))
    assert {security for _, _, security, _ in ways(required, "d.test")} == {"starttls"}


async def test_mail_arrives_at_the_next_server_when_the_best_is_away() -> None:
    zone = {
        ("d.test", "MX"): ("10 gone.test.", "20 here.test."),
        ("gone.test", "A"): ("127.0.0.2",),
        ("here.test", "A"): ("127.0.0.1",),
    }
    async with posting() as post:
        out = MailOut(private_addresses=tuple(f"127.0.0.{n}:{post.port}" for n in (1, 2)))
        with name_server(zone) as client:
            servers = Routes(out, client, port=post.port).route("d.test")
        assert [one.host for one in servers] == ["gone.test", "here.test"]
        done = await SmtpClient("us.test", seconds=30).hand_over(
            servers, mail_from="a@us.test", recipients=["b@d.test"], message=b"x: y\r\n\r\nz\r\n"
        )
    assert (done.server, done.accepted) == ("here.test", ("b@d.test",))
    (taken,) = post.taken
    assert (taken.mail_from, taken.recipients) == ("a@us.test", ["b@d.test"])


def test_a_house_opens_with_what_its_routes_state(tmp_path: Path) -> None:
    with name_server(ZONE) as client:
        out = MailOut(
            routes=(
                Route(domain="d.test", key_transport="rsa-pkcs1v15", package="xdm", context=False),
            )
        )
        mail = Mail(domains=(MailDomain(name="direct.acme.example", plan=PLAN),), out=out)
        discovery = Discovery(name_servers=client.name_servers)
        with open_house(tmp_path, furnished=False, mail=mail, discovery=discovery) as house:
            means = direct_means(house)
            assert means is not None
            assert [one.host for one in means.route("d.test")] == ["a.test", "b.test", "b.test"]
            assert means.packing("d.test") == Packing("xdm", context=False)
            assert means.packing("else.test") == Packing()
            assert means.algorithms("d.test").key_transport == "rsa-pkcs1v15"
            assert means.algorithms("else.test").key_transport == "rsa-oaep"
