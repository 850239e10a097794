"""Medical equipment: implants and supplies (C-CDA R2.1: 2.37; 4.50 and 4.14)."""

from collections.abc import Iterator
from typing import Final

from ccda.model import Entry
from ccda.narrative import Narrative
from ccda.sections.entry import make_entry
from ccda.sections.form import name_of, read_code, read_quantity, without_none
from ccda.sections.no_information import names_nothing
from ccda.sections.participants import read_performers
from ccda.sections.procedures import devices_of
from ccda.sections.products import playing_device_code, read_product
from ccda.sections.statement import Statement, walk

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
    given = (narrative.code(playing_device_code(statement)), product.code, own)
    told = [code for code in given if code is not None]
    named = (code for code in told if not names_nothing(code, name_of(code)))
    code = next(named, told[0] if told else None)
    devices = devices_of(statement, narrative)
    return make_entry(
        statement,
        "device",
        narrative,
        code=code,
        name=product.name,
        says_more=any("model" in device or "udi" in device for device in devices),
        details=without_none(
            device=devices,
            procedure=None if code is own else read_code(statement.one("code"), narrative),
            quantity=read_quantity(statement.one("quantity")),
            target_site=read_code(statement.one("targetSiteCode"), narrative),
            performer=read_performers(statement, narrative),
        ),
    )
