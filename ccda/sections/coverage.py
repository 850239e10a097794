"""Payers: who pays, for whom, under which number (C-CDA R2.1: 3.75 Policy Activity, 4.61)."""

from collections.abc import Iterator

from ccda import templates
from ccda.hl7v3 import read_iis
from ccda.model import Entry
from ccda.narrative import Narrative
from ccda.safe_xml import Element
from ccda.sections.entry import make_entry
from ccda.sections.form import Form, person_name, read_code, read_time, without_none
from ccda.sections.statement import Statement, first, walk
from ccda.sections.times import read_times


def read(top: Statement, narrative: Narrative) -> Iterator[Entry]:
    """The policies in an entry; without a template they are the acts inside the outer act."""
    policies = [inner for inner in walk(top) if inner.is_a(templates.POLICY_ACTIVITY)]
    if not policies and _participant(top, "COV") is None:
        policies = [inner for inner in top.inner if inner.name == "act"]
    policies = policies or [top]
    for policy in policies:
        yield read_policy(policy, narrative)


def read_policy(statement: Statement, narrative: Narrative) -> Entry:
    """`member_ids` are the covered party's: what a plan knows its member by."""
    covered = _participant(statement, "COV")
    holder = _participant(statement, "HLD")
    times = read_times(statement)
    payer, member_ids = _payer(statement), _ids(covered)
    return make_entry(
        statement,
        "coverage",
        narrative,
        code=narrative.code(statement.one("code")),
        times=times,
        says_more=payer is not None or bool(member_ids),
        details=without_none(
            payer=payer,
            guarantor=_guarantor(statement),
            member_ids=member_ids,
            member_name=person_name(first(covered, "playingEntity", "name")),
            relationship=read_code(first(covered, "code"), narrative),
            coverage_period=_period(statement, "COV"),
            subscriber_ids=_ids(holder),
            subscriber_name=person_name(first(holder, "playingEntity", "name")),
            group_ids=[
                str(identifier) for identifier in read_iis(statement.element) if str(identifier)
            ],
        ),
    )


def _participant(statement: Statement, type_code: str) -> Element | None:
    for element in statement.all("participant"):
        if element.get("typeCode") == type_code:
            return first(element, "participantRole")
    return None


def _period(statement: Statement, type_code: str) -> str | Form | None:
    for element in statement.all("participant"):
        if element.get("typeCode") == type_code:
            return read_time(first(element, "time"))
    return None


def _ids(role: Element | None) -> list[str]:
    found = () if role is None else read_iis(role)
    return [text for identifier in found if (text := str(identifier))]


def _payer(statement: Statement) -> Form | None:
    """C-CDA R2.1: 3.75, performer with a Payer Performer role (4.87); not the guarantor."""
    for element in statement.all("performer"):
        assigned = first(element, "assignedEntity")
        code = first(assigned, "code")
        if code is not None and code.get("code") == "GUAR":
            continue
        name = person_name(first(assigned, "representedOrganization", "name"))
        ids = _ids(assigned)
        if name or ids:
            return without_none(name=name, ids=ids)
    return None


def _guarantor(statement: Statement) -> str | None:
    for element in statement.all("performer"):
        assigned = first(element, "assignedEntity")
        code = first(assigned, "code")
        if code is not None and code.get("code") == "GUAR":
            return person_name(first(assigned, "assignedPerson", "name"))
    return None
