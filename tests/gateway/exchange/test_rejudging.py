"""A kept ITI-55 is judged by today's roster, rules and code beside what was concluded then."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ccda.hl7v3 import AD, PN
from gateway.app.house import House
from gateway.exchange.conversation import Crossed, Reread, crossed
from gateway.exchange.rejudging import rejudged
from gateway.model.exchange import ExchangeFilter, RecordedExchange
from gateway.model.identity import MemberId
from gateway.model.member import Member
from gateway.settings import Limits
from gateway.store import exchange_log, members, partners, policy_rules
from gateway.store.scope import ALL_PLANS
from ihe.discovery import Discovery, Matched, MoreDemographicsRequested, NoMatch
from ihe.errors import CommunityCouldNotAnswer
from ihe.identifiers import HomeCommunityId
from ihe.soap import ITI_55_REQUEST
from tests.gateway import house as lakeshore
from tests.gateway.asking import ask, discovery
from tests.gateway.clients.asking_house import HOME as ACME
from tests.gateway.clients.asking_house import MEMBER, asking_house, retrieve
from tests.gateway.clients.scripted_partner import Heard, Reply, a_match, discovered, scripted
from tests.gateway.exchange.test_widening import MOVED, at_the_former_address, pair
from tests.gateway.house import OTHER_PLAN, PLAN, a_partner, a_rule, rows_of
from tests.gateway.visiting import Visitor, visiting

KNOWN = lakeshore.MEMBER.demographics
STRANGER = replace(KNOWN, names=(PN("Otherwise", ("Ottoline",)),), ids=(), telecoms=())
ELSEWHERE = AD(("9 Other Street",), "Elsewhere", "OR", "97001")


def of_discovery(house: House) -> list[RecordedExchange]:
    """The records of ITI-55, newest first."""
    wanted = ExchangeFilter(transaction="ITI-55")
    return list(
        house.database.read(
            lambda tx: exchange_log.search(tx, plan=ALL_PLANS, wanted=wanted, limit=100)
        )
    )


def kept(house: House, **told: Any) -> Crossed:
    """The last one's envelopes, as if its record told otherwise of it."""
    record = of_discovery(house)[0]
    record = replace(record, exchange=replace(record.exchange, **told))
    return house.database.read(lambda tx: crossed(tx, house.archive.blobs.keys, record))


def today(house: House, one: Crossed | None = None) -> tuple[str, bool] | None:
    """What today's judgement says, and whether it differs."""
    given = one or kept(house)
    found: tuple[Reread, ...] = house.database.read(
        lambda tx: rejudged(tx, given, plans=house.plans, community=house.community)
    )
    return None if not found else (found[0].today, found[0].differs)


def enrol(house: House, member: Member, **known: Any) -> None:
    changed = replace(member, demographics=replace(member.demographics, **known))
    house.database.write(lambda tx: members.put(tx, changed))


# ---- whom a partner named to us --------------------------------------------------------------


def test_an_unchanged_roster_judges_as_it_did(tmp_path: Path) -> None:
    with scripted() as script, asking_house(tmp_path, [script.partner]) as house:
        retrieve(house)
        assert today(house) == ("judged: match (96)", False)


def test_another_roster_judges_otherwise_and_both_are_told(tmp_path: Path) -> None:
    with scripted() as script, asking_house(tmp_path, [script.partner]) as house:
        retrieve(house)
        enrol(house, MEMBER, names=(PN("Sampleton", ("Marguerite",)),))
        said, differs = today(house) or ("", False)
        assert said.startswith("judged: no match (")
        assert said.endswith(") (then judged: match (96))")
        assert differs


def test_an_older_record_that_tells_no_judgement_is_shown_and_does_not_differ(
    tmp_path: Path,
) -> None:
    with scripted() as script, asking_house(tmp_path, [script.partner]) as house:
        retrieve(house)
        assert today(house, kept(house, reason=None)) == ("judged: match (96)", False)


OURS = HomeCommunityId.parse(ACME)
UNLISTED = HomeCommunityId.parse("2.999.7399.9")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Matched((a_match(degree=20),)), "judged: match (96)"),
        (Matched((a_match(home_community_id=UNLISTED),)), "judged: match (96)"),
        (Matched((a_match(home_community_id=OURS), a_match())), "judged: match (96)"),
        (Matched((a_match(home_community_id=OURS),)), "judged: nobody"),
        (Matched((a_match(), a_match(STRANGER))), "judged: match (96), no match (0)"),
        (NoMatch(), "judged: nobody"),
        (MoreDemographicsRequested(("SSNRequested",)), None),
        (CommunityCouldNotAnswer("AnswerNotAvailable"), None),
    ],
    ids=[
        "below the degree that was asked for", "of a community that is not listed",
        "ourselves as well", "ourselves alone", "somebody else, too", "nobody", "more", "a problem",
    ],
)  # fmt: skip
def test_what_else_decided_of_a_link_is_no_difference(
    answer: Discovery, said: str | None, tmp_path: Path
) -> None:
    def reply(heard: Heard) -> Reply:
        return Reply(discovered(heard, answer))

    with scripted(ITI_55=reply) as script, asking_house(tmp_path, [script.partner]) as house:
        retrieve(house)
        assert today(house) == (None if said is None else (said, False))


def test_what_others_knew_of_the_member_is_beside_the_rosters_own_judgement(
    tmp_path: Path,
) -> None:
    with pair(tmp_path, MOVED, NoMatch(), at_the_former_address()) as two:
        assert two.ask().outcome == "matched"
        (*_, last) = two.calls()
        by_roster, widely = (last.reason or "").split("; ")[1:]
        assert by_roster.startswith("judged: possible (")
        assert widely.startswith("with what others know judged: match (")
        assert today(two.house) == (by_roster, False)


def test_an_answer_that_names_others_to_todays_reader_differs(tmp_path: Path) -> None:
    nobody: list[bytes] = []

    def reply(heard: Heard) -> Reply:
        nobody.append(discovered(heard, NoMatch()))
        return Reply(discovered(heard))

    with scripted(ITI_55=reply) as script, asking_house(tmp_path, [script.partner]) as house:
        retrieve(house)
        one = replace(kept(house), answer=nobody[0])
        assert today(house, one) == ("judged: nobody (then judged: match (96))", True)
        other = kept(house, reason="judged: nobody")
        assert today(house, other) == ("judged: match (96) (then judged: nobody)", True)


def test_what_can_be_judged_no_more_is_not(tmp_path: Path) -> None:
    with scripted() as script, asking_house(tmp_path, [script.partner]) as house:
        retrieve(house)
        assert today(house, replace(kept(house), answer=b"<a/>")) is None
        assert today(house, replace(kept(house), answer=None)) is None
        assert today(house, kept(house, outcome="refused")) is None
        assert today(house, kept(house, member=None)) is None
        assert today(house, kept(house, transaction="ITI-38")) is None


# ---- whom we would name ----------------------------------------------------------------------


@pytest.fixture
def visitor(tmp_path: Path) -> Iterator[Visitor]:
    with visiting(tmp_path, rules=[a_rule()]) as found:
        yield found


MATCHED = "one match (score 96)"


def test_a_question_would_be_answered_as_it_was(visitor: Visitor) -> None:
    visitor.discover()
    assert today(visitor.house) == (MATCHED, False)


def test_a_member_who_moved_is_matched_by_other_points(visitor: Visitor) -> None:
    visitor.discover()
    enrol(visitor.house, lakeshore.MEMBER, addresses=(ELSEWHERE,))
    said, differs = today(visitor.house) or ("", False)
    assert said.startswith("one match (score ") and said.endswith(f" (then {MATCHED})")
    assert differs


def test_whoever_is_not_found_today_is_told_with_the_auditors_reason(visitor: Visitor) -> None:
    visitor.discover()
    enrol(visitor.house, lakeshore.MEMBER, names=STRANGER.names)
    said, differs = today(visitor.house) or ("", False)
    assert said.startswith("no match: ") and said.endswith(f"(then {MATCHED})")
    assert differs


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            lambda tx: members.set_opted_out(
                tx, plan=PLAN, member=lakeshore.MEMBER.id, opted_out=True
            ),
            "no match: the member has opted out of exchange",
        ),
        (
            lambda tx: policy_rules.put(tx, a_rule(purpose="OPERATIONS")),
            "no match: no rule lets this partner ask for PAYMENT",
        ),
        (
            lambda tx: partners.remove(tx, plan=ALL_PLANS, partner=a_partner().id),
            "nothing: the partner is in no directory any more, or has left its network",
        ),
    ],
    ids=["opted out", "no rule", "no partner"],
)
def test_whom_rules_no_longer_open_is_answered_no_more(
    change: Any, why: str, visitor: Visitor
) -> None:
    visitor.discover()
    visitor.house.database.write(change)
    assert today(visitor.house) == (f"{why} (then {MATCHED})", True)


def test_whoever_was_enrolled_since_would_be_found(visitor: Visitor) -> None:
    assert visitor.discover(STRANGER) == NoMatch()
    assert today(visitor.house) == ("no match: no member matches", False)
    enrol(visitor.house, lakeshore.MEMBER, names=STRANGER.names)
    said, differs = today(visitor.house) or ("", False)
    assert said.startswith("one match (score ") and said.endswith("(then no match)")
    assert differs


def test_a_person_of_two_plans_is_told_as_such_in_each_record(tmp_path: Path) -> None:
    known = replace(KNOWN, ids=())
    hers = Member(MemberId("00000000-0000-4000-8000-00000000000d"), OTHER_PLAN, "LS-2", known)
    rules = [a_rule(), a_rule(plan=OTHER_PLAN)]
    with visiting(tmp_path, rules=rules) as visitor:
        visitor.house.database.write(lambda tx: members.put(tx, hers))
        visitor.discover()
        first, second = of_discovery(visitor.house)
        assert {first.exchange.plan, second.exchange.plan} == {PLAN, OTHER_PLAN}
        assert {first.exchange.reason, second.exchange.reason} == {"judged: match (96)"}
        assert today(visitor.house) == ("2 matches (score 96, 96)", False)


def test_a_replay_counts_no_question_and_alarms_nobody(visitor: Visitor) -> None:
    nearly = replace(KNOWN, birth_time=None, telecoms=())
    visitor.discover(nearly)
    before = rows_of(visitor.house, "discovery_tally")
    assert before
    assert today(visitor.house) is not None
    assert rows_of(visitor.house, "discovery_tally") == before


def test_a_question_that_came_too_often_would_be_answered_today(tmp_path: Path) -> None:
    limits = Limits(discoveries_per_minute=1)
    with visiting(tmp_path, rules=[a_rule()], limits=limits) as visitor:
        visitor.discover()
        busy = ask(discovery(), ITI_55_REQUEST)
        assert visitor.door.post("/ihe/xcpd", busy.envelope).status == 200
        assert of_discovery(visitor.house)[0].exchange.outcome == "refused"
        assert today(visitor.house) == (MATCHED, False)


def test_a_question_that_says_no_purpose_would_still_be_answered_with_nothing(
    visitor: Visitor,
) -> None:
    unsaid = ask(discovery(), ITI_55_REQUEST, purpose_of_use=None)
    assert visitor.door.post("/ihe/xcpd", unsaid.envelope).status == 400
    assert today(visitor.house) == ("nothing: The assertion states no purpose of use.", False)
