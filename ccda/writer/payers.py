"""Payers: who pays, for whom, under which number (C-CDA R2.1: 3.24 Coverage, 3.75 Policy)."""

from collections.abc import Iterable
from typing import Any, Final

from ccda.hl7v3 import CD, SDTC
from ccda.writer.elements import Element, add, template
from ccda.writer.medications import write_status_code
from ccda.writer.participants import write_priority
from ccda.writer.rows import (
    Row,
    relation,
    statement,
    write_authors,
    write_own_id,
    write_provenance,
    write_reference,
    write_when,
)
from ccda.writer.values import (
    UNKNOWN,
    code_of,
    id_of_text,
    list_of,
    write_code,
    write_id,
)

_ARC: Final = "2.16.840.1.113883.10.20.22.4."
_LOINC: Final = "2.16.840.1.113883.6.1"


def write_coverage(section: Element, rows: Iterable[Row]) -> None:
    """Coverage Activity (4.60) around a Policy Activity (4.61)."""
    for row in rows:
        meets = _is_policy(row)
        act = statement(add(section, "entry", typeCode="DRIV"), "act", "ACT")
        if meets:
            template(act, f"{_ARC}60", "2015-08-01")
        write_own_id(act, row, "-coverage")
        write_code(act, "code", CD("48768-6", _LOINC, "Payment sources"))
        add(act, "statusCode", code="completed")
        policy = statement(relation(act, "COMP"), "act", "ACT", negated=row.line.negated or None)
        if meets:
            template(policy, f"{_ARC}61", "2015-08-01")
        _write_policy(policy, row)


def _is_policy(row: Row) -> bool:
    code = row.line.code
    return code is not None and bool(code.translations) and row.status == "completed"


def _write_policy(policy: Element, row: Row) -> None:
    groups = list_of(row.detail("group_ids"))
    for text in groups or (None,):
        write_id(policy, id_of_text(text) if text else None)
    write_code(policy, "code", row.line.code, words=row.words)
    write_reference(policy, row.anchor)
    write_status_code(policy, row)
    if row.start or row.end:
        write_when(policy, row)
    write_priority(policy, row)
    _write_payer(policy, row)
    _write_guarantor(policy, row)
    write_authors(policy, row)
    _write_party(policy, row, "COV", "89", "member")
    if row.detail("subscriber_ids") or row.detail("subscriber_name"):
        _write_party(policy, row, "HLD", "90", "subscriber")
    plan = statement(relation(policy, "REFR"), "act", "ACT", "DEF")
    write_own_id(plan, row, "-plan")
    write_code(plan, "code", None)
    write_reference(plan, row.words)
    write_provenance(policy, row)


def _write_payer(policy: Element, row: Row) -> None:
    payer: Any = row.detail("payer")
    payer = payer if isinstance(payer, dict) else {}
    performer = add(policy, "performer", typeCode="PRF")
    template(performer, f"{_ARC}87")
    assigned = add(performer, "assignedEntity")
    for text in payer.get("ids") or (None,):
        write_id(assigned, id_of_text(text) if text else None)
    write_code(assigned, "code", CD("PAYOR", "2.16.840.1.113883.5.110"))
    if payer.get("name"):
        add(add(assigned, "representedOrganization"), "name", payer["name"])


def _write_guarantor(policy: Element, row: Row) -> None:
    """Who answers for what the policy does not pay, by name."""
    name = row.detail("guarantor")
    if isinstance(name, str):
        assigned = add(add(policy, "performer", typeCode="PRF"), "assignedEntity")
        write_id(assigned, None)
        write_code(assigned, "code", CD("GUAR", "2.16.840.1.113883.5.110"))
        add(add(assigned, "assignedPerson"), "name", name)


def _write_party(policy: Element, row: Row, type_code: str, kind: str, who: str) -> None:
    """The covered party with the member number (4.89), the holder of the policy (4.90)."""
    participant = add(policy, "participant", typeCode=type_code)
    template(participant, _ARC + kind)
    role = add(participant, "participantRole", classCode="PAT" if kind == "89" else None)
    for text in list_of(row.detail(f"{who}_ids")) or (None,):
        write_id(role, id_of_text(text) if text else None)
    if kind == "89":
        relationship = code_of(row.detail("relationship"))
        write_code(role, "code", relationship)
    name = row.detail(f"{who}_name")
    if isinstance(name, str):
        entity = add(role, "playingEntity")
        add(entity, "name", name)
        if kind == "89":
            _write_unknown_birth(entity)


def _write_unknown_birth(entity: Element) -> None:
    birth = add(entity, "birthTime", nullFlavor=UNKNOWN)
    birth.tag = f"{{{SDTC}}}birthTime"
