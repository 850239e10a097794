"""ITI-55 on the wire: several matches, what is not told, and who asks too much (DECISIONS 11)."""

import cProfile
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lxml import etree

from ccda.hl7v3 import AD, PN, TEL, TS
from ccda.safe_xml import parse_xml
from gateway.api.soap_verbs import reply
from gateway.app.listening import listeners
from gateway.exchange.asker import Asker
from gateway.exchange.matching import compare_people
from gateway.exchange.respond_discovery import discover
from gateway.model.discovery_limits import DiscoveryLimits
from gateway.model.identity import MemberId
from gateway.model.member import Member
from gateway.model.purpose import NHIN, PurposeOfUse
from gateway.settings import Limits
from gateway.store import members
from ihe.errors import CommunityCouldNotAnswer
from ihe.soap import ITI_55_REQUEST
from ihe.xcpd import (
    Demographics,
    Matched,
    MoreDemographicsRequested,
    NoMatch,
    read_discovery_request,
    read_discovery_response,
)
from tests.gateway.asking import answer_to, ask, discovery
from tests.gateway.house import (
    MEMBER,
    OTHER_PLAN,
    PLAN,
    a_partner,
    a_rule,
    open_house,
    records,
)
from tests.gateway.visiting import Visitor, visiting
from tests.gateway.watching import watching

Visiting = Callable[..., Visitor]
KNOWN = MEMBER.demographics
HERS = Member(MemberId("00000000-0000-4000-8000-00000000000d"), PLAN, "LS-2", KNOWN)
ELSEWHERE = a_partner("Eastgate Clinic", "2.999.7303.1")


@pytest.fixture
def visit(tmp_path: Path) -> Iterator[Visiting]:
    with ExitStack() as held:
        yield lambda *rules, **more: held.enter_context(
            visiting(tmp_path, rules=rules or [a_rule()], **more)
        )


def put(visitor: Visitor, *people: Member) -> None:
    visitor.house.database.write(lambda tx: [members.put(tx, person) for person in people])


def opt_out(visitor: Visitor, member: Member = MEMBER) -> None:
    visitor.house.database.write(
        lambda tx: members.set_opted_out(tx, plan=member.plan, member=member.id, opted_out=True)
    )


# ---- several matches (case 2) ----------------------------------------------------------------


def test_a_person_whom_a_plan_has_enrolled_twice_is_two_matches(visit: Visiting) -> None:
    visitor = visit()
    put(visitor, replace(HERS, demographics=replace(KNOWN, ids=())))
    sealed = ask(discovery(), ITI_55_REQUEST)
    envelope = visitor.door.post("/ihe/xcpd", sealed.envelope).body
    found = read_discovery_response(answer_to(sealed, envelope)).discovery
    assert isinstance(found, Matched)
    assert {match.patient_id.id for match in found.matches} == {MEMBER.id, HERS.id}
    assert all(match.degree for match in found.matches)
    told = [one for one in records(visitor.house) if one.message_id == sealed.message_id]
    assert {one.member for one in told} == {MEMBER.id, HERS.id}


def test_a_person_of_two_plans_is_a_match_of_each(visit: Visiting) -> None:
    visitor = visit(a_rule(), a_rule(plan=OTHER_PLAN))
    put(visitor, replace(HERS, plan=OTHER_PLAN, demographics=replace(KNOWN, ids=())))
    body = discovery()
    sealed = ask(body, ITI_55_REQUEST)
    envelope = visitor.door.post("/ihe/xcpd", sealed.envelope).envelope
    subjects = envelope.findall(".//{urn:hl7-org:v3}subject")
    assert len(subjects) == 2
    ids = [one.find(".//{urn:hl7-org:v3}patient/{urn:hl7-org:v3}id") for one in subjects]
    assert {one.get("extension") for one in ids if one is not None} == {MEMBER.id, HERS.id}


def test_two_who_could_be_meant_and_are_not_one_person_are_no_match(visit: Visiting) -> None:
    """Namesakes of one birth date whose addresses the request both names."""
    visitor = visit()
    elsewhere = AD(("7 Other Lane",), "Elsewhere", "OR", "97001", "US")
    other = replace(KNOWN, ids=(), addresses=(elsewhere,), telecoms=())
    put(visitor, replace(HERS, demographics=other))
    asked = replace(KNOWN, telecoms=(), addresses=(*KNOWN.addresses, elsewhere))
    assert visitor.discover(asked) == NoMatch()
    record = visitor.recorded()
    assert (record.member, record.plan) == (None, PLAN)
    assert record.reason == "more than one member could be the person asked for"


def test_whoever_opted_out_under_one_number_is_given_under_none(visit: Visiting) -> None:
    visitor = visit()
    put(visitor, replace(HERS, demographics=replace(KNOWN, ids=())))
    opt_out(visitor, HERS)
    assert visitor.discover() == NoMatch()
    assert visitor.recorded().reason == "the member has opted out of exchange"


# ---- fields that cannot be used --------------------------------------------------------------


def test_invalid_fields_fail_no_match_and_the_record_says_what_was_left_out(
    visit: Visiting,
) -> None:
    visitor = visit()
    (home,) = KNOWN.addresses
    spoilt = replace(home, state="ZZ", postal_code="00000")
    asked = replace(
        KNOWN, addresses=(spoilt, AD(("unknown",))), telecoms=(TEL("555"), *KNOWN.telecoms)
    )
    assert isinstance(visitor.discover(asked), Matched)
    assert visitor.recorded().member == MEMBER.id
    assert visitor.recorded().reason == (
        "judged: match (91); left out of the comparison:"
        " phone, no telephone number of ten digits; state, no state of the"
        " United States; zip, no ZIP code; address, a placeholder, not a place"
    )


def test_why_somebody_is_no_match_is_explained_to_our_auditor_alone(visit: Visiting) -> None:
    visitor = visit()
    asked = replace(KNOWN, birth_time=TS("19610704"))
    assert visitor.discover(asked) == NoMatch()
    record = visitor.recorded()
    assert (record.plan, record.member) == (PLAN, None)
    assert record.reason == "a member resembles the person asked for: the birth dates differ"


# ---- what nobody learns ----------------------------------------------------------------------


def without_ids_and_times(answer: Any) -> bytes:
    uuids = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
    return re.sub(rb'creationTime value="\d+\+0000"', b"", uuids.sub(b"", etree.tostring(answer)))


BARE = replace(KNOWN, addresses=(), telecoms=())
QUESTIONS = {
    "below the minimum: no gender": replace(KNOWN, gender=None),
    "below the minimum: no place": BARE,
    "below the minimum: a placeholder birth date": replace(KNOWN, birth_time=TS("19000101")),
    "below the minimum: no given name": replace(KNOWN, names=(PN("Sampleton"),)),
    "below the minimum: only an invalid place": replace(BARE, addresses=(AD(("unknown",)),)),
    "near: another birth date": replace(KNOWN, birth_time=TS("19770704")),
    "near: another gender": replace(KNOWN, gender="M"),
    "near: the name of a sister": replace(KNOWN, names=(PN("Sampleton", ("Rosa",)),)),
}


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Visitor, Visitor, Visitor]]:
    """One that knows the person, one whose member opted out, and one that knows nobody."""
    with ExitStack() as held:
        visitors = [
            held.enter_context(
                visiting(tmp_path_factory.mktemp(name), rules=[a_rule()], furnished=furnished)
            )
            for name, furnished in (("knows", True), ("hides", True), ("empty", False))
        ]
        opt_out(visitors[1])
        knows, hides, empty = visitors
        yield knows, hides, empty


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_answer_is_the_same_byte_for_byte_whether_or_not_the_person_is_there(
    houses: tuple[Visitor, Visitor, Visitor], question: str
) -> None:
    body = discovery(QUESTIONS[question])
    answers = [house.say(body) for house in houses]
    assert len({without_ids_and_times(answer) for answer in answers}) == 1
    kind = MoreDemographicsRequested if "gender" in question or "place" in question else NoMatch
    if question.startswith("below"):
        assert isinstance(read_discovery_response(answers[0]).discovery, kind | NoMatch)


def test_who_opted_out_is_answered_byte_for_byte_as_nobody(
    houses: tuple[Visitor, Visitor, Visitor],
) -> None:
    knows, hides, empty = houses
    body = discovery()
    assert without_ids_and_times(hides.say(body)) == without_ids_and_times(empty.say(body))
    assert without_ids_and_times(knows.say(body)) != without_ids_and_times(empty.say(body))


def test_the_rosters_words_are_read_of_whom_the_answer_names_alone(
    houses: tuple[Visitor, Visitor, Visitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To read them takes as long as a comparison: a hidden member would be known by it."""
    read: list[str] = []
    made = members._member
    monkeypatch.setattr(members, "_member", lambda row: read.append(row.id) or made(row))
    numbers = []
    for visitor in houses:
        read.clear()
        visitor.say(discovery())
        numbers.append(len(read))
    assert numbers == [1, 0, 0]


@contextmanager
def statements_executed() -> Iterator[list[str]]:
    """The statements that are executed meanwhile, without their values."""
    stated: list[str] = []
    with watching() as seen:
        yield stated
    # A plan's messages lie under its own key, those of no plan under the house's.
    stated += (
        "a key" if re.search("FROM (plan|house)_key", statement) else statement
        for statement, _ in seen
    )


def test_nobody_a_hidden_and_a_nearly_named_member_cost_the_same_statements(
    houses: tuple[Visitor, Visitor, Visitor],
) -> None:
    """Time follows from the work; that the comparisons are as many is in test_candidates."""
    knows, hides, empty = houses
    costs = {}
    for name, visitor, who in (
        ("found", knows, KNOWN),
        ("hidden", hides, KNOWN),
        ("nearly", knows, QUESTIONS["near: another birth date"]),
        ("nobody", empty, KNOWN),
    ):
        visitor.discover(who)  # the first question makes the key
        sealed = ask(discovery(who), ITI_55_REQUEST)
        with statements_executed() as seen:
            assert visitor.door.post("/ihe/xcpd", sealed.envelope).status == 200
        costs[name] = [statement for statement in seen if "exchange_open" not in statement]
    assert costs["hidden"] == costs["nobody"] == costs["nearly"] == costs["found"]
    assert sum("discovery_tally" in statement for statement in costs["nobody"]) >= 3


def comparisons_of(visitor: Visitor, who: Demographics) -> int:
    """How often people are compared for one question."""
    request = read_discovery_request(discovery(who))
    asker = Asker((visitor.partner,), PurposeOfUse("PAYMENT", NHIN))
    house, profile = visitor.house, cProfile.Profile()
    house.database.read(
        lambda tx: profile.runcall(
            discover,
            tx,
            request,
            asker=asker,
            plans=house.plans,
            community=house.community,
            limits=DiscoveryLimits(),
            now=datetime.now(UTC),
        )
    )
    code = compare_people.__code__
    return sum(one.callcount for one in profile.getstats() if one.code is code)


def test_nobody_a_hidden_and_a_nearly_named_member_cost_as_many_comparisons(
    houses: tuple[Visitor, Visitor, Visitor],
) -> None:
    knows, hides, empty = houses
    near = QUESTIONS["near: another birth date"]
    asked = ((knows, KNOWN), (hides, KNOWN), (empty, KNOWN), (knows, near), (empty, near))
    assert {comparisons_of(visitor, who) for visitor, who in asked} == {4}


# ---- who asks too much -----------------------------------------------------------------------


def busy_after(visitor: Visitor, most: int) -> int:
    """After how many questions the visitor hears that we are busy; the minute may change once."""
    for number in range(most):
        try:
            assert isinstance(visitor.discover(), Matched)
        except CommunityCouldNotAnswer as answer:
            assert answer.problem == "ResponderBusy"
            return number
    raise AssertionError("never busy")


def test_who_asks_too_often_hears_that_we_are_busy_and_the_rest_do_not(
    visit: Visiting, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "gateway")
    visitor = visit(known=(ELSEWHERE,), limits=Limits(discoveries_per_minute=3))
    assert busy_after(visitor, 7) >= 3
    record = visitor.recorded()
    assert (record.outcome, record.member, record.transaction) == ("refused", None, "ITI-55")
    assert record.partner == a_partner().id
    assert record.reason == "the community asks for more than 3 persons in a minute"
    alarms = [one.getMessage() for one in caplog.records if "more than 3" in one.getMessage()]
    assert alarms and "2.999.7301.1" in alarms[0]
    assert isinstance(replace(visitor, partner=ELSEWHERE).discover(), Matched)


def test_a_busy_answer_is_case_five_and_tells_nothing_else(visit: Visiting) -> None:
    visitor = visit(limits=Limits(discoveries_per_minute=1))
    bodies = [
        discovery(),
        *(
            discovery(
                replace(KNOWN, names=(PN("X", ("Y",)),)),
            )
            for _ in "ab"
        ),
    ]
    answers = [visitor.say(body) for body in (*bodies, *bodies)]
    codes = [
        answer.find(".//{urn:hl7-org:v3}detectedIssueManagement/{urn:hl7-org:v3}code")
        for answer in answers
    ]
    busy = [n for n, code in enumerate(codes) if code is not None]
    assert len(busy) >= 4
    for number in busy:
        assert codes[number].get("code") == "ResponderBusy"
        assert codes[number].get("codeSystem") == "1.3.6.1.4.1.19376.1.2.27.3"
        assert not answers[number].findall(".//{urn:hl7-org:v3}subject")
        queried = answers[number].find(".//{urn:hl7-org:v3}queryResponseCode")
        assert queried is not None and queried.get("code") == "AE"


def test_feeling_ones_way_to_a_member_raises_an_alarm_and_no_other_answer(
    visit: Visiting, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "gateway")
    visitor = visit(limits=Limits(near_misses_per_day=3))
    guesses = [replace(KNOWN, birth_time=TS(f"197707{day:02}")) for day in range(4, 10)]
    reasons = []
    for guess in (guesses[0], guesses[0], *guesses):
        assert visitor.discover(guess) == NoMatch()
        reasons.append(visitor.recorded().reason or "")
    # The same question again is no other way to ask.
    assert [reason.startswith("probing?") for reason in reasons] == [False] * 5 + [True] * 3
    record = visitor.recorded()
    assert (record.plan, record.member) == (PLAN, MEMBER.id)
    assert "nearly named the member in 6 ways today" in reasons[-1]
    alarms = [one.getMessage() for one in caplog.records if "probing" in one.getMessage()]
    assert len(alarms) == 1
    assert not re.search("Sampleton|1977|" + MEMBER.id, alarms[0])


def test_asking_for_many_different_people_is_no_probing(visit: Visiting) -> None:
    visitor = visit(limits=Limits(near_misses_per_day=3))
    for number in range(6):
        stranger = replace(
            KNOWN,
            names=(PN(f"Stranger{number}", ("Sam",)),),
            addresses=(AD((f"{number} Side St",), "Elsewhere", "OR", "97001"),),
            telecoms=(),
        )
        assert visitor.discover(stranger) == NoMatch()
        assert visitor.recorded().reason == "no member matches"


def test_records_that_cannot_be_read_are_case_five(tmp_path: Path) -> None:
    with open_house(tmp_path, rules=[a_rule()]) as house:
        (door,) = (one for one in listeners(house) if one.tls is not None)
        house.database.close()
        opened = SimpleNamespace(transaction="ITI-55", kind=ITI_55_REQUEST, body=discovery())
        asker = Asker((a_partner(),), PurposeOfUse("PAYMENT", NHIN))
        replied = reply(opened, asker, door.application.state.means)
    with pytest.raises(CommunityCouldNotAnswer) as answer:
        read_discovery_response(parse_xml(replied.body.xml))
    assert answer.value.problem == "AnswerNotAvailable"
    (effect,) = replied.effects
    assert (effect.outcome, effect.member) == ("failed", None)
    assert effect.reason == "the members could not be searched"
