"""A partner's certificates at the door: bound to it by pin or by name, and not revoked."""

import http.client
import ssl
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.demo.certificates import Issued
from gateway.model.partner import Partner, PartnerProfile
from gateway.settings import Network, Revocation
from ihe.soap import ITI_55_REQUEST
from ihe.trust import SigningKey
from tests.gateway.api.soap_place import NOT_VERIFIED
from tests.gateway.asking import answer_to, ask, discovery, fault_of
from tests.gateway.house import (
    AUDIENCE,
    NETWORK,
    SOAP,
    Door,
    Reply,
    a_partner,
    a_rule,
    authority,
    open_house,
    refusals,
    serving,
)
from tests.issuers import Answering, Authority, answering

NAME = "northfield.example"


@dataclass
class Vouching:
    """An authority whose members are partners of the house; `folder` is for key files."""

    folder: Path
    served: Answering
    authority: Authority
    stranger: Authority

    def member(self, name: str = "Northfield", **pointers: bool) -> Issued:
        return self.authority.issue(name, **(pointers or {"crl": True}))

    def settings(self, **changes: object) -> dict[str, object]:
        anchor, other = self.folder / "anchor.pem", self.folder / "other.pem"
        anchor.write_text(self.authority.issued.certificate_pem)
        other.write_text(self.stranger.issued.certificate_pem)
        network = Network(name=NETWORK, anchors=(anchor,), audiences=(AUDIENCE,), **changes)  # type: ignore[arg-type]
        return {
            "networks": (network, Network(name="other", anchors=(other,))),
            "revocation": Revocation(private_addresses=(self.served.address,)),
        }


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Vouching]:
    with answering() as served:
        now = datetime.now(UTC)
        made = Authority("Network CA", now, served.base)
        served.answer = lambda path, body: made.answer(path, body, {})
        folder = tmp_path / "certificates"
        folder.mkdir()
        yield Vouching(folder, served, made, Authority("Other CA", now, served.base))


def key_of(issued: Issued) -> SigningKey:
    return SigningKey(issued.key, issued.certificate)


def pinned(tls: Issued, signing: Issued | None = None) -> Partner:
    return a_partner(
        tls_certificates=(tls.certificate_pem,),
        signing_certificates=((signing or tls).certificate_pem,),
    )


def named(**changes: object) -> Partner:
    """A partner of which only the name in its certificates is known."""
    profile = PartnerProfile(certificate_name=NAME)
    return a_partner(tls_certificates=(), signing_certificates=(), profile=profile, **changes)


def post(door: Door, folder: Path, shown: Issued, signed: Issued) -> Reply:
    sealed = ask(discovery(), ITI_55_REQUEST, key=key_of(signed))
    context = ssl.create_default_context(cadata=authority().certificate_pem)
    context.load_cert_chain(*shown.save(folder, "shown"))
    connection = http.client.HTTPSConnection(door.host, door.port, timeout=30, context=context)
    with closing(connection):
        connection.request("POST", "/ihe/xcpd", sealed.envelope, {"Content-Type": SOAP})
        answer = connection.getresponse()
        named = {name.lower(): value for name, value in answer.getheaders()}
        reply = Reply(answer.status, named, answer.read())
    if reply.status == 200:
        answer_to(sealed, reply.body)
    return reply


def asked(
    network: Vouching, house_folder: Path, partner: Partner, shown: Issued, signed: Issued,
    **changes: object,
) -> str | None:  # fmt: skip
    """None if it is answered, or our auditor's reason for the refusal."""
    settings = network.settings(**changes)
    rules = [a_rule()]
    with open_house(house_folder, rules=rules, known=[partner], **settings) as house:
        with serving(house) as door:
            reply = post(door, network.folder, shown, signed)
        if reply.status == 200:
            return None
        assert fault_of(reply).sentence == NOT_VERIFIED
        ((_, _, reason),) = refusals(house)
        return reason


UNKNOWN = "whether the certificate was revoked is unknown: "


def test_a_pinned_certificate_is_looked_up_and_taken(network: Vouching, tmp_path: Path) -> None:
    member = network.member()
    assert asked(network, tmp_path / "h", pinned(member), member, member) is None
    assert network.served.asked == ["/list.crl"]


@pytest.mark.parametrize("which", ["tls", "signing"])
def test_a_revoked_certificate_is_refused(network: Vouching, tmp_path: Path, which: str) -> None:
    tls, signing = network.member("TLS"), network.member("Signing")
    network.authority.revoke(tls if which == "tls" else signing)
    reason = asked(network, tmp_path / "h", pinned(tls, signing), tls, signing)
    assert reason == "the certificate was revoked"


@pytest.mark.parametrize("which", ["tls", "signing"])
def test_a_certificate_that_cannot_be_looked_up_is_refused(
    network: Vouching, tmp_path: Path, which: str
) -> None:
    plain, listed = network.authority.issue("Plain"), network.member()
    network.served.answer = lambda _path, _body: 503
    tls, signing = (listed, plain) if which == "tls" else (plain, listed)
    reason = asked(network, tmp_path / "h", pinned(tls, signing), tls, signing)
    assert reason == f"{UNKNOWN}its revocation list cannot be reached"


def test_a_laxer_network_goes_on(network: Vouching, tmp_path: Path) -> None:
    member = network.member()
    network.served.answer = lambda _path, _body: 503
    partner = pinned(member)
    assert asked(
        network, tmp_path / "h", partner, member, member, revocation="when_reachable"
    ) is None  # fmt: skip


# ---- bound by name ---------------------------------------------------------------------------


def test_a_partner_may_be_known_by_the_name_in_its_certificates(
    network: Vouching, tmp_path: Path
) -> None:
    member = network.member()
    assert asked(network, tmp_path / "h", named(), member, member) is None


@pytest.mark.parametrize("bound", ["pinned", "named"])
def test_who_has_left_the_network_is_let_in_no_more(
    network: Vouching, tmp_path: Path, bound: str
) -> None:
    member = network.member()
    partner = pinned(member) if bound == "pinned" else named()
    gone = replace(partner, profile=replace(partner.profile, retired=True))
    reason = asked(network, tmp_path / "h", gone, member, member)
    assert reason == "it has left its network"


def test_another_members_certificate_is_not_the_partners(network: Vouching, tmp_path: Path) -> None:
    member, colleague = network.member(), network.member("Colleague")
    reason = asked(network, tmp_path / "h", named(), colleague, member)
    assert reason == "the client certificate belongs to no partner"
    reason = asked(network, tmp_path / "i", named(), member, colleague)
    assert reason == "the signing certificate does not name this partner"


def test_a_name_counts_only_in_the_partners_own_network(network: Vouching, tmp_path: Path) -> None:
    """The listener lets in whoever any network vouches for."""
    impostor = network.stranger.issue("Northfield", crl=True)
    member = network.member()
    reason = asked(network, tmp_path / "h", named(), impostor, member)
    assert reason == "the signing certificate does not chain to the network's anchors"


def test_a_revoked_certificate_that_is_bound_by_name_is_refused(
    network: Vouching, tmp_path: Path
) -> None:
    member = network.member()
    network.authority.revoke(member)
    reason = asked(network, tmp_path / "h", named(), member, member)
    assert reason == "the certificate was revoked"


def test_a_certificate_that_only_chains_must_name_a_list(network: Vouching, tmp_path: Path) -> None:
    member = network.authority.issue("Northfield")
    reason = asked(network, tmp_path / "h", named(), member, member)
    assert reason == f"{UNKNOWN}it names no list in which that could be seen"


def test_two_keys_of_a_partner_live_at_once(network: Vouching, tmp_path: Path) -> None:
    old, new = network.member("Old"), network.member("New")
    both = replace(
        pinned(old),
        tls_certificates=(old.certificate_pem, new.certificate_pem),
        signing_certificates=(old.certificate_pem, new.certificate_pem),
    )
    for number, (shown, signed) in enumerate([(old, old), (old, new), (new, old), (new, new)]):
        assert asked(network, tmp_path / f"h{number}", both, shown, signed) is None
