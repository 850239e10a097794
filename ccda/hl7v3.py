"""HL7 V3 datatypes (R1), as CDA R2 and the PRPA messages of ITI-55 write them.

Values keep what was written: codes, units and times are text, absent is None, and a nullFlavor
stands beside the value it replaced. `read_x(element)` never raises on odd content; they are written
by `hl7v3_writing`.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ccda.safe_xml import Element
from ccda.values import maker, quickly_made

NAMESPACE: Final = "urn:hl7-org:v3"
SDTC: Final = "urn:hl7-org:sdtc"
XSI_TYPE: Final = "{http://www.w3.org/2001/XMLSchema-instance}type"

US_SSN: Final = "2.16.840.1.113883.4.1"
US_NPI: Final = "2.16.840.1.113883.4.6"


NUMBER: Final = re.compile(
    r"[+-]?([0-9]{1,40}(\.[0-9]{0,64})?|\.[0-9]{1,64})([eE][+-]?[0-9]{1,2})?"
)
"""What readers take for a number. Each, written out, is one that a double can hold: most readers
make a double of it, and some refuse a number of thousands of digits and all that stands by it."""


def v3(name: str) -> str:
    """`name` in the HL7 V3 namespace, as lxml writes it."""
    return f"{{{NAMESPACE}}}{name}"


@quickly_made
@dataclass(frozen=True, slots=True)
class II:
    """Instance identifier: who assigned it (`root`) and what was assigned."""

    root: str | None
    extension: str | None = None
    assigning_authority: str | None = None
    null_flavor: str | None = None

    def __str__(self) -> str:
        """`root^extension`, or the root alone."""
        return written_ii(self.root, self.extension)


def written_ii(root: str | None, extension: str | None) -> str:
    """`root^extension`, or the root alone."""
    return root or "" if extension is None else f"{root or ''}^{extension}"


@quickly_made
@dataclass(frozen=True, slots=True)
class CD:
    """A coded value (CD, CE, CV, CO, CS): `system` is an OID as written."""

    code: str | None
    system: str | None = None
    display: str | None = None
    system_name: str | None = None
    original_text: str | None = None
    reference: str | None = None
    """The originalText's `<reference value>`, unresolved."""
    null_flavor: str | None = None
    translations: tuple["CD", ...] = ()
    qualifiers: tuple[tuple["CD | None", "CD | None"], ...] = ()
    """What narrows the code, each as name and value: laterality, left."""


def narrowed(name: str, code: CD | None) -> str:
    """`name` with what narrows the code, where it does not say that: Fracture of femur (left)."""
    values = (value for _, value in code.qualifiers) if code is not None else ()
    words = [said for value in values if value and (said := value.display or value.original_text)]
    more = [said for said in words if said.casefold() not in name.casefold()]
    return f"{name} ({', '.join(more)})" if more else name


@quickly_made
@dataclass(frozen=True, slots=True)
class TS:
    """A point in time with the precision and offset it was written with: `20120806102200-0500`."""

    value: str | None
    null_flavor: str | None = None

    @property
    def iso(self) -> str | None:
        """ISO 8601 in the same precision; what is no HL7 time comes back as written."""
        return iso_time(self.value)


@quickly_made
@dataclass(frozen=True, slots=True)
class IVL:
    """An interval of time. A bare value is `value`; `low` or `high` may be null flavours."""

    low: TS | None = None
    high: TS | None = None
    value: TS | None = None
    null_flavor: str | None = None


@quickly_made
@dataclass(frozen=True, slots=True)
class PQ:
    """A physical quantity; numbers stay text, so that `7.20` keeps its precision."""

    value: str | None
    unit: str | None = None
    null_flavor: str | None = None


@quickly_made
@dataclass(frozen=True, slots=True)
class PN:
    """A person's name."""

    family: str | None = None
    given: tuple[str, ...] = ()
    prefix: tuple[str, ...] = ()
    suffix: tuple[str, ...] = ()
    use: str | None = None
    text: str | None = None
    """The whole name where it was written without parts."""
    null_flavor: str | None = None
    valid: IVL | None = None
    """When it was the person's name: a former one has a `high`."""
    qualifiers: tuple[tuple[str, str, str], ...] = ()
    """Each qualified part, its text and qualifier: `("family", "Jones", "BR")`, a birth name."""

    def __str__(self) -> str:
        parts = (*self.prefix, *self.given, self.family or "", *self.suffix)
        return " ".join(part for part in parts if part) or (self.text or "")


@quickly_made
@dataclass(frozen=True, slots=True)
class AD:
    """A postal address."""

    lines: tuple[str, ...] = ()
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None
    county: str | None = None
    use: str | None = None
    null_flavor: str | None = None
    period: IVL | None = None
    """useablePeriod."""
    others: tuple[tuple[str, str], ...] = ()
    """The parts that have no field here, by name: `("unitID", "4b")`."""
    text: str | None = None
    """The whole address where it was written without parts."""


@quickly_made
@dataclass(frozen=True, slots=True)
class TEL:
    """A telephone number, mail address or other URL, as written."""

    value: str | None
    use: str | None = None
    null_flavor: str | None = None
    period: IVL | None = None
    """useablePeriod."""


# A document has hundreds of these.
make_ii, make_cd, make_ts = maker(II), maker(CD), maker(TS)

_V3: Final = v3("")
_V3_LENGTH: Final = len(_V3)
_ADDRESS_PARTS: Final = frozenset(
    ("streetAddressLine", "city", "state", "postalCode", "country", "county")
)
_PERIODS: Final = frozenset((v3("validTime"), v3("useablePeriod")))
_ORIGINAL_TEXT: Final = v3("originalText")
_TRANSLATION: Final = v3("translation")

# ---- times -----------------------------------------------------------------------------------

# A month of 13 or a day of 00 is no time, however many digits it has.
_TIME: Final = re.compile(
    r"(?!0000)(\d{4})(?:(0[1-9]|1[0-2])(?:(0[1-9]|[12]\d|3[01])(?:([01]\d|2[0-4])"
    r"(?:([0-5]\d)(?:([0-5]\d|60)(\.\d+)?)?)?)?)?)?(?:([+-])(\d\d):?(\d\d)?|(Z))?"
)
# 20120000: a year, whose month and day nobody knows.
_NOT_KNOWN: Final = re.compile(r"(?!0000)(\d{4})(?:00|((?!00)\d\d)00)[\d.]*(?:[+-]\d{2,4}|Z)?")

_LONGEST_REMEMBERED: Final = 40
"""Characters; no time is longer, and what is none may be a megabyte."""


def iso_time(value: str | None) -> str | None:
    """HL7 TS as ISO 8601, same precision and offset; anything else as written."""
    if not value or len(value) > _LONGEST_REMEMBERED:
        return value and _iso_time.__wrapped__(value)
    return _iso_time(value)


@lru_cache(maxsize=1 << 12)  # a document repeats its times, and so does what is made of it
def _iso_time(value: str) -> str:
    match = _TIME.fullmatch(value.strip())
    if match is None:
        return value
    year, month, day, hour, minute, second, fraction, *zone = match.groups()
    sign, zone_hour, zone_minute, utc = zone
    text: str = "-".join(part for part in (year, month, day) if part)
    if hour:
        text += "T" + ":".join(part for part in (hour, minute, second) if part) + (fraction or "")
        if sign:
            text += f"{sign}{zone_hour}:{zone_minute or '00'}"
        text += utc or ""
    return text


def known_time(written: str) -> str:
    """What is known of a time: senders write 00 for a month or a day that they do not know."""
    if written[4:6] != "00" and written[6:8] != "00":
        return written
    match = _NOT_KNOWN.fullmatch(written.strip())
    return written if match is None else match[1] + (match[2] or "")


def hl7_time(iso: str) -> str:
    """ISO 8601 as HL7 TS, same precision and offset."""
    date, _, clock = iso.partition("T")
    zone = re.search(r"(Z|[+-]\d\d:?\d\d)$", clock)
    digits = clock[: zone.start()] if zone else clock
    offset = "+0000" if zone and zone.group() == "Z" else zone.group() if zone else ""
    return date.replace("-", "") + digits.replace(":", "") + offset.replace(":", "")


# ---- reading ---------------------------------------------------------------------------------


def text_of(element: Element | None) -> str | None:
    """All text inside, white space folded; None when there is none."""
    if element is None:
        return None
    text = "".join(element.itertext()) if len(element) else element.text or ""
    return " ".join(text.split()) or None


def read_ii(element: Element) -> II:
    get = element.get
    return make_ii(get("root"), get("extension"), get("assigningAuthorityName"), get("nullFlavor"))


def read_iis(parent: Element, name: str = "id") -> tuple[II, ...]:
    return tuple(read_ii(child) for child in parent.iterfind(v3(name)))


def read_cd(element: Element) -> CD:
    get = element.get
    has_parts = len(element) > 0  # most have none, and looking for them costs more than the rest
    original = element.find(_ORIGINAL_TEXT) if has_parts else None
    reference = None if original is None else original.find(v3("reference"))
    return CD(
        code=get("code"),
        system=get("codeSystem"),
        display=get("displayName"),
        system_name=get("codeSystemName"),
        original_text=text_of(original),
        reference=None if reference is None else reference.get("value"),
        null_flavor=get("nullFlavor"),
        translations=tuple(read_cd(child) for child in element.iterfind(_TRANSLATION))
        if has_parts
        else (),
    )


def read_ts(element: Element) -> TS:
    return TS(element.get("value"), element.get("nullFlavor"))


def read_ivl(element: Element) -> IVL:
    """IVL_TS, or the TS that stands in its place."""

    def bound(name: str) -> TS | None:
        child = element.find(v3(name))
        return None if child is None else read_ts(child)

    value = element.get("value")
    center = element.find(v3("center"))
    point = TS(value) if value else None if center is None else read_ts(center)
    return IVL(bound("low"), bound("high"), point, element.get("nullFlavor"))


def read_pq(element: Element) -> PQ:
    return PQ(element.get("value"), element.get("unit"), element.get("nullFlavor"))


def read_pn(element: Element) -> PN:
    parts, valid, qualifiers = _parts(element)
    get = parts.get
    family = " ".join(get("family", ())) or None
    given = tuple(get("given", ()))
    return PN(
        family,
        given,
        tuple(get("prefix", ())),
        tuple(get("suffix", ())),
        element.get("use"),
        None if family or given else text_of(element),
        element.get("nullFlavor"),
        valid,
        tuple(qualifiers),
    )


def read_ad(element: Element) -> AD:
    parts, period, _ = _parts(element)
    first = {name: texts[0] for name, texts in parts.items()}.get
    others = [name for name in parts if name not in _ADDRESS_PARTS]
    return AD(
        tuple(parts.get("streetAddressLine", ())),
        first("city"),
        first("state"),
        first("postalCode"),
        first("country"),
        first("county"),
        element.get("use"),
        element.get("nullFlavor"),
        period,
        tuple([(name, text) for name in others for text in parts[name]]) if others else (),
        None if parts else text_of(element),
    )


def read_tel(element: Element) -> TEL:
    get = element.get
    period = _parts(element)[1] if len(element) else None
    return TEL(get("value"), get("use"), get("nullFlavor"), period)


_Qualifiers = list[tuple[str, str, str]]


def _parts(element: Element) -> tuple[dict[str, list[str]], IVL | None, _Qualifiers]:
    """What each part of a name or address says, by name; when it holds; the qualified parts."""
    texts: dict[str, list[str]] = {}
    period: IVL | None = None
    qualifiers: _Qualifiers = []
    for child in element[:]:
        tag: str = child.tag  # type: ignore[assignment] # a parsed tag is text
        if tag in _PERIODS:
            period = read_ivl(child)
            continue
        text = text_of(child)
        if text:
            name = tag[_V3_LENGTH:] if tag[:_V3_LENGTH] == _V3 else tag
            if name in texts:
                texts[name].append(text)
            else:
                texts[name] = [text]
            qualifier = child.get("qualifier")
            if qualifier:
                qualifiers.append((name, text, qualifier))
    return texts, period, qualifiers
