"""By what a member may be found: keys narrow enough that few people share one.

Each key but the number is a birth date with a part of the name, or is somebody's own. However
large a plan grows, a date with a name has a handful of people; "John Smith" alone has hundreds and
is no key that a partner's question is looked up by.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from gateway.model.addresses import KINDS_OF_STREET, Address
from gateway.model.person import PARTICLES, Name, Person
from gateway.store.sql import indexable

Key = tuple[str, str]

MOST: Final = 32
"""Keys that one question is looked up by; a peer may state as many names as it likes."""


def number_key(member_id: str) -> Key:
    """The plan's own number."""
    return "id", _indexed(member_id.casefold())


def keys_of(person: Person) -> tuple[Key, ...]:
    """What a match can be found by, the narrowest first.

    A birth date that is a slip off matches only with an id or a telephone that agrees
    (`exchange.matching`), so these two lead to it; the door leads to whoever guesses at the rest.
    """
    keys = dict.fromkeys((*_whole(person), *_ids(person), *_days(person), *_homes(person)))
    return tuple(keys)


def name_keys(person: Person) -> tuple[Key, ...]:
    """What whoever resembles the person can be found by, for a reviewer; wide."""
    names = (
        ("name", _indexed(f"{''.join(name.family)}^{name.given}"))
        for name in person.names
        if name.family and name.given
    )
    return tuple(dict.fromkeys(names))


def foremost(keys: Sequence[Key]) -> tuple[Key, ...]:
    """As many of them as a question is looked up by, of each kind in turn, in the same order.

    However many numbers a question states, made up or not, its name and its birth date count.
    """
    if len(keys) <= MOST:
        return tuple(keys)
    before: Counter[str] = Counter()
    ranked: list[tuple[int, int]] = []
    for place, (kind, _) in enumerate(keys):
        ranked.append((before[kind], place))
        before[kind] += 1
    return tuple(keys[place] for place in sorted(place for _, place in sorted(ranked)[:MOST]))


def _whole(person: Person) -> Iterator[Key]:
    """Where half a plan has its first of January, a name and a date are still few."""
    if day := _day(person):
        for name in person.names:
            for word in _family(name):
                yield "whole", _indexed(f"{day}^{word}^{name.given or ''}")


def _ids(person: Person) -> Iterator[Key]:
    if person.ssn is not None and person.has_whole_ssn:
        yield "ssn", person.ssn
    for _root, extension in sorted(person.ids):
        yield "id", _indexed(extension)


def _days(person: Person) -> Iterator[Key]:
    if day := _day(person):
        for name in person.names:
            for word in (*_family(name), name.given):
                if word:
                    yield "day", _indexed(f"{day}^{word}")


def _homes(person: Person) -> Iterator[Key]:
    for phone in sorted(person.phones):
        yield "phone", phone
    families = dict.fromkeys(word for name in person.names for word in _family(name))
    for address in person.addresses:
        if len(address.street) > 1:
            for family in families:
                yield "door", _indexed(f"{address.street[0]}^{_street(address)}^{family}")


def _street(address: Address) -> str:
    """The word that names the street, with or without what kind of street it is."""
    words = address.street[1:]
    return next((word for word in words if word not in KINDS_OF_STREET), words[0])


def _day(person: Person) -> str | None:
    birth = person.birth
    if birth is None or birth.month is None or birth.day is None:
        return None
    return f"{birth.year:04}{birth.month:02}{birth.day:02}"


def _family(name: Name) -> tuple[str, ...]:
    """Each word by itself, since half of a compound name is often left out; and all in one."""
    parts = tuple(word for word in name.family if word not in PARTICLES)
    return tuple(dict.fromkeys((*parts, "".join(name.family)))) if name.family else ()


def _indexed(value: str) -> str:
    return indexable(value) or ""
