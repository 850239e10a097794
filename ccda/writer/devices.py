"""Medical equipment (C-CDA R2.1: 2.37; 4.50 Non-Medicinal Supply, 4.37 Product Instance)."""

from collections.abc import Iterable
from typing import Any, Final

from ccda.writer.elements import Element, add, set_type, template
from ccda.writer.medications import write_status_code
from ccda.writer.participants import forms_in, write_performers
from ccda.writer.rows import (
    Row,
    statement,
    write_authors,
    write_own_id,
    write_provenance,
    write_reference,
    write_when,
)
from ccda.writer.values import (
    as_number,
    id_of_text,
    write_code,
    write_id,
    write_quantity,
)

_ARC: Final = "2.16.840.1.113883.10.20.22.4."
_LOINC: Final = "2.16.840.1.113883.6.1"


def write_devices(section: Element, rows: Iterable[Row]) -> None:
    """Non-Medicinal Supply Activity (4.50) with its Product Instance (4.37).

    A device that was not placed is a procedure: a supply cannot be denied.
    """
    for row in rows:
        if row.line.negated:
            supply = statement(
                add(section, "entry", typeCode="DRIV"), "procedure", "PROC", negated=True
            )
        else:
            supply = statement(add(section, "entry", typeCode="DRIV"), "supply", "SPLY")
            template(supply, f"{_ARC}50", "2014-06-09")
        write_own_id(supply, row)
        if row.line.negated:
            write_code(supply, "code", None)
        write_reference(supply, row.anchor)
        write_status_code(supply, row)
        _write_supply(supply, row)
        write_performers(supply, row)
        write_authors(supply, row)
        _write_instance(supply, row)
        write_provenance(supply, row)


def _write_supply(supply: Element, row: Row) -> None:
    if row.start or row.end:
        time = write_when(supply, row)
        if len(time) and not row.line.negated:
            set_type(time, "IVL_TS")
    quantity: Any = row.detail("quantity")
    if not row.line.negated and isinstance(quantity, dict) and as_number(quantity.get("value")):
        write_quantity(supply, "quantity", quantity)


def _write_instance(supply: Element, row: Row) -> None:
    form = next(iter(forms_in(row.detail("device"))), {})
    participant = add(supply, "participant", typeCode="DEV" if row.line.negated else "PRD")
    role = add(participant, "participantRole", classCode="MANU")
    template(role, f"{_ARC}37")
    for identifier in map(id_of_text, form.get("ids") or ()):
        write_id(role, identifier)
    if not form.get("ids"):
        write_id(role, None)
    device = add(role, "playingDevice")
    write_code(device, "code", row.line.code, words=row.words)
    if form.get("model"):
        add(device, "manufacturerModelName", form["model"])
    maker = add(role, "scopingEntity")
    write_id(maker, None)
    if form.get("manufacturer"):
        add(maker, "desc", form["manufacturer"])
