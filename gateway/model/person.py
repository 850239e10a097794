"""Demographics made comparable: spelling folded away, and what cannot be true dropped and said.

One bad state or a birth date of 1900-01-01 must not spoil a comparison, so each field is read
alone; a field that cannot be used becomes an `Ignored`, which names the field and never its value.
"""

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from ccda.hl7v3 import II, PN, TS, US_SSN
from ccda.values import quickly_made
from gateway.model.addresses import Address, read_addresses
from gateway.model.ignored import Ignored
from gateway.model.words import words
from ihe.xcpd import Demographics


@quickly_made
@dataclass(frozen=True, slots=True)
class Name:
    """A name in lower-case ASCII words. `family` is ("garcia", "lopez") for Garcia-López."""

    family: tuple[str, ...]
    given: str | None
    middle: tuple[str, ...]
    suffix: int | None
    """The generation: Sr and I are 1, Jr and II are 2."""
    given_joined: str = ""
    """All given names run together: Mary Ann and Maryann are the same."""


@quickly_made
@dataclass(frozen=True, slots=True)
class BirthDate:
    """A date in the precision it was given."""

    year: int
    month: int | None = None
    day: int | None = None


@quickly_made
@dataclass(frozen=True, slots=True)
class Person:
    """What matching compares, and what the members are indexed by."""

    names: tuple[Name, ...]
    birth: BirthDate | None
    gender: str | None
    addresses: tuple[Address, ...]
    phones: frozenset[str]
    emails: frozenset[str]
    ssn: str | None
    """Nine digits, or the last four where the rest is masked."""
    ids: frozenset[tuple[str, str]]
    maiden: tuple[str, ...]
    ignored: tuple[Ignored, ...]

    @property
    def has_whole_ssn(self) -> bool:
        return self.ssn is not None and len(self.ssn) == 9


def read_person(demographics: Demographics) -> Person:
    """The comparable form. Read once what is compared with many."""
    ignored: list[Ignored] = []
    names = tuple(dict.fromkeys(_names(demographics.names, ignored)))
    phones, emails = _telecoms(demographics, ignored)
    maiden = demographics.mothers_maiden_name
    return Person(
        names=names,
        birth=_birth(demographics.birth_time, ignored),
        gender=_gender(demographics.gender, ignored),
        addresses=tuple(dict.fromkeys(read_addresses(demographics.addresses, ignored))),
        phones=phones,
        emails=emails,
        ssn=_ssn(demographics.ids, ignored),
        ids=frozenset(_ids(demographics.ids)),
        maiden=_of_saints(words(maiden.family or "")) if maiden else (),
        ignored=tuple(dict.fromkeys(ignored)),
    )


def with_id(person: Person, root: str, extension: str) -> Person:
    """The person, whom this identifier names too; an SSN is none."""
    own = frozenset(_ids((II(root, extension),)))
    if own <= person.ids:
        return person
    return replace(person, ids=person.ids | own)


# ---- names -----------------------------------------------------------------------------------

PARTICLES: Final = frozenset(
    "de del della der den di da do dos la las le les los van von y e".split()
)
"""Words of a family name that are in too many to tell families apart."""
_SAINTS: Final = {"saint": "st", "sainte": "ste"}
_NO_NAME: Final = frozenset(
    "unknown unk unknwn none null na test patient anonymous noname nfn nln fnu lnu xxx zzz "
    "baby babyboy babygirl boy girl newborn infant male female twin triplet".split()
)
_GENERATIONS: Final = {
    "sr": 1, "senior": 1, "i": 1, "1st": 1, "jr": 2, "junior": 2, "jnr": 2, "ii": 2, "2nd": 2,
    "iii": 3, "3rd": 3, "iv": 4, "4th": 4, "v": 5, "5th": 5,
}  # fmt: skip
# "I" and "V" among given names are more often initials than generations.
_SUFFIX_WORDS: Final = frozenset(_GENERATIONS) - {"i", "v"}


def _names(names: tuple[PN, ...], ignored: list[Ignored]) -> Iterator[Name]:
    for name in names:
        family, given = _parts(name)
        generation = _generation(name.suffix, family, given)
        family, given = _without_suffix(family), _without_suffix(given)
        is_named = _NO_NAME.isdisjoint(family)
        kept_family = family if is_named else tuple(w for w in family if w not in _NO_NAME)
        kept_given = () if given and given[0] in _NO_NAME else given
        if kept_family != family:
            ignored.append(Ignored("family", "a placeholder, not a name"))
        if kept_given != given:
            ignored.append(Ignored("given", "a placeholder, not a name"))
        if kept_family or kept_given:
            first = kept_given[0] if kept_given else None
            yield Name(kept_family, first, kept_given[1:], generation, "".join(kept_given))


def _without_suffix(words: tuple[str, ...]) -> tuple[str, ...]:
    """The first word is a name, whatever it says."""
    if _SUFFIX_WORDS.isdisjoint(words):
        return words
    return tuple(w for i, w in enumerate(words) if not (i and w in _SUFFIX_WORDS))


def _parts(name: PN) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Family and given words; a name written in one piece is taken apart."""
    if name.family or name.given:
        return _of_saints(words(name.family or "")), tuple(w for g in name.given for w in words(g))
    text = name.text or ""
    if "," in text:
        before, _, after = text.partition(",")
        return _of_saints(words(before)), words(after)
    whole = words(text)
    tail = len(whole) - 1
    while tail > 0 and whole[tail] in _SUFFIX_WORDS:
        tail -= 1
    return whole[tail:], whole[:tail]


def _of_saints(family: tuple[str, ...]) -> tuple[str, ...]:
    """The Saint of a Saint John is St; a Saint without a name is called so."""
    last = len(family) - 1
    return tuple(_SAINTS.get(w, w) if i < last else w for i, w in enumerate(family))


def _generation(
    suffixes: tuple[str, ...], family: tuple[str, ...], given: tuple[str, ...]
) -> int | None:
    """As the suffixes state it, else as the family name ends, else as a word inside does."""
    stated = (word for text in suffixes for word in words(text))
    ending = family[-1:] if len(family) > 1 else ()
    found = next((word for word in (*stated, *ending) if word in _GENERATIONS), None)
    inside = (word for word in (*family[1:], *given[1:]) if word in _SUFFIX_WORDS)
    found = found or next(inside, None)
    return _GENERATIONS[found] if found else None


# ---- birth date, gender ----------------------------------------------------------------------

_PLACEHOLDER_BIRTHS: Final = frozenset(
    {(1900, 1, 1), (1901, 1, 1), (1899, 12, 30), (1899, 12, 31), (1911, 11, 11), (1900, 1, 2)}
)
_OLDEST_YEAR: Final = 1890
_ISO_DATE: Final = re.compile(r"\d{4}-\d\d")
_AFTER_DATE: Final = re.compile(r"[-+TZ:\s]")
_DATE: Final = re.compile(r"\d{4}|\d{6}|\d{8,}(\.\d+)?")
_GENDERS: Final = {"m": "M", "male": "M", "f": "F", "female": "F"}


def _birth(time: TS | None, ignored: list[Ignored]) -> BirthDate | None:
    text = (time.value or "").strip() if time else ""
    if not text:
        return None
    digits = text[:10] if _ISO_DATE.match(text) else _AFTER_DATE.split(text, maxsplit=1)[0]
    digits = digits.replace("-", "")
    if not _DATE.fullmatch(digits):
        ignored.append(Ignored("birth date", "not a date"))
        return None
    year, month, day = int(digits[:4]), int(digits[4:6] or 0), int(digits[6:8] or 0)
    if (year, month, day) in _PLACEHOLDER_BIRTHS or year in (1111, 9999, 1800, 1753):
        ignored.append(Ignored("birth date", "a placeholder date"))
        return None
    if year < _OLDEST_YEAR or not _is_calendar_date(year, month, day):
        ignored.append(Ignored("birth date", "no possible date of birth"))
        return None
    return BirthDate(year, month or None, day or None)


def _is_calendar_date(year: int, month: int, day: int) -> bool:
    """Zero stands for a part that was not given."""
    if month == 0:
        return day == 0
    return month <= 12 and day <= monthrange(year, month)[1]


def _gender(code: str | None, ignored: list[Ignored]) -> str | None:
    if not code:
        return None
    known = _GENDERS.get(code.strip().casefold())
    if known is None:
        ignored.append(Ignored("gender", "neither M nor F, so it cannot tell people apart"))
    return known


# ---- telephones, ids -------------------------------------------------------------------------

_NO_PHONE: Final = re.compile(r"(?i)(https?|ftp|fax):")
_EXTENSION: Final = re.compile(r"(?i);|ext|x")
_NO_DIGIT: Final = re.compile(r"\D")
_MASKED: Final = re.compile(r"(?i)[x*#]|^\d{4}$")
_NO_EMAIL: Final = frozenset("none noemail no-email na unknown test declined refused".split())


def _telecoms(
    demographics: Demographics, ignored: list[Ignored]
) -> tuple[frozenset[str], frozenset[str]]:
    phones: set[str] = set()
    emails: set[str] = set()
    for telecom in demographics.telecoms:
        text = (telecom.value or "").strip()
        if "@" in text:
            email = text.casefold().removeprefix("mailto:").strip()
            if email.partition("@")[0] in _NO_EMAIL:
                ignored.append(Ignored("email", "a placeholder"))
            else:
                emails.add(email)
        elif text and not _NO_PHONE.match(text):
            digits = _NO_DIGIT.sub("", _EXTENSION.split(text, maxsplit=1)[0])
            digits = digits[1:] if len(digits) == 11 and digits[0] == "1" else digits
            if len(digits) != 10 or digits[0] in "01" or len(set(digits)) == 1:
                ignored.append(Ignored("phone", "no telephone number of ten digits"))
            else:
                phones.add(digits)
    return frozenset(phones), frozenset(emails)


_NO_SSN: Final = frozenset({"123456789", "987654321", "078051120", "219099999", "123121234"})


def _ssn(ids: tuple[II, ...], ignored: list[Ignored]) -> str | None:
    found: list[str] = []
    for id_ in ids:
        if id_.root != US_SSN or not id_.extension:
            continue
        digits = _NO_DIGIT.sub("", id_.extension)
        is_tail = len(digits) == 4 and _MASKED.search(id_.extension) is not None
        if _is_possible_ssn(digits) or (is_tail and _is_possible_tail(digits)):
            found.append(digits)
        else:
            ignored.append(Ignored("SSN", "a placeholder or no possible number"))
    whole = {number for number in found if len(number) == 9}
    if len(whole) > 1 or len({number[-4:] for number in found}) > 1:
        ignored.append(Ignored("SSN", "more than one number"))
        return None
    return max(found, key=len, default=None)


def _is_possible_tail(digits: str) -> bool:
    """0000 was never issued; 9999 and the like are mostly what a form was filled up with."""
    return len(set(digits)) > 1


def _is_possible_ssn(digits: str) -> bool:
    """Area 000, 666 and 900-999, group 00 and serial 0000 were never issued."""
    return (
        len(digits) == 9
        and digits not in _NO_SSN
        and len(set(digits)) > 1
        and digits[:3] not in ("000", "666")
        and digits[0] != "9"
        and digits[3:5] != "00"
        and digits[5:] != "0000"
    )


def _ids(ids: tuple[II, ...]) -> Iterator[tuple[str, str]]:
    for id_ in ids:
        extension = (id_.extension or "").strip().casefold()
        if id_.root and id_.root != US_SSN and extension.strip("0-"):
            yield id_.root.casefold(), extension
