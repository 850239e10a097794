"""HL7 V3 datatypes written: `write_x(parent, name, value)` appends what `hl7v3.read_x` reads."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

from lxml import etree

from ccda.hl7v3 import AD, CD, II, IVL, PN, TEL, TS, XSI_TYPE, v3
from ccda.safe_xml import Element
from ccda.text_element import TextElement

_NONE: Final[Mapping[tuple[str, str], str]] = MappingProxyType({})
Written = TypeVar("Written", Element, TextElement)
"""What the writers append to: a tree, or text that is never to be one."""


def append(parent: Written, name: str, **attributes: str | None) -> Written:
    """A new V3 child; attributes that are None are left out."""
    if isinstance(parent, TextElement):
        return parent.child(name, attributes)
    given: dict[str, Any] = attributes
    if None in attributes.values():
        given = {key: value for key, value in attributes.items() if value is not None}
    return etree.SubElement(parent, v3(name), given)


def write_ii(parent: Written, name: str, value: II) -> Written:
    return append(
        parent,
        name,
        nullFlavor=value.null_flavor,
        root=value.root,
        extension=value.extension,
        assigningAuthorityName=value.assigning_authority,
    )


def write_cd(parent: Written, name: str, value: CD) -> Written:
    element = append(
        parent,
        name,
        nullFlavor=value.null_flavor,
        code=value.code,
        codeSystem=value.system,
        codeSystemName=value.system_name,
        displayName=value.display,
    )
    if value.original_text is not None:
        append(element, "originalText").text = value.original_text
    for translation in value.translations:
        write_cd(element, "translation", translation)
    return element


def write_ts(parent: Written, name: str, value: TS) -> Written:
    return append(parent, name, nullFlavor=value.null_flavor, value=value.value)


def write_ivl(parent: Written, name: str, value: IVL, *, type: str | None = None) -> Written:
    """IVL_TS; a bare value stands on the element itself. `type`: where the schema has a wider."""
    point = value.value or TS(None)
    given = {"nullFlavor": value.null_flavor or point.null_flavor, "value": point.value}
    element = append(parent, name, **given, **{XSI_TYPE: type})
    for bound, time in (("low", value.low), ("high", value.high)):
        if time is not None:
            write_ts(element, bound, time)
    return element


def write_pn(parent: Written, name: str, value: PN) -> Written:
    element = append(parent, name, use=value.use, nullFlavor=value.null_flavor)
    if value.text is not None:
        element.text = value.text
    qualifiers = {(part, text): qualifier for part, text, qualifier in value.qualifiers}
    _write_parts(element, "prefix", value.prefix, qualifiers)
    _write_parts(element, "given", value.given, qualifiers)
    _write_parts(element, "family", (value.family,) if value.family else (), qualifiers)
    _write_parts(element, "suffix", value.suffix, qualifiers)
    if value.valid is not None:
        write_ivl(element, "validTime", value.valid)
    return element


def write_ad(parent: Written, name: str, value: AD) -> Written:
    element = append(parent, name, use=value.use, nullFlavor=value.null_flavor)
    if value.text is not None:
        element.text = value.text
    _write_parts(element, "streetAddressLine", value.lines)
    for part, text in (
        ("city", value.city),
        ("county", value.county),
        ("state", value.state),
        ("postalCode", value.postal_code),
        ("country", value.country),
        *value.others,
    ):
        _write_parts(element, part, (text,) if text else ())
    _write_period(element, value.period)
    return element


def write_tel(parent: Written, name: str, value: TEL) -> Written:
    element = append(parent, name, use=value.use, nullFlavor=value.null_flavor, value=value.value)
    _write_period(element, value.period)
    return element


def _write_period(parent: Written, period: IVL | None) -> None:
    if period is not None:
        write_ivl(parent, "useablePeriod", period, type="IVL_TS")


def _write_parts(
    parent: Written,
    name: str,
    texts: Iterable[str],
    qualifiers: Mapping[tuple[str, str], str] = _NONE,
) -> None:
    for text in texts:
        append(parent, name, qualifier=qualifiers.get((name, text))).text = text
