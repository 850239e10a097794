"""Clears what crashes left among the blobs: half-written files, and blobs that got no row."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Final

from gateway.model.identity import PlanId
from gateway.store.database import Database
from gateway.store.documents import known_addresses

_BATCH: Final = 500
_SWEPT: Final = ".swept"


@dataclass(frozen=True, slots=True)
class Swept:
    """How many of each were removed."""

    unfinished: int
    unwanted: int


def sweep(root: Path, database: Database, *, now: datetime, grace: timedelta) -> Swept:
    """Removes leftovers older than `grace`, which must outlast the slowest ingest.

    Safe beside writers: a file is set aside first, and comes back if it got a row, or was written
    anew, meanwhile.
    """
    cutoff = (now - grace).timestamp()
    unfinished = unwanted = 0
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        plan = PlanId(folder.name)
        for file in folder.glob("*.new"):
            unfinished += _unlink_if_old(file, cutoff)
        for file in folder.glob(f"*{_SWEPT}"):
            unwanted += _settle(file, plan, database, cutoff)
        for batch in _batches(_old_blobs(folder, cutoff)):
            unwanted += _sweep(batch, folder, plan, database, cutoff)
    return Swept(unfinished, unwanted)


def _old_blobs(folder: Path, cutoff: float) -> Iterator[Path]:
    for shelf in sorted(folder.iterdir()):
        if shelf.is_dir():
            yield from (file for file in sorted(shelf.iterdir()) if _is_old(file, cutoff))


def _batches(files: Iterator[Path]) -> Iterator[Sequence[Path]]:
    while batch := tuple(islice(files, _BATCH)):
        yield batch


def _sweep(
    files: Sequence[Path], folder: Path, plan: PlanId, database: Database, cutoff: float
) -> int:
    addresses = {file.parent.name + file.name: file for file in files}
    known = database.read(lambda t: known_addresses(t, plan=plan, addresses=addresses))
    removed = 0
    for address, file in addresses.items():
        if address not in known:
            aside = folder / f"{address}{_SWEPT}"
            file.replace(aside)
            removed += _settle(aside, plan, database, cutoff)
    return removed


def _settle(aside: Path, plan: PlanId, database: Database, cutoff: float) -> int:
    """Whether the file set aside is removed for good, as 1 or 0."""
    address = aside.name.removesuffix(_SWEPT)
    known = database.read(lambda t: known_addresses(t, plan=plan, addresses=[address]))
    if _is_old(aside, cutoff) and not known:
        aside.unlink()
        return 1
    final = aside.parent / address[:2] / address[2:]
    if final.exists():
        aside.unlink()  # written anew while it lay aside: the same bytes
    else:
        aside.replace(final)
    return 0


def _is_old(file: Path, cutoff: float) -> bool:
    try:
        return file.stat().st_mtime < cutoff
    except FileNotFoundError:
        return False


def _unlink_if_old(file: Path, cutoff: float) -> int:
    if not _is_old(file, cutoff):
        return 0
    file.unlink(missing_ok=True)
    return 1
