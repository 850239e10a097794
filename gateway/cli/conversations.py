"""`gateway exchanges show --wire --replay`: what crossed the wire, and how it is read today."""

from collections.abc import Iterable
from typing import Any

from gateway.app.house import House
from gateway.cli.terminal import out, printable
from gateway.exchange.conversation import (
    Crossed,
    Reread,
    crossed,
    indexed,
    reread,
    reread_documents,
)
from gateway.exchange.rejudging import rejudged
from gateway.model.exchange import RecordedExchange
from ihe.errors import IheError
from ihe.redaction import MARK, indented, redact


def print_wire(house: House, records: Iterable[RecordedExchange], *, unredacted: bool) -> None:
    """Each envelope that was kept, under its record."""
    for record in records:
        one = _crossed(house, record)
        out.print(_head(record))
        for name, envelope in (("request", one.request), ("answer", one.answer)):
            if envelope is None:
                out.print(f"  no {name} was kept")
                continue
            out.print(f"  {name}, {len(envelope):,} bytes:")
            out.print(printable(_shown(envelope, unredacted=unredacted)))
    if not unredacted:
        out.print(f"{MARK} stands for what may be about a person; --unredacted shows it.")


def _shown(envelope: bytes, *, unredacted: bool) -> str:
    try:
        return indented(envelope) if unredacted else redact(envelope)
    except IheError as error:
        return f"  (no XML that can be shown: {error.reason})"


def print_reread(house: House, records: Iterable[RecordedExchange]) -> None:
    """What today's code makes of each; what would be otherwise is marked."""
    differing = 0
    for record in records:
        out.print(_head(record))
        for one in _reread(house, record):
            differing += one.differs
            out.print(f"  {'! ' if one.differs else '  '}{one.what}: {printable(one.today)}")
    out.print(f"{differing} would be otherwise today" if differing else "All is read as it was.")


def reread_form(house: House, record: RecordedExchange) -> dict[str, Any]:
    """The same as JSON."""
    return {
        "sequence": record.sequence,
        "today": [
            {"what": one.what, "says": one.today, "differs": one.differs}
            for one in _reread(house, record)
        ],
    }


def _reread(house: House, record: RecordedExchange) -> tuple[Reread, ...]:
    told = record.exchange
    found = house.database.read(lambda tx: indexed(tx, told))
    one = _crossed(house, record)
    judged = house.database.read(
        lambda tx: rejudged(tx, one, plans=house.plans, community=house.community)
    )
    messages = (*reread(one), *judged)
    if told.plan is None or told.transaction != "ITI-39":
        return messages
    return (*messages, *reread_documents(house.archive, told.plan, found))


def _crossed(house: House, record: RecordedExchange) -> Crossed:
    return house.database.read(lambda tx: crossed(tx, house.archive.blobs.keys, record))


def _head(record: RecordedExchange) -> str:
    told = record.exchange
    why = f": {printable(told.reason)}" if told.reason else ""
    when = told.time.strftime("%Y-%m-%d %H:%M:%S")
    who = printable(told.partner or told.peer)
    way = "to" if told.direction == "out" else "from"
    return f"{record.sequence} {when} {told.transaction} {way} {who}, {told.outcome}{why}"
