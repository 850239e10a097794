"""Addresses made comparable: the door without the flat, the place, and what is none."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ccda.hl7v3 import AD
from ccda.values import quickly_made
from gateway.model.ignored import Ignored
from gateway.model.words import words


@quickly_made
@dataclass(frozen=True, slots=True)
class Address:
    """`street` as folded words; `zip5` is the whole postal code outside the United States."""

    street: tuple[str, ...]
    city: str | None
    state: str | None
    zip5: str | None


_STREET_WORDS: Final = {
    "street": "st", "str": "st", "avenue": "ave", "av": "ave", "boulevard": "blvd", "road": "rd",
    "drive": "dr", "lane": "ln", "court": "ct", "circle": "cir", "place": "pl", "square": "sq",
    "terrace": "ter", "parkway": "pkwy", "highway": "hwy", "trail": "trl", "way": "wy",
    "north": "n", "south": "s", "east": "e", "west": "w", "northeast": "ne", "northwest": "nw",
    "southeast": "se", "southwest": "sw", "saint": "st", "mount": "mt", "fort": "ft",
    "first": "1st", "second": "2nd", "third": "3rd", "fourth": "4th", "fifth": "5th",
    "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7",
    "eight": "8", "nine": "9", "ten": "10",
}  # fmt: skip
KINDS_OF_STREET: Final = frozenset(
    "st ave blvd rd dr ln ct cir pl sq ter pkwy hwy trl wy n s e w ne nw se sw".split()
)
"""As `Address.street` has them; people leave them out."""
_UNIT_WORDS: Final = frozenset("apt apartment unit suite ste room rm fl floor lot bldg".split())
# What has a number of its own, which may stand after a "#".
_NUMBERED: Final = frozenset("box route rte rt rr hwy highway lot apt unit suite ste".split())
_NO_STREET: Final = frozenset("unknown unk homeless none na transient undomiciled general".split())
_STATES: Final = {
    "AL": "alabama", "AK": "alaska", "AZ": "arizona", "AR": "arkansas", "CA": "california",
    "CO": "colorado", "CT": "connecticut", "DE": "delaware", "DC": "district of columbia",
    "FL": "florida", "GA": "georgia", "HI": "hawaii", "ID": "idaho", "IL": "illinois",
    "IN": "indiana", "IA": "iowa", "KS": "kansas", "KY": "kentucky", "LA": "louisiana",
    "ME": "maine", "MD": "maryland", "MA": "massachusetts", "MI": "michigan", "MN": "minnesota",
    "MS": "mississippi", "MO": "missouri", "MT": "montana", "NE": "nebraska", "NV": "nevada",
    "NH": "new hampshire", "NJ": "new jersey", "NM": "new mexico", "NY": "new york",
    "NC": "north carolina", "ND": "north dakota", "OH": "ohio", "OK": "oklahoma", "OR": "oregon",
    "PA": "pennsylvania", "RI": "rhode island", "SC": "south carolina", "SD": "south dakota",
    "TN": "tennessee", "TX": "texas", "UT": "utah", "VT": "vermont", "VA": "virginia",
    "WA": "washington", "WV": "west virginia", "WI": "wisconsin", "WY": "wyoming",
    "PR": "puerto rico", "GU": "guam", "VI": "virgin islands", "AS": "american samoa",
    "MP": "northern mariana islands", "AA": "aa", "AE": "ae", "AP": "ap",
}  # fmt: skip
_STATE_CODES: Final = {name: code for code, name in _STATES.items()}
_ZIP_SPACE: Final = re.compile(r"[\s-]")
_ZIP: Final = re.compile(r"\d{5}(\d{4})?")
_US: Final = frozenset({"", "us", "usa", "united states", "united states of america", "840"})


def read_addresses(addresses: tuple[AD, ...], ignored: list[Ignored]) -> Iterator[Address]:
    for address in addresses:
        is_us = " ".join(words(address.country or "")) in _US
        street = _street(address.lines, ignored)
        city = " ".join(words(address.city or "")) or None
        if city and city.replace(" ", "").isdigit():
            ignored.append(Ignored("city", "digits, not a place"))
            city = None
        state = _state(address.state, ignored) if is_us else None
        zip5 = _zip(address.postal_code, is_us, ignored)
        if street or zip5 or city:
            yield Address(street, city, state, zip5)


def _street(lines: tuple[str, ...], ignored: list[Ignored]) -> tuple[str, ...]:
    """Number and street without the flat: people leave the flat out, and neighbours share it.

    What has no number is no door: "No fixed address" and "Refused" are where many live.
    """
    found = tuple(_STREET_WORDS.get(w, w) for w in words(_with_unit(" ".join(lines))))
    if found and found[0] in _NO_STREET:
        ignored.append(Ignored("address", "a placeholder, not a place"))
        return ()
    flat = next((i for i, w in enumerate(found) if i and w in _UNIT_WORDS), None)
    door = found if flat is None else found[:flat]
    if door and not any(has_digit(word) for word in door):
        ignored.append(Ignored("address", "no number, so no door"))
        return ()
    return door


def has_digit(word: str) -> bool:
    """Whether it may be a number: of a house, a box or a road."""
    return any(map(str.isdigit, word))


def _with_unit(text: str) -> str:
    """With a word for the sign in "12 Elm St #4"; that of "PO Box #4" numbers no flat."""
    before, sign, flat = text.rpartition("#")
    last = words(before)[-1:]
    if not sign or not has_digit(before) or not _NUMBERED.isdisjoint(last):
        return text
    return f"{before} unit {flat}"


def _state(text: str | None, ignored: list[Ignored]) -> str | None:
    if not text or not text.strip():
        return None
    code = text.strip().upper()
    if code in _STATES:
        return code
    known = _STATE_CODES.get(" ".join(words(text)))
    if known is None:
        ignored.append(Ignored("state", "no state of the United States"))
    return known


def _zip(text: str | None, is_us: bool, ignored: list[Ignored]) -> str | None:
    code = _ZIP_SPACE.sub("", text or "").upper()
    if not code or not is_us:
        return code or None
    if not _ZIP.fullmatch(code) or code[:5] in ("00000", "99999"):
        ignored.append(Ignored("zip", "no ZIP code"))
        return None
    return code[:5]
