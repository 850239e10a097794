"""`partners check` against simulated partners: the planted fault is named, a healthy one is clean.

The report is for the partner: each deviation with its rule, and fragments without content.
"""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.app.house import open_client
from gateway.demo.parties import MEMBER as ROSALIND
from gateway.demo.simulator.moods import MOODS
from gateway.exchange.asking import Asking
from gateway.exchange.check_page import render_check
from gateway.exchange.partner_check import check_partner
from gateway.exchange.partner_findings import Finding, Report
from gateway.model.exchange import Exchange
from gateway.model.identity import ConversationId, RetrievalId
from gateway.model.partner import PartnerProfile
from gateway.model.retrieval import Requester, Retrieval
from gateway.store import partners
from ihe.identifiers import HomeCommunityId
from tests.ccda.html_page import read_page
from tests.gateway import house as lakeshore
from tests.gateway.cli.terminal import Terminal, furnish
from tests.gateway.clients.asking_house import MEMBER, PLAN, asking_house, assert_sound, calls
from tests.gateway.demo.simulating import Wanted, all_simulated, simulated
from tests.gateway.demo.walking import walk

NAMED = {
    "empty": "it answered HTTP 200 with an empty body",
    "truncated": "the message ends before its closing boundary",
    "html": "the answer is no SOAP envelope",
    "redirect": "it answered HTTP 302, which points to another address",
    "status-500": "the answer is no XML that can be read",
    "busy": "it answered HTTP 503: it is busy or away",
    "hang": "no answer within",
    "drip": "no answer within",
    "slow": "no answer within",
    "refuse": "no connection could be made",
    "endless": "is larger than we take",
    "reset": "it broke the connection off",
    "early-close": "it broke the connection off",
    "wrong-relates-to": "wsa:RelatesTo is not the request's wsa:MessageID",
    "clock-skew": "s behind ours",
    "unsigned": "the Timestamp of the answer is not signed",
    "no-confirmation": "wsse11:SignatureConfirmation is missing",
    "no-security": "there are 0 wsse:Security headers, not one",
    "expired-certificate": "its TLS certificate is not trusted (certificate has expired)",
    "other-person": "what it tells of its match is another person than was asked for",
    "other-patient": "3 entries name another patient id than was asked for",
    "other-document": "3 documents came under ids that nobody asked for",
    "success-with-errors": "the status is Success although there are errors",
    "partial-success": "the list comes with errors: XDSUnavailableCommunity",
    "fewer-documents": "1 of 3 documents are left out without an error",
    "more-documents": "1 documents came under ids that nobody asked for",
    "wrong-home": "a document's HomeCommunityId is not that of the request",
    "duplicate-cids": "two parts have one Content-ID",
    "no-mtom": "the answer is no MTOM package",
    "wrong-hash": "a document's SHA-1 is not the hash of the list",
    "wrong-size": "a document has",
    "one-per-retrieve": "it gives one document at a time",
    "long-time": "it lists five years at once, and fails over all time",
    "too-many-results": "only in windows of time (XDSTooManyResults)",
}
NOTHING_WRONG = ("", "named-fault")


def _word(mood: str) -> str:
    if mood.startswith("fault"):
        return "a well-formed request is answered with a SOAP fault"
    return NAMED[mood]


@dataclass(frozen=True, slots=True)
class Checked:
    report: Report
    records: list[Exchange]


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Checked]:
    """A walk with a test patient, at a partner in each of the moods."""
    wanted = {
        name: Wanted(
            moods=(name,) if name else (),
            name=f"In mood {name}",
            home=HomeCommunityId.parse(f"2.999.7500.{number}"),
            profile=PartnerProfile(timeout_seconds=4 if name in ("hang", "drip", "slow") else 200),
        )
        for number, name in enumerate(("", *MOODS), 1)
    }
    found: dict[str, Checked] = {}
    with all_simulated(tuple(wanted.values())) as known:
        folder, limits = tmp_path_factory.mktemp("check"), {"message_bytes": 2_000_000}
        with asking_house(folder, known, limits=limits) as house:

            async def walk() -> None:
                client = open_client(house)
                for name, partner in zip(wanted, known, strict=True):
                    asking = Asking(
                        house.archive, client, house.community, house.plans[0], MEMBER, _asked()
                    )
                    report = await check_partner(asking, partner, member=MEMBER)
                    found[name] = Checked(report, calls(house, partner.id))
                await client.close()

            asyncio.run(walk())
            assert_sound(house)
    return found


def _asked() -> Retrieval:
    return Retrieval(
        id=RetrievalId("check"),
        plan=PLAN,
        member=MEMBER.id,
        purpose="OPERATIONS",
        requester=Requester("Nora Nurse", "care manager", lakeshore.AUTHORITY),
        conversation=ConversationId("check"),
        created=datetime.now(UTC),
    )


@pytest.mark.parametrize("mood", [*MOODS])
def test_the_planted_fault_is_named(mood: str, checked: dict[str, Checked]) -> None:
    report = checked[mood].report
    if mood in NOTHING_WRONG:
        assert report.deviations == []
        return
    texts = [one.text for one in report.findings if one.level in ("deviation", "limitation")]
    assert any(_word(mood) in text for text in texts), texts


def test_a_healthy_partner_is_clean(checked: dict[str, Checked]) -> None:
    report = checked[""].report
    assert report.answers
    assert [one.text for one in report.findings if one.level == "deviation"] == []
    passed = [one.text for one in report.findings if one.level == "passed"]
    assert any(text.startswith("TLS: TLSv1.") for text in passed)
    assert "?wsdl gives a WSDL" in passed


def test_each_request_has_its_record(checked: dict[str, Checked]) -> None:
    done = [(one.transaction, one.outcome) for one in checked[""].records]
    assert done == [
        ("WSDL", "success"),
        ("WSDL", "success"),
        ("ITI-55", "success"),
        ("ITI-38", "success"),
        ("ITI-39", "success"),
        ("ITI-55", "success"),
        ("ITI-38", "success"),
        ("ITI-39", "success"),
    ]
    whose = [one.member for one in checked[""].records]
    assert whose == [None] * 5 + [MEMBER.id] * 3
    assert {one.person for one in checked[""].records} == {"Nora Nurse"}
    failed = checked["reset"].records
    assert {one.outcome for one in failed if one.transaction != "WSDL"} == {"failed"}


def test_every_deviation_of_the_message_has_its_rule_and_no_content(
    checked: dict[str, Checked],
) -> None:
    (name,) = ROSALIND.names[:1]
    for mood, one in checked.items():
        for finding in one.report.findings:
            shown = f"{finding.text} {finding.fragment}"
            assert (name.family or "?") not in shown, mood
            assert "SP-3301" not in shown, mood
            if finding.fragment is not None:
                assert finding.section, mood


@pytest.mark.parametrize(
    "moods, text",
    [
        ({"fault-1.1-200", "fault-1.1-400", "fault-1.1-500"}, "the answer is a SOAP 1.1 envelope"),
        ({"fault-1.1-200", "fault-1.2-200"}, "a SOAP fault comes with HTTP status 200"),
        ({"partial-success"}, "1 of 2 documents that it lists are not given"),
    ],
)
def test_what_else_is_planted_is_named_there_and_nowhere_else(
    moods: set[str], text: str, checked: dict[str, Checked]
) -> None:
    named = {
        mood for mood, one in checked.items() if text in {it.text for it in one.report.deviations}
    }
    assert named == moods


UNSHOWN = ("no answer within", "no connection could", "it broke the connection off")
"""Where there is nothing to show: no answer came."""


def test_every_deviation_says_to_which_request_by_which_rule_and_what_of_the_answer_shows_it(
    checked: dict[str, Checked],
) -> None:
    for mood, one in checked.items():
        for found in one.report.deviations:
            if not found.place.startswith("ITI-"):
                continue  # no message was exchanged
            assert (found.message_id or "").startswith("urn:uuid:"), (mood, found.text)
            if not found.text.startswith(UNSHOWN) and "is not trusted" not in found.text:
                assert found.section and found.fragment, (mood, found.text)


@pytest.mark.parametrize(
    "mood, shown",
    [
        ("other-person", "<patient "),
        ("other-patient", "<ExtrinsicObject "),
        ("other-document", "<DocumentResponse>"),
        ("fewer-documents", "<RegistryResponse "),
        ("partial-success", '<RegistryErrorList highestSeverity="'),
        ("wrong-hash", "<DocumentResponse>"),
        ("no-mtom", "HTTP 200, Content-Type: application/soap+xml"),
        ("empty", "HTTP 200, Content-Type: "),
        ("no-security", "<Header>"),
    ],
)
def test_the_fragment_is_what_shows_the_planted_fault(
    mood: str, shown: str, checked: dict[str, Checked]
) -> None:
    fragments = [
        one.fragment or "" for one in checked[mood].report.deviations if NAMED[mood] in one.text
    ]
    assert fragments and all(one.startswith(shown) for one in fragments), fragments


def test_the_door_for_submissions_is_looked_at_too_and_nothing_is_submitted(
    tmp_path: Path,
) -> None:
    with simulated() as partner:
        door = (partner.endpoints.iti38 or "").replace("/xca", "/xdr")
        partner = replace(partner, endpoints=replace(partner.endpoints, iti41=door))
        with asking_house(tmp_path, [partner]) as house:
            about = [(one.level, one.text) for one in walk(house, partner) if one.place == door]
            assert ("limitation", "?wsdl gives no WSDL (HTTP 404)") in about
            assert any(text.startswith("TLS: TLSv1.") for _, text in about)
            assert "ITI-41" not in {one.transaction for one in calls(house)}


# ---- the command -----------------------------------------------------------------------------


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    yield furnish(tmp_path)


def _run(terminal: Terminal, *moods: str, arguments: tuple[str, ...] = ()) -> Any:
    with simulated(*moods) as partner:
        with lakeshore.open_house(terminal.folder, furnished=False) as it:
            it.database.write(lambda tx: partners.put(tx, replace(partner, network=None)))
        return terminal.run("partners", "check", partner.name, "--plan", "acme", *arguments)


def test_nothing_found_ends_with_0_and_is_recorded(terminal: Terminal) -> None:
    ended = _run(terminal)
    assert ended.exit_code == 0, ended.out
    assert "No deviations found." in ended.out
    first, *last = terminal.records()[-6:]
    assert first["transaction"] == "CLI-PARTNER-CHECK"
    assert [one["purpose"] for one in last] == ["OPERATIONS"] * 5


def test_deviations_end_with_3_and_go_into_a_report_for_the_partner(terminal: Terminal) -> None:
    file = terminal.folder / "report.md"
    ended = _run(terminal, "unsigned", arguments=("--markdown", "--output", str(file)))
    assert ended.exit_code == 3
    text = file.read_text(encoding="utf-8")
    assert text.startswith("# Conformance report: Simulated Partner")
    assert "the Timestamp of the answer is not signed" in text
    assert "WS-Security 1.1: 8.5" in text and "Fragment: `<Security" in text


def test_the_report_is_a_page_that_needs_nothing_beside_it(terminal: Terminal) -> None:
    file = terminal.folder / "report.html"
    ended = _run(terminal, "unsigned", arguments=("--html", str(file)))
    assert ended.exit_code == 3
    assert "Deviations from the standard" in ended.out  # and at the terminal as before
    page = read_page(file.read_text(encoding="utf-8"))
    assert "Conformance report: Simulated Partner" in page.words
    assert "ITI-55 : the Timestamp of the answer is not signed" in page.words
    assert "WS-Security 1.1: 8.5" in page.words and "<Security" in page.words
    assert "urn:uuid:" in page.words
    assert {"#deviation", "#passed"} <= {link["href"] for link in page.all("a")}


def test_what_a_partner_is_called_cannot_write_into_the_page() -> None:
    finding = Finding("deviation", "ITI-38", "<b>no</b>", fragment="<script>x</script>")
    now = datetime.now(UTC)
    report = Report("<img src=x>", "2.999.1", now, "Acme & Co", [finding])
    page = read_page(render_check(report))
    assert page.all("img") == [] and page.all("script") == []
    assert "<script>x</script>" in page.words and "<img src=x>" in page.words


def test_no_answer_at_all_ends_with_1(terminal: Terminal) -> None:
    ended = _run(terminal, "reset", arguments=("--json",))
    assert ended.exit_code == 1
    form = json.loads(ended.out)
    assert (form["answers"], form["partner"]) == (False, "Simulated Partner")
    assert {"passed", "deviation"} <= {one["level"] for one in form["findings"]}


def test_a_partner_that_is_not_there_is_usage(terminal: Terminal) -> None:
    ended = terminal.run("partners", "check", "Nobody", "--plan", "acme")
    assert ended.exit_code == 2
    assert "gateway partners list" in ended.err


def test_who_has_left_its_network_is_asked_nothing(terminal: Terminal) -> None:
    gone = lakeshore.a_partner("Gone", "2.999.73", profile=PartnerProfile(retired=True))
    with lakeshore.open_house(terminal.folder, furnished=False) as it:
        it.database.write(lambda tx: partners.put(tx, gone))
    ended = terminal.run("partners", "check", "Gone", "--plan", "acme")
    assert ended.exit_code == 1
    assert "it has left its network" in ended.err
    assert terminal.records()[-1]["outcome"] == "refused"


def test_of_two_partners_of_one_name_neither_is_asked(terminal: Terminal) -> None:
    with lakeshore.open_house(terminal.folder, furnished=False) as it:
        for home in ("2.999.71", "2.999.72"):
            one = lakeshore.a_partner("Family Clinic", home)
            it.database.write(lambda tx, one=one: partners.put(tx, one))  # type: ignore[misc]
    ended = terminal.run("partners", "check", "Family Clinic", "--plan", "acme")
    assert ended.exit_code == 2
    assert "more than one partner is called Family Clinic" in ended.err
    assert terminal.records()[-1]["outcome"] == "refused"
    assert terminal.run("partners", "check", "2.999.71", "--plan", "acme").exit_code == 1
