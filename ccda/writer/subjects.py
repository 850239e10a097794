"""Whom a statement is about where that is not the patient (CDA R2: 4.3.8.1).

Written into the statements of a section once they stand, as every kind of them has its subject in
the same place.
"""

from collections.abc import Sequence
from typing import Any, Final

from ccda.hl7v3 import SDTC, v3
from ccda.writer.elements import Element, add
from ccda.writer.rows import Row
from ccda.writer.values import as_time, code_of, id_of_text, list_of, write_code, write_id

_AFTER_SUBJECT: Final = frozenset(
    map(
        v3,
        "specimen consumable product performer author informant participant entryRelationship "
        "component reference precondition referenceRange".split(),
    )
)
_OWN_IDS: Final = ("", "-coverage")
"""What a statement's id is made of; a policy has its group's, and stands in an act of our own."""


def write_subjects(section: Element, rows: Sequence[Row]) -> None:
    """A family's history has its relatives already, and no other subjects."""
    told = {
        row.origin.make_id(row.anchor + part).root: subject
        for row in rows
        for part in _OWN_IDS
        if row.line.kind != "family_history"
        and isinstance(subject := row.line.details.get("subject"), dict)
    }
    if not told:
        return
    for identifier in list(section.iter(v3("id"))):
        subject, statement = told.get(identifier.get("root")), identifier.getparent()
        if subject is not None and statement is not None:
            _write_subject(statement, subject)


def _write_subject(statement: Element, told: dict[str, Any]) -> None:
    later = next((child for child in statement if child.tag in _AFTER_SUBJECT), None)
    subject = add(statement, "subject")
    if later is not None:
        later.addprevious(subject)
    class_code = told.get("class_code")
    related = add(subject, "relatedSubject", classCode="PAT" if class_code == "PAT" else "PRS")
    write_code(related, "code", code_of(told.get("relationship")))
    ids = [id_of_text(text) for text in list_of(told.get("ids"))]
    name, born = told.get("name"), told.get("birth_time")
    born = as_time(born) if isinstance(born, str) else None
    gender = code_of(told.get("gender"))
    if not (ids or name or born or gender):
        return
    person = add(related, "subject")
    for identifier in ids:
        write_id(person, identifier).tag = f"{{{SDTC}}}id"
    if isinstance(name, str):
        add(person, "name", name)
    write_code(person, "administrativeGenderCode", gender)
    if born is not None:
        add(person, "birthTime", value=born)
