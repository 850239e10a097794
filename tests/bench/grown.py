"""A document of any size: one of the project's own, cut short or saying the same many times."""

from copy import deepcopy
from typing import Final

from lxml import etree

from tests.bench.corpus import ROOT

_SAMPLE: Final = ROOT / "gateway" / "demo" / "documents" / "northfield_ccd.xml"
_V3: Final = "{urn:hl7-org:v3}"


def grown(size_bytes: int) -> bytes:
    """A valid document of about that size: every entry has ids, and a narrative, of its own."""
    root = etree.fromstring(_SAMPLE.read_bytes())
    sized = _cut_short(root, size_bytes)
    sections = [section for section in root.iter(f"{_V3}section") if section.findall(f"{_V3}entry")]
    originals = [(section, _narrative(section), _entries(section)) for section in sections]
    missing = size_bytes - sized
    once = sum(
        len(etree.tostring(element))
        for _, narrative, entries in originals
        for element in (*narrative, *entries)
    )
    for copy in range(1, 1 + max(0, round(missing / once))):
        for section, narrative, entries in originals:
            section.find(f"{_V3}text").extend(_again(element, copy) for element in narrative)
            section.extend(_again(element, copy) for element in entries)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _cut_short(root: etree._Element, size_bytes: int) -> int:
    """Leaves out the last sections of what is too long by a quarter; the size of what is left."""
    body = root.find(f"{_V3}component/{_V3}structuredBody")
    while len(etree.tostring(root)) > size_bytes * 1.25:
        body.remove(body[-1])
    return len(etree.tostring(root))


def _narrative(section: etree._Element) -> list[etree._Element]:
    return [deepcopy(element) for element in section.find(f"{_V3}text")]


def _entries(section: etree._Element) -> list[etree._Element]:
    return [deepcopy(entry) for entry in section.findall(f"{_V3}entry")]


def _again(element: etree._Element, number: int) -> etree._Element:
    """The same under other ids, its references turned to the narrative that came with it."""
    copied = deepcopy(element)
    for one in copied.iter(etree.Element):
        if "ID" in one.attrib:
            one.set("ID", f"{one.get('ID')}-{number}")
        if one.tag == f"{_V3}reference" and (one.get("value") or "").startswith("#"):
            one.set("value", f"{one.get('value')}-{number}")
        if one.tag == f"{_V3}id" and one.get("root"):
            one.set("extension", f"{one.get('extension') or 'copy'}-{number}")
    return copied
