"""Medical equipment: implants and supplies (C-CDA R2.1: 2.37; 4.50 and 4.14)."""

from collections.abc import Iterator
from typing import Final

from ccda.model import Entry
from ccda.narrative import Narrative
from ccda.safe_xml import Element
from ccda.sections.entry import make_entry
from ccda.sections.form import read_code, read_quantity, without_none
from ccda.sections.participants import read_performers
from ccda.sections.procedures import devices_of
from ccda.sections.products import read_product
from ccda.sections.statement import Statement, first, walk

_OUTSIDE_DEVICES: Final = frozenset(
    "act organizer encounter observation substanceAdministration".split()
)


def read(top: Statement, narrative: Narrative) -> Iterator[Entry]:
    """Each supply or procedure outside another: one device."""
    for statement in walk(top, _OUTSIDE_DEVICES):
        if statement.name in ("supply", "procedure"):
            yield read_device(statement, narrative)


def read_device(statement: Statement, narrative: Narrative) -> Entry:
    """`code` is the device; the procedure that placed it stands in the details."""
    product = read_product(statement, narrative)
    own = narrative.code(statement.one("code"))
    played = _playing_device_code(statement)
    code = narrative.code(played) or product.code or own
    return make_entry(
        statement,
        "device",
        narrative,
        code=code,
        name=product.name,
        details=without_none(
            device=devices_of(statement, narrative),
            procedure=None if code is own else read_code(statement.one("code"), narrative),
            quantity=read_quantity(statement.one("quantity")),
            target_site=read_code(statement.one("targetSiteCode"), narrative),
            performer=read_performers(statement, narrative),
        ),
    )


def _playing_device_code(statement: Statement) -> Element | None:
    """The first playingDevice with a code, of this statement or of a part of it."""
    for part in walk(statement):
        for participant in part.all("participant"):
            code = first(participant, "participantRole", "playingDevice", "code")
            if code is not None:
                return code
    return None
