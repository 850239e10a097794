"""ITI-55 as we ask it: again with what was asked for, and not again while an answer holds."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ccda.hl7v3 import II, PN, US_SSN
from gateway.exchange.disclosures import account, new_finding
from gateway.model.disclosure import FINDING
from gateway.model.exchange import Exchange, ExchangeFilter
from gateway.model.link import Link
from gateway.model.partner import PartnerProfile
from gateway.store import exchange_log, links
from gateway.store.transaction import Transaction
from ihe.discovery import Discovery, Matched, MoreDemographicsRequested, NoMatch
from ihe.identifiers import Oid, PatientId
from ihe.registry_response import ErrorCode, ResponseStatus
from ihe.soap import ITI_55_ANSWER
from ihe.xca_query import AdhocQueryResponse
from ihe.xcpd import read_discovery_request
from tests.gateway.clients.asking_house import (
    MEMBER,
    PLAN,
    asking_house,
    assert_sound,
    calls,
    retrieve,
)
from tests.gateway.clients.scripted_partner import (
    HOME,
    NAME,
    Answer,
    Heard,
    Reply,
    a_match,
    discovered,
    discovery_body,
    listed,
    scripted,
)
from tests.gateway.exchange.one_partner import an_error

SSN = II(US_SSN, "999-12-3456")
RICH = replace(
    MEMBER,
    demographics=replace(
        MEMBER.demographics,
        ids=(*MEMBER.demographics.ids, SSN),
        mothers_maiden_name=PN("Vega"),
    ),
)


class Asking:
    """Answers ITI-55 in turn, the last one for good, and keeps what each request said."""

    def __init__(self, *answers: Discovery) -> None:
        self.answers = list(answers)
        self.heard: list[Heard] = []

    def __call__(self, heard: Heard) -> Reply:
        self.heard.append(heard)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return Reply(discovered(heard, answer))

    def ids(self, number: int) -> tuple[II, ...]:
        return read_discovery_request(self.heard[number].body).demographics.ids


def holding(duration: timedelta | None, *matches: Any) -> Answer:
    """A match that may be used again for as long."""

    def answer(heard: Heard) -> Reply:
        request = read_discovery_request(heard.body)
        body = discovery_body(request, Matched(matches or (a_match(),)))
        return Reply(heard.seal(body, ITI_55_ANSWER, time_to_live=duration))

    return answer


def links_of(house: Any) -> tuple[Link, ...]:
    return house.database.read(lambda tx: links.of_member(tx, plan=PLAN, member=MEMBER.id))  # type: ignore[no-any-return]


# ---- more demographics -----------------------------------------------------------------------


def test_who_asks_for_more_is_asked_again_with_it_once(tmp_path: Path) -> None:
    more = MoreDemographicsRequested(("SSNRequested", "LivingSubjectBirthPlaceNameRequested"))
    answers = Asking(more, Matched((a_match(),)))
    with (
        scripted(ITI_55=answers) as script,
        asking_house(tmp_path, [script.partner], member=RICH) as house,
    ):
        row = retrieve(house)[NAME]
        assert (row.outcome, row.documents_new) == ("matched", 2)
        assert row.detail == (
            "it asks for more: SSNRequested, LivingSubjectBirthPlaceNameRequested;"
            " we do not know the name of the birth place; it was asked again with that"
        )
        assert [SSN in answers.ids(number) for number in (0, 1)] == [False, True]
        first, second = calls(house)[:2]
        assert (first.transaction, second.transaction) == ("ITI-55", "ITI-55")
        assert first.reason == (
            "it asks for more: SSNRequested, LivingSubjectBirthPlaceNameRequested"
        )
        assert second.reason == "judged: match (96)"
        assert_sound(house)


def test_an_accounting_names_what_was_told_to_who_asked_for_more(tmp_path: Path) -> None:
    """The SSN is no part of what every partner is told (45 CFR 164.528(b)(2)(iii))."""
    more = MoreDemographicsRequested(("SSNRequested", "MothersMaidenNameRequested"))
    with (
        scripted(ITI_55=Asking(more, Matched((a_match(),)))) as script,
        asking_house(tmp_path, [script.partner], member=RICH) as house,
    ):
        retrieve(house)
        wanted = ExchangeFilter(transaction="ITI-55")
        asked = house.database.read(
            lambda tx: exchange_log.search(tx, plan=PLAN, wanted=wanted, descending=False)
        )
        by = Exchange(datetime.now(UTC), "in", FINDING, "success", person="Ann")

        def unit(transaction: Transaction) -> None:
            for record in asked:
                found = new_finding(record, kind="impermissible", member=None, by=by)
                exchange_log.append(transaction, found)

        house.database.write(unit)
        keys, today = house.archive.blobs.keys, by.time.date()
        told = house.database.read(lambda tx: account(tx, keys, member=RICH, asked=today))
        first, second = (one.what for one in told.listed)
        assert second == f"{first}; besides that the mother's maiden name and the SSN"


def test_who_asks_for_more_twice_is_not_asked_a_third_time(tmp_path: Path) -> None:
    answers = Asking(MoreDemographicsRequested(("SSNRequested",)))
    with (
        scripted(ITI_55=answers) as script,
        asking_house(tmp_path, [script.partner], member=RICH) as house,
    ):
        row = retrieve(house)[NAME]
        assert (row.outcome, len(answers.heard)) == ("no_match", 2)
        assert row.detail == "it asks for more: SSNRequested; and asks for more still"


def test_who_may_not_have_the_ssn_is_not_asked_again_with_it(tmp_path: Path) -> None:
    answers = Asking(MoreDemographicsRequested(("SSNRequested",)))
    profile = PartnerProfile(timeout_seconds=20, ssn_on_request=False)
    with (
        scripted(ITI_55=answers, profile=profile) as script,
        asking_house(tmp_path, [script.partner], member=RICH) as house,
    ):
        row = retrieve(house)[NAME]
        assert row.detail == "it asks for more: SSNRequested; it may not have the SSN"
        assert len(answers.heard) == 1


# ---- how sure --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "degree, outcome, detail",
    [
        (90, "matched", None),
        (50, "matched", None),
        (None, "matched", None),
        (49, "held", "the partner itself is sure of it to 49 of 100 only"),
    ],
)
def test_a_match_below_the_degree_that_was_asked_for_is_held(
    degree: int | None, outcome: str, detail: str | None, tmp_path: Path
) -> None:
    answers = Asking(Matched((a_match(degree=degree),)))
    with scripted(ITI_55=answers) as script, asking_house(tmp_path, [script.partner]) as house:
        row = retrieve(house)[NAME]
        assert (row.outcome, row.detail) == (outcome, detail)
        assert [one.degree for one in links_of(house)] == [degree]
        asked = read_discovery_request(answers.heard[0].body)
        assert asked.minimum_degree_match == 50


def test_a_rejected_link_says_why(tmp_path: Path) -> None:
    other = replace(a_match().demographics, names=(PN("Sampleton", ("Marguerite",)),))
    answers = Asking(Matched((a_match(other),)))
    with scripted(ITI_55=answers) as script, asking_house(tmp_path, [script.partner]) as house:
        retrieve(house)
        (link,) = links_of(house)
        assert link.state == "rejected"
        assert link.detail is not None and "the given names differ" in link.detail


# ---- for how long ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "duration, times", [(timedelta(days=7), 1), (timedelta(seconds=1), 2), (None, 2)]
)
def test_within_its_time_to_live_an_answer_is_used_again(
    duration: timedelta | None, times: int, tmp_path: Path
) -> None:
    with (
        scripted(ITI_55=holding(duration)) as script,
        asking_house(tmp_path, [script.partner]) as house,
    ):
        assert retrieve(house)[NAME].detail is None
        if duration == timedelta(seconds=1):
            _has_passed(house)
        row = retrieve(house)[NAME]
        assert row.outcome == "matched"
        assert script.heard.count("ITI_55") == times
        assert script.heard.count("ITI_38") == 2
        if times == 1:
            (link,) = links_of(house)
            assert link.valid_until is not None
            assert row.detail == (
                f"asked by the patient id it gave before, valid until {link.valid_until:%Y-%m-%d}"
            )
        assert_sound(house)


def _has_passed(house: Any) -> None:
    (link,) = links_of(house)
    assert link.valid_until is not None
    past = replace(link, valid_until=link.valid_until - timedelta(minutes=5))
    house.database.write(lambda tx: links.put(tx, past))


def test_an_answer_of_held_matches_alone_is_not_used_again(tmp_path: Path) -> None:
    sure_to_a_third = a_match(degree=33)
    with (
        scripted(ITI_55=holding(timedelta(days=7), sure_to_a_third)) as script,
        asking_house(tmp_path, [script.partner]) as house,
    ):
        retrieve(house)
        assert retrieve(house)[NAME].outcome == "held"
        assert script.heard == ["ITI_55", "ITI_55"]


def test_a_patient_id_that_is_known_no_more_is_asked_for_anew(tmp_path: Path) -> None:
    unknown = AdhocQueryResponse(
        ResponseStatus.FAILURE, errors=(an_error(ErrorCode.UNKNOWN_PATIENT_ID),)
    )
    answers: list[Callable[[Heard], Reply]] = [
        lambda heard: Reply(listed(heard, unknown)),
        lambda heard: Reply(listed(heard)),
    ]
    with (
        scripted(
            ITI_55=holding(timedelta(days=7)), ITI_38=lambda heard: answers.pop(0)(heard)
        ) as script,
        asking_house(tmp_path, [script.partner]) as house,
    ):
        row = retrieve(house)[NAME]
        assert row.outcome == "failed"
        assert row.detail == (
            "its document query failed: XDSUnknownPatientId: it no longer knows the patient id"
            " that it gave us; the next retrieval looks for the patient anew"
        )
        assert retrieve(house)[NAME].outcome == "matched"
        assert script.heard.count("ITI_55") == 2


def test_a_newer_answer_takes_back_what_the_older_one_allowed(tmp_path: Path) -> None:
    moved = a_match(patient_id=PatientId("NF-2", Oid(f"{HOME}.2")))
    replies = [holding(timedelta(days=7)), holding(None, moved), holding(None, moved)]
    with (
        scripted(ITI_55=lambda heard: replies.pop(0)(heard)) as script,
        asking_house(tmp_path, [script.partner]) as house,
    ):
        retrieve(house)
        for link in links_of(house):
            assert link.valid_until is not None
            past = replace(link, valid_until=link.found)
            house.database.write(lambda tx, one=past: links.put(tx, one))
        retrieve(house)
        assert {one.valid_until for one in links_of(house)} == {None}
        retrieve(house)
        assert script.heard.count("ITI_55") == 3


def test_no_match_is_never_kept(tmp_path: Path) -> None:
    answers = Asking(NoMatch())
    with scripted(ITI_55=answers) as script, asking_house(tmp_path, [script.partner]) as house:
        retrieve(house)
        retrieve(house)
        assert script.heard == ["ITI_55", "ITI_55"]
