"""What other communities know of a member beside the roster, for a partner that finds nobody.

People move and marry, and a community may know them as they were. Names, addresses and telephone
numbers are what every first request tells of the roster (`disclosing`); nothing else is taken from
what a community has said, no identifier of its own in particular.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from ccda.hl7v3 import AD, PN, TEL
from ihe.discovery import Demographics

T = TypeVar("T", PN, AD, TEL)
_OF_A_KIND: Final = 3
"""A request that names a dozen former addresses matches by chance."""


@dataclass(frozen=True, slots=True)
class Wider:
    """What the request says now; what of it is others' knowledge; and in words whose."""

    demographics: Demographics
    names: tuple[PN, ...]
    addresses: tuple[AD, ...]
    telecoms: tuple[TEL, ...]
    said: str

    def beside(self, known: Demographics) -> Demographics:
        """Our own knowledge with it."""
        return replace(
            known,
            names=(*known.names, *self.names),
            addresses=(*known.addresses, *self.addresses),
            telecoms=(*known.telecoms, *self.telecoms),
        )


def widen(told: Demographics, known: Iterable[tuple[str, Demographics]]) -> Wider | None:
    """The request with what the named communities know beside it; None if that is nothing more."""
    names: list[PN] = []
    addresses: list[AD] = []
    telecoms: list[TEL] = []
    sources: list[str] = []
    for community, one in known:
        added = (
            _add(names, one.names, told.names)
            + _add(addresses, one.addresses, told.addresses)
            + _add(telecoms, one.telecoms, told.telecoms)
        )
        if added:
            sources.append(community)
    if not sources:
        return None
    parts = [
        f"{len(found)} {word}{'' if len(found) == 1 else plural}"
        for found, word, plural in (
            (names, "name", "s"),
            (addresses, "address", "es"),
            (telecoms, "telephone number", "s"),
        )
        if found
    ]
    said = f"it was asked again with {_listed(parts)} more, known from {_listed(sources)}"
    wider = Wider(told, tuple(names), tuple(addresses), tuple(telecoms), said)
    return replace(wider, demographics=wider.beside(told))


def _add(found: list[T], stated: Sequence[T], told: Sequence[T]) -> int:
    """How many of the `stated` say something that neither `told` nor `found` does."""
    before = len(found)
    had = {_key(one) for one in (*told, *found)}
    for one in stated:
        key = _key(one)
        if key and key not in had and len(found) < _OF_A_KIND:
            had.add(key)
            found.append(one)
    return len(found) - before


def _key(value: PN | AD | TEL) -> tuple[str, ...]:
    """What it says in a form that two spellings share; nothing if it tells too little to help."""
    match value:
        case PN():
            given = next(iter(value.given), None)
            # The roster has the person's names, and a second given name is not a former one.
            return () if value.family is None or given is None else _plain(value.family, given)
        case AD():
            return _plain(*value.lines, (value.postal_code or "")[:5]) if value.lines else ()
        case TEL():
            digits = re.sub(r"\D", "", value.value or "")[-10:]
            return (digits,) if len(digits) == 10 else ()


def _plain(*parts: str) -> tuple[str, ...]:
    return tuple(re.sub(r"\W", "", part).casefold() for part in parts)


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(dict.fromkeys(parts))
