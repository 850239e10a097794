"""Coverage: who pays, for whom, under which number (C-CDA R2.1: 3.75; US Core: coverage)."""

from collections.abc import Sequence
from typing import Final

from ccda.fhir import systems
from ccda.fhir.actors import organization
from ccda.fhir.datatypes import (
    concept,
    form_concept,
    id_of_text,
    of_system,
    stated,
    text_identifiers,
    words,
)
from ccda.fhir.resources import Resources
from ccda.fhir.statement import Statement
from ccda.fhir.times import Json, absent, date_time, period, period_of

_STATUSES: Final = {
    **dict.fromkeys(("aborted", "cancelled", "stopped"), "cancelled"),
    "nullified": "entered-in-error",
}
# HL7 V3 coverage roles, as FHIR R4's subscriber relationships.
_RELATIONSHIPS: Final = {
    "SELF": "self", "SPO": "spouse", "SPS": "spouse", "HUSB": "spouse", "WIFE": "spouse",
    "CHILD": "child", "CHD": "child", "NCHILD": "child", "SON": "child", "DAU": "child",
    "PRN": "parent", "DOMPART": "common",
}  # fmt: skip


def add_coverage(statements: Sequence[Statement], resources: Resources) -> None:
    for statement in statements:
        resources.state(statement, "Coverage", _coverage(statement, resources))


def _coverage(statement: Statement, resources: Resources) -> Json:
    """The status is that of the record: C-CDA's policies are completed acts, in force or not."""
    entry = statement.entry
    members = [id_of_text(text) for text in statement.all("member_ids")]
    number = next((words(one.extension or one.root) for one in members), None)
    groups = [id_of_text(text) for text in statement.all("group_ids")]
    group = next((words(one.extension) for one in groups if one.extension), None)
    return {
        "status": _STATUSES.get(entry.status or "", "active"),
        **stated(type=concept(entry.code), subscriberId=number),
        "beneficiary": resources.patient,
        **stated(
            relationship=_relationship(statement),
            period=_period(statement),
        ),
        "payor": [_payer(statement, resources)],
        **stated(
            **{"class": [{"type": of_system(systems.COVERAGE_CLASS, "group"), "value": group}]}
            if group
            else {}
        ),
    }


def _payer(statement: Statement, resources: Resources) -> Json:
    form = statement.one("payer")
    form = form if isinstance(form, dict) else {}
    name = words(form.get("name")) or words(form.get("organization"))
    made = organization(resources, statement.documents, name, text_identifiers(form.get("ids")))
    return made or absent()


def _relationship(statement: Statement) -> Json | None:
    form = statement.one("relationship")
    code = _RELATIONSHIPS.get(form.get("code") or "") if isinstance(form, dict) else None
    return of_system(systems.SUBSCRIBER, code) if code else form_concept(form)


def _period(statement: Statement) -> Json | None:
    """The covered party's time, else the policy's."""
    form = statement.one("coverage_period")
    if isinstance(form, dict):
        return period_of(date_time(form.get("low")), date_time(form.get("high")))
    return period(statement.entry.start or statement.entry.time, statement.entry.end)
