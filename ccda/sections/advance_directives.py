"""Advance directives (C-CDA R2.1: 3.1 Advance Directive Observation, 4.48)."""

from collections.abc import Iterator

from ccda.model import Entry
from ccda.narrative import Narrative
from ccda.safe_xml import Element
from ccda.sections.form import Form, id_text, person_name, read_code, without_none
from ccda.sections.functional_status import GROUPS, read_finding
from ccda.sections.participants import read_ids
from ccda.sections.statement import Statement, children_of, first, walk


def read(top: Statement, narrative: Narrative) -> Iterator[Entry]:
    for statement in walk(top, GROUPS):
        parties = _read_parties(statement, narrative)
        yield read_finding("advance_directive", statement, narrative, parties=parties)


def _read_parties(statement: Statement, narrative: Narrative) -> list[Form]:
    """participant: the custodian of the directive (CST) and who verified it (VRF)."""
    return [
        form for element in statement.all("participant") if (form := _party(element, narrative))
    ]


def _party(element: Element, narrative: Narrative) -> Form:
    role = first(element, "participantRole")
    if role is None:
        return {}
    return without_none(
        type=element.get("typeCode"),
        name=person_name(first(role, "playingEntity", "name")),
        code=read_code(first(role, "code"), narrative),
        ids=[text for identifier in read_ids(children_of(role)) if (text := id_text(identifier))],
    )
