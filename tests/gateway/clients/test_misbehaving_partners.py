"""A partner that answers wrongly is a row that says so; the others get their answers kept.

Each test asks a partner that behaves beside one that does not, over real TLS.
"""

import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.app.house import House
from gateway.model.exchange import Exchange
from gateway.model.partner import Partner, PartnerProfile
from gateway.model.retrieval import PartnerProgress
from ihe.discovery import NoMatch
from ihe.registry_response import ResponseStatus
from ihe.soap import ITI_38_ANSWER, ITI_55_ANSWER
from ihe.xca_query import AdhocQueryResponse, write_adhoc_query_response
from ihe.xcpd import read_discovery_request
from tests.gateway import house as lakeshore
from tests.gateway.clients.asking_house import (
    asking_house,
    assert_sound,
    calls,
    lakeshore_running,
    retrieve,
)
from tests.gateway.clients.scripted_partner import (
    HOME,
    Answer,
    Heard,
    Reply,
    discovered,
    discovery_body,
    listed,
    retrieved,
    scripted,
)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Partner]:
    with lakeshore_running(tmp_path_factory.mktemp("lakeshore")) as partner:
        yield partner


@dataclass(frozen=True, slots=True)
class Asked:
    """What the misbehaving partner's row says, and the records of the calls to it."""

    row: PartnerProgress
    records: list[Exchange]

    @property
    def said(self) -> tuple[str | None, str | None]:
        return self.row.outcome, self.row.detail

    @property
    def recorded(self) -> list[tuple[str, str, str | None]]:
        return [(one.transaction, one.outcome, one.reason) for one in self.records]


def asked(house: House, partner: Partner) -> Asked:
    """Asks; the partner that behaves must have been served as ever."""
    rows = retrieve(house)
    well = rows.pop(lakeshore.US)
    assert (well.outcome, well.documents_new, well.detail) == ("matched", 3, None)
    assert_sound(house)
    (row,) = rows.values()
    return Asked(row, calls(house, partner.id))


def ask_scripted(tmp_path: Path, good: Partner, **script: object) -> Asked:
    changes = {"limits": script.pop("limits")} if "limits" in script else {}
    with (
        scripted(**script) as partner,  # type: ignore[arg-type]
        asking_house(tmp_path, [good, partner.partner], **changes) as house,
    ):
        found = asked(house, partner.partner)
        given = [one for one in lakeshore.documents(house) if one.source.partner == str(HOME)]
        assert len(given) == found.row.documents_new
        return found


# ---- no connection ---------------------------------------------------------------------------


def test_a_partner_that_refuses_the_connection_has_failed(tmp_path: Path, good: Partner) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        base = f"https://localhost:{taken.getsockname()[1]}"
        endpoints = replace(good.endpoints, iti55=f"{base}/ITI_55")
        partner = lakeshore.a_partner(endpoints=endpoints)
        with asking_house(tmp_path, [good, partner]) as house:
            found = asked(house, partner)
    assert found.said == ("failed", "no connection could be made")
    assert found.recorded == [("ITI-55", "failed", "no connection could be made")] * 3


def test_a_tls_certificate_of_others_is_not_believed(tmp_path: Path, good: Partner) -> None:
    found = ask_scripted(tmp_path, good, shows="Another network")
    outcome, detail = found.said
    assert outcome == "failed"
    assert detail is not None and detail.startswith("its TLS certificate is not trusted (")
    assert found.recorded == [("ITI-55", "failed", detail)]


def test_a_partner_that_does_not_know_our_certificate_fails_in_the_handshake(
    tmp_path: Path, good: Partner
) -> None:
    found = ask_scripted(tmp_path, good, known_authority="Another network")
    assert found.row.outcome == "failed"
    assert found.row.detail in (
        "the TLS handshake failed",
        "it broke the connection off before its answer was whole",
    )
    # TLS 1.3 tells it only as we read, and not always in words: then it is asked again.
    assert {(one.transaction, one.outcome) for one in found.records} == {("ITI-55", "failed")}


def test_an_address_that_is_no_https_is_not_called(tmp_path: Path, good: Partner) -> None:
    partner = lakeshore.a_partner(
        endpoints=replace(good.endpoints, iti55="http://localhost:9/ITI_55")
    )
    with asking_house(tmp_path, [good, partner]) as house:
        assert asked(house, partner).said == ("failed", "its address is not https")


def test_a_partner_of_which_no_certificate_is_known_is_not_called(
    tmp_path: Path, good: Partner
) -> None:
    partner = lakeshore.a_partner(endpoints=good.endpoints, network=None, tls_certificates=())
    with asking_house(tmp_path, [good, partner]) as house:
        found = asked(house, partner)
    assert found.said == ("failed", "nothing says which TLS certificate it must show")


# ---- late ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("transaction", "missing"),
    [("ITI_55", ""), ("ITI_38", ""), ("ITI_39", "partial: 2 missing; ")],
)
def test_a_partner_that_hangs_is_late_and_slows_nobody(
    transaction: str, missing: str, tmp_path: Path, good: Partner
) -> None:
    def hang(_heard: Heard) -> Reply:
        return Reply(b"", delay_seconds=60)

    found = ask_scripted(tmp_path, good, timeout_seconds=1.0, **{transaction: hang})
    assert found.said == ("late", f"{missing}no answer within 1 s")
    assert found.row.elapsed_ms is not None and found.row.elapsed_ms < 5000
    last = found.recorded[-1]
    assert last == (transaction.replace("_", "-"), "failed", "no answer within 1 s")
    before = [(one.transaction, one.outcome) for one in found.records[:-1]]
    # A list that is late over all time is asked for in a window, too.
    late = [("ITI-38", "failed")] if transaction == "ITI_38" else []
    assert before == [(name, "success") for name, _ in before[: len(before) - len(late)]] + late


def test_a_partner_that_is_slow_each_time_is_late_in_all(tmp_path: Path, good: Partner) -> None:
    found = ask_scripted(
        tmp_path,
        good,
        timeout_seconds=1.0,
        ITI_55=lambda heard: Reply(discovered(heard), delay_seconds=0.7),
        ITI_38=lambda heard: Reply(listed(heard), delay_seconds=0.7),
    )
    assert found.said == ("late", "no answer within 1 s")


# ---- answers that are no SOAP ----------------------------------------------------------------


def fault(code: str, namespace: str = "http://www.w3.org/2003/05/soap-envelope") -> bytes:
    return (
        f'<s:Envelope xmlns:s="{namespace}"><s:Body><s:Fault><s:Code><s:Value>s:{code}</s:Value>'
        f'</s:Code><s:Reason><s:Text xml:lang="en">Rosalind Sampleton was not found</s:Text>'
        f"</s:Reason></s:Fault></s:Body></s:Envelope>"
    ).encode()


SOAP_1_1_FAULT = (
    b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault>'
    b"<faultcode>s:Server</faultcode><faultstring>Rosalind Sampleton</faultstring>"
    b"</s:Fault></s:Body></s:Envelope>"
)
HTML = b"<html><head><title>Sign in</title></head><body><br>Envelope Fault</body></html>"


@pytest.mark.parametrize(
    "reply, outcome, detail",
    [
        (Reply(b""), "failed", "it answered HTTP 200 with an empty body"),
        (Reply(b" \r\n"), "failed", "it answered HTTP 200 with an empty body"),
        (Reply(b"", status=500), "failed", "it answered HTTP 500 with an empty body"),
        (Reply(HTML, "text/html"), "failed", "it answered with an HTML page instead of SOAP"),
        (Reply(b"busy", "text/plain", 503), "failed", "it answered HTTP 503: it is busy or away"),
        (
            Reply(b"moved", status=302),
            "failed",
            "it answered HTTP 302, which points to another address",
        ),
        (Reply(fault("Sender"), status=400), "refused", "it answered with a SOAP fault (Sender)"),
        (
            Reply(fault("Receiver"), status=500),
            "failed",
            "it answered with a SOAP fault (Receiver)",
        ),
        (Reply(fault("Sender")), "refused", "it answered with a SOAP fault (Sender)"),
        (
            Reply(fault("Sender").replace(b"Rosalind Sampleton was not found", b"MTOM required")),
            "refused",
            "it answered with a SOAP fault (Sender), which speaks of MTOM",
        ),
        (Reply(fault("Sampleton")), "failed", "it answered with a SOAP fault (a code of its own)"),
        (
            Reply(SOAP_1_1_FAULT, "text/xml", 500),
            "failed",
            "it answered with a SOAP fault (Server)",
        ),
        (
            Reply(b"\x1f\x8b", headers=((b"content-encoding", b"gzip"),)),
            "failed",
            "its answer is compressed, which was not asked for",
        ),
    ],
)
def test_what_is_no_answer_is_said_in_our_own_words(
    reply: Reply, outcome: str, detail: str, tmp_path: Path, good: Partner
) -> None:
    found = ask_scripted(tmp_path, good, ITI_55=lambda _heard: reply)
    assert found.said == (outcome, detail)
    unanswered = ("it answered HTTP 200 with an empty", "it answered HTTP 503")
    times = 3 if detail.startswith(unanswered) else 1
    assert found.recorded == [("ITI-55", outcome, detail)] * times


@pytest.mark.parametrize("status, content_type", [(500, "text/html"), (200, "text/xml")])
def test_an_html_page_in_whatever_dress_fails(
    status: int, content_type: str, tmp_path: Path, good: Partner
) -> None:
    reply = Reply(HTML, content_type, status)
    found = ask_scripted(tmp_path, good, ITI_38=lambda _heard: reply)
    assert found.row.outcome == "failed"
    assert [one.outcome for one in found.records] == ["success", "failed"]


def test_an_answer_broken_off_in_an_envelope_fails(tmp_path: Path, good: Partner) -> None:
    def broken(heard: Heard) -> Reply:
        return Reply(listed(heard)[:400], cut=True)

    found = ask_scripted(tmp_path, good, ITI_38=broken)
    assert found.said == ("failed", "it broke the connection off before its answer was whole")


# ---- answers that are not trusted ------------------------------------------------------------


def _stale(heard: Heard) -> Reply:
    body = discovery_body(read_discovery_request(heard.body), NoMatch())
    then = datetime.now(UTC) - timedelta(minutes=30)
    return Reply(heard.seal(body, ITI_55_ANSWER, now=then))


def _sealed(**lies: object) -> Answer:
    def answer(heard: Heard) -> Reply:
        body = discovery_body(read_discovery_request(heard.body), NoMatch())
        return Reply(heard.seal(body, ITI_55_ANSWER, **lies))  # type: ignore[arg-type]

    return answer


UNTRUSTED = "its answer could not be trusted: "


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(_sealed(confirmations=()), id="without confirmation"),
        pytest.param(_sealed(confirmations=("AAAA",)), id="confirming another signature"),
        pytest.param(_sealed(key="Mallory"), id="signed by someone else"),
        pytest.param(_stale, id="stale"),
    ],
)
def test_an_answer_that_proves_nothing_is_not_believed(
    answer: Answer, tmp_path: Path, good: Partner
) -> None:
    found = ask_scripted(tmp_path, good, ITI_55=answer)
    assert found.row.outcome == "failed"
    assert found.row.detail is not None and found.row.detail.startswith(UNTRUSTED)
    assert found.recorded == [("ITI-55", "refused", found.row.detail)]


def test_an_answer_to_another_request_is_not_taken(tmp_path: Path, good: Partner) -> None:
    found = ask_scripted(tmp_path, good, ITI_55=_sealed(relates_to="urn:uuid:another"))
    assert found.said == ("failed", "the answer relates to another message than our request")


def test_an_answer_of_another_transaction_is_not_taken(tmp_path: Path, good: Partner) -> None:
    def confused(heard: Heard) -> Reply:
        body = write_adhoc_query_response(AdhocQueryResponse(ResponseStatus.SUCCESS))
        return Reply(heard.seal(body, ITI_38_ANSWER))

    found = ask_scripted(tmp_path, good, ITI_55=confused)
    assert found.said == ("failed", "the message is no answer of the transaction")


def test_an_answer_with_an_error_status_is_believed_only_as_a_fault(
    tmp_path: Path, good: Partner
) -> None:
    def crossed(heard: Heard) -> Reply:
        answer = discovered(heard).replace(b"Sampleton", b"Fault")
        return Reply(answer, status=500)

    found = ask_scripted(tmp_path, good, ITI_55=crossed)
    assert found.said == ("failed", "it answered HTTP 500 without a SOAP fault")


def test_an_answer_over_the_size_limit_is_broken_off(tmp_path: Path, good: Partner) -> None:
    def endless(_heard: Heard) -> Reply:
        return Reply(b"<" + b"x" * 3_000_000)

    limits = {"message_bytes": 2_000_000}
    found = ask_scripted(tmp_path, good, ITI_38=endless, limits=limits)
    assert found.said == ("failed", "its answer is larger than we take")


def test_a_package_over_the_size_limit_leaves_nothing_behind(tmp_path: Path, good: Partner) -> None:
    def huge(heard: Heard) -> Reply:
        reply = retrieved(heard)
        middle = len(reply.content) // 2
        return replace(reply, content=reply.content[:middle] + b"x" * 3_000_000)

    limits = {"message_bytes": 2_000_000}
    found = ask_scripted(tmp_path, good, ITI_39=huge, limits=limits)
    assert found.row.outcome == "failed"
    assert "the message is over our limit" in (found.row.detail or "")
    assert found.row.documents_missing == 2
    assert not list(tmp_path.rglob("*.new"))


def test_a_partner_whose_profile_asks_for_no_confirmation_may_leave_it_out(
    tmp_path: Path, good: Partner
) -> None:
    profile = PartnerProfile(timeout_seconds=20, confirmation_required=False)
    found = ask_scripted(tmp_path, good, ITI_55=_sealed(confirmations=()), profile=profile)
    assert found.said == ("no_match", None)
