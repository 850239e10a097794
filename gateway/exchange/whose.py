"""Whose a document is: the member whom it names, and no other (DECISIONS 14, 15).

Asked for or not, a document is a member's only where nobody else of the plan could be the person
whom it names, and where it names nobody else besides. What is in doubt is left to a person.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from ccda.hl7v3 import II
from ccda.model import ClinicalDocument
from gateway.exchange.demographics import demographics, demographics_of, person_of
from gateway.exchange.matching import (
    Ambiguous,
    Found,
    Judged,
    NotFound,
    are_all_one,
    choose,
    compare,
    judge,
    read_person,
)
from gateway.model.identity import MemberId
from gateway.model.member import Member, Plan
from gateway.model.person import Person
from gateway.store import members
from gateway.store.database import Transaction
from gateway.store.members import Candidate
from ihe.xcpd import Demographics

_ASKED_FOR: Final = "the member it was asked for"
_SUBMITTED: Final = "the member that its metadata names"
_SEVERAL: Final = "it is about several people"


@dataclass(frozen=True, slots=True)
class Undecided:
    """Why a person has to decide; `candidate` is whom it may be about."""

    reason: str
    candidate: MemberId | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What came with a document about whose it is."""

    asked_for: MemberId | None = None
    """Whom it was asked for."""
    submitted_for: MemberId | None = None
    """Whom the metadata of a submission surely names."""
    submitted_person: Demographics | None = None
    """What that metadata says of the patient."""
    numbers: tuple[II, ...] = ()
    """Numbers with payers that stand nowhere in the document itself."""


def whose(
    transaction: Transaction,
    clinical: ClinicalDocument,
    plan: Plan,
    told: Told,
    *,
    create_members: bool,
) -> Member | Undecided:
    """The member whom the document names; made of it, if there is none and that is wanted."""
    further = _numbers(transaction, told.numbers, plan)
    named = demographics_of(clinical.patient, (*policy_ids(clinical), *further))
    others = tuple(demographics_of(one) for one in clinical.other_patients)
    decision = _whom_it_names(transaction, named, plan, told)
    if decision is None and create_members:
        decision = _create_member(transaction, named, others, plan)
    if decision is None:
        return Undecided("it names no member of this plan")
    if isinstance(decision, Member) and not _are(demographics(decision, plan), others):
        return Undecided(_SEVERAL, decision.id)
    return decision


def _whom_it_names(
    transaction: Transaction, named: Demographics, plan: Plan, told: Told
) -> Member | Undecided | None:
    """None when it resembles nobody."""
    if told.asked_for is not None:
        return _is_the_one(transaction, told.asked_for, named, plan, _ASKED_FOR)
    if told.submitted_for is not None:
        return _is_the_one(transaction, told.submitted_for, named, plan, _SUBMITTED)
    person = read_person(named)
    known, judged = _resembling(transaction, person, plan)
    match choose(judged):
        case Found(member=found):
            return _unless_another(known[found].member(), told.submitted_person, plan)
        case Ambiguous():
            return Undecided("more than one member could be the person it names")
        case NotFound(possible=possible) if possible:
            reason = "a member resembles the person it names, but not surely enough"
            return Undecided(reason, possible[0][0])
    return None


def _resembling(
    transaction: Transaction, person: Person, plan: Plan
) -> tuple[dict[MemberId, Candidate], tuple[Judged, ...]]:
    known = members.resembling(transaction, plan=plan.id, person=person)
    judged = judge([(one.id, person_of(one, plan)) for one in known], person)
    return {one.id: one for one in known}, judged


def _are(member: Demographics, others: Sequence[Demographics]) -> bool:
    """Whether all of them are the member, too."""
    return all(compare(member, one).decision == "match" for one in others)


def _unless_another(member: Member, stated: Demographics | None, plan: Plan) -> Member | Undecided:
    """The member, unless the metadata that came with the document is another person's."""
    if stated is not None and compare(demographics(member, plan), stated).decision == "no_match":
        return Undecided("its metadata names another person than it does", member.id)
    return member


def _is_the_one(
    transaction: Transaction, candidate: MemberId, named: Demographics, plan: Plan, whom: str
) -> Member | Undecided:
    member = members.get(transaction, plan=plan.id, member=candidate)
    if member is None:
        return Undecided(f"{whom} is no longer in this plan")
    person = read_person(named)
    result = compare(demographics(member, plan), named)
    if result.decision != "match":
        against = "; ".join(reason.text for reason in result.reasons if reason.points < 0)
        return Undecided(
            f"the person it names is not surely {whom}" + (f": {against}" if against else ""),
            candidate,
        )
    if _could_be_another(transaction, member, person, plan):
        return Undecided(
            f"another member could be the person it names, as well as {whom}", candidate
        )
    return member


def _could_be_another(transaction: Transaction, member: Member, named: Person, plan: Plan) -> bool:
    """Whether it fits somebody else of the plan, too, who is not the member enrolled twice."""
    known, judged = _resembling(transaction, named, plan)
    if member.id not in known:  # too many share what it could be found by
        ours = (member.id, read_person(demographics(member, plan)))
        judged = judge([ours, *((one.id, person_of(one, plan)) for one in known.values())], named)
    match choose(judged):
        case Ambiguous(candidates=rivals):
            others = [known[one].person for one, _ in rivals if one != member.id]
            is_surely_each = all(result.decision == "match" for _, result in rivals)
            own = read_person(member.demographics)
            return not (is_surely_each and are_all_one([own, *others]))
        case Found(member=found):
            return found != member.id
        case _:
            return False


# ---- what it says of its patient -------------------------------------------------------------


def _numbers(transaction: Transaction, given: Sequence[II], plan: Plan) -> Iterator[II]:
    """Numbers with payers; a bare one counts as ours only if a member has it: it may be another
    payer's, and would contradict ours."""
    for one in given:
        number, root = one.extension or "", plan.member_id_root
        if one.root:
            yield one
        elif root and members.get_by_member_id(transaction, plan=plan.id, member_id=number):
            yield II(root, number)


def policy_ids(clinical: ClinicalDocument) -> tuple[II, ...]:
    """The covered party's numbers in the Payers section (DECISIONS 15)."""
    written = (
        text
        for section in clinical.sections
        for entry in section.entries
        if entry.kind == "coverage"
        for text in entry.details.get("member_ids", ())
    )
    parts = (text.partition("^") for text in written)
    return tuple(II(root, extension) for root, _, extension in parts if root and extension)


def _create_member(
    transaction: Transaction, named: Demographics, others: Sequence[Demographics], plan: Plan
) -> Member | Undecided:
    number = _member_number(named, plan)
    if number is None or not named.names:
        return Undecided("it does not say enough of its patient to make a member")
    if not _are(named, others):
        return Undecided(_SEVERAL)
    if members.get_by_member_id(transaction, plan=plan.id, member_id=number) is not None:
        return Undecided("another person of this plan already has that number")
    member = Member(MemberId(str(uuid4())), plan.id, number, named)
    return members.put(transaction, member, read_person(named))


def _member_number(named: Demographics, plan: Plan) -> str | None:
    """The plan's own number where the document has it, else its first id as written."""
    usable = [identifier for identifier in named.ids if identifier.extension]
    own = [
        one.extension for one in usable if plan.member_id_root and one.root == plan.member_id_root
    ]
    return next((text for text in own if text), None) or next((str(one) for one in usable), None)
