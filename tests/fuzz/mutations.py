"""Documents as a careless or hostile sender would have written them: `mutate(document, random)`.

Strategy: most mutations know the tree (an element moved, a reference that points to itself, a
nullFlavor where a code was), because bytes flipped at random hardly get past the XML parser. A
few work on the bytes, for the parser's own sake. Same seed, same bytes.
"""

import copy
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from lxml import etree
from lxml.etree import _Element as Element

from tests.fuzz.sealed import ENCODINGS

V3: Final = "urn:hl7-org:v3"
MOST_BYTES: Final = 4 * 1024 * 1024
"""Mutations that multiply stop here; what is larger is a matter of limits, not of readers."""

_XSI_TYPE: Final = "{http://www.w3.org/2001/XMLSchema-instance}type"
_TYPES: Final = (
    "CD CE CO CS ST ED PQ INT REAL BL TS IVL_TS IVL_PQ PIVL_TS EIVL_TS SXPR_TS RTO RTO_PQ_PQ MO II "
    "ANY SC PN n:CD : :CD CD: none"
).split()
_STATEMENTS: Final = (
    "act encounter observation observationMedia organizer procedure regionOfInterest "
    "substanceAdministration supply".split()
)
_NAMES: Final = (
    *_STATEMENTS,
    *"entry entryRelationship component section text title code value id templateId statusCode "
    "effectiveTime low high center width period phase event offset comp translation originalText "
    "qualifier name reference table tr td content list item participant participantRole "
    "playingEntity manufacturedProduct author assignedAuthor performer time subject relatedSubject "
    "structuredBody nonXMLBody recordTarget patient ClinicalDocument".split(),
)
_TEXTS: Final = (
    "", " ", "0", "-1", "1e999", "NaN", "7,2", "1/0", "20120806102200.000-0500", "2012",
    "00000000", "99999999999999999999", "-0500", "2024-01-01", "true", "TRUE", "1", "#", "##",
    "#x", "x", "&lt;", "javascript:alert(1)", "http://127.0.0.1/", "file:///etc/hostname",
    "\u202e", "\U0001f4a9", "\u0130\u00df", "\u2028", "a\u0300" * 50, "<b>", "]]>", "{}", "%s",
    "' or 1=1", "\t\n\r", "é" * 500, "2.16.840.1.113883.6.96", "2.16.840.1.113883.10.20.22.4.4",
    "9" * 5000, "No known allergies",
)  # fmt: skip
_NULLS: Final = ("NI", "UNK", "NA", "OTH", "ASKU", "NASK", "MSK", "NINF", "PINF", "XX", "")
_ATTRIBUTES: Final = (
    "nullFlavor negationInd moodCode classCode typeCode inversionInd value unit code codeSystem "
    "displayName root extension ID ref operator institutionSpecified representation mediaType "
    "styleCode rowspan colspan use qualifier".split()
)
_BYTES: Final = (
    b"<!DOCTYPE a>", b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]>', b"&x;",
    b"&amp;", b"&#0;", b"&#xFFFE;", b"&#x110000;", b"&lt", b"]]>", b"<![CDATA[", b"<!--", b"-->",
    b"<?x", b"?>", b"\x00", b"\xff", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc0\xaf", b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80", b"+ADw-", b"<", b">", b"/>", b'"', b"'", b"=", b" xmlns=''", b"&nbsp;",
    b" xmlns:x='", b"\x1b", b"\x0b", b'<?xml-stylesheet href="http://127.0.0.1/"?>', b"<x:",
    b'<?xml version="1.1"?>',
)  # fmt: skip
_DECLARED: Final = (
    "UTF-8 utf8 UTF-16 UTF-7 ISO-8859-1 windows-1252 EBCDIC-CP-US IBM037 GB18030 "
    "Shift_JIS us-ascii UCS-4 nonsense"
).split()


def mutate(document: bytes, chance: random.Random, others: Sequence[bytes] = ()) -> bytes:
    """`document` with a few things done to it; `others` lend it parts of theirs."""
    root = parsed(document)
    if root is not None:
        lender = _Lender(others, chance)
        if chance.random() < 0.8:
            _keep_few_sections(root, chance)
        for _ in range(chance.choice((1, 1, 2, 3, 5, 8))):
            # What is damaged may hold names that lxml will not write a second time.
            with suppress(ValueError):
                chance.choice(_ON_TREE)(root, chance, lender)
        document = etree.tostring(root, encoding="UTF-8", xml_declaration=chance.random() < 0.5)
    if root is None or chance.random() < 0.25:
        for _ in range(chance.choice((1, 1, 2, 4))):
            document = chance.choice(_ON_BYTES)(document, chance)
    return document[:MOST_BYTES]


def parsed(document: bytes) -> Element | None:
    """The tree of `document`, as far as there is one; never anything from outside of it."""
    parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True, huge_tree=True)
    try:
        return etree.fromstring(document, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None


class _Lender:
    """An element of another document, read only when asked for."""

    def __init__(self, documents: Sequence[bytes], chance: random.Random) -> None:
        self._documents = documents
        self._chance = chance

    def lend(self) -> Element | None:
        root = parsed(self._chance.choice(self._documents)) if self._documents else None
        return None if root is None else copy.deepcopy(_any(root, self._chance))


# ---- the tree --------------------------------------------------------------------------------


def _elements(root: Element) -> list[Element]:
    return list(root.iter("*"))


def _any(root: Element, chance: random.Random) -> Element:
    return chance.choice(_elements(root))


def _below(root: Element, chance: random.Random) -> Element:
    """An element that is not the root, where there is one."""
    return chance.choice(_elements(root)[1:] or [root])


def _keep_few_sections(root: Element, chance: random.Random) -> None:
    """Most of what is interesting fits in two sections, and is read ten times as fast."""
    sections = [e for e in root.iter("{*}section") if (p := e.getparent()) is not None and len(p)]
    for section in sections if len(sections) > 2 else ():
        holder = section.getparent()
        if holder is not None and chance.random() > 2 / len(sections):
            _drop(section)


def _drop(element: Element) -> None:
    parent = element.getparent()
    if parent is not None:
        parent.remove(element)


def _delete(root: Element, chance: random.Random, lender: _Lender) -> None:
    _drop(_below(root, chance))


def _empty(root: Element, chance: random.Random, lender: _Lender) -> None:
    element = _below(root, chance)
    for child in list(element):
        element.remove(child)


def _duplicate(root: Element, chance: random.Random, lender: _Lender) -> None:
    element = _below(root, chance)
    element.addnext(copy.deepcopy(element)) if element is not root else None


def _repeat(root: Element, chance: random.Random, lender: _Lender) -> None:
    element = _below(root, chance)
    size = len(etree.tostring(element))
    if element is not root:
        for _ in range(min(chance.choice((3, 30, 300, 3000)), 1_000_000 // size)):
            element.addnext(copy.deepcopy(element))


def _move(root: Element, chance: random.Random, lender: _Lender) -> None:
    element, target = _below(root, chance), _any(root, chance)
    if element is not root and element is not target and element not in target.iterancestors():
        target.insert(chance.randint(0, len(target)), element)


def _swap(root: Element, chance: random.Random, lender: _Lender) -> None:
    one, other = _below(root, chance), _below(root, chance)
    first, second = copy.deepcopy(one), copy.deepcopy(other)
    for element, new in ((one, second), (other, first)):
        parent = element.getparent()
        if parent is not None:
            parent.replace(element, new)


def _shuffle(root: Element, chance: random.Random, lender: _Lender) -> None:
    element = _any(root, chance)
    children = list(element)
    chance.shuffle(children)
    element[:] = children


def _rename(root: Element, chance: random.Random, lender: _Lender) -> None:
    _below(root, chance).tag = f"{{{V3}}}{chance.choice(_NAMES)}"


def _rename_statement(root: Element, chance: random.Random, lender: _Lender) -> None:
    found = [e for e in root.iter("*") if etree.QName(e).localname in _STATEMENTS]
    if found:
        chance.choice(found).tag = f"{{{V3}}}{chance.choice(_STATEMENTS)}"


def _nest(root: Element, chance: random.Random, lender: _Lender) -> None:
    """An element inside its own likeness, once or hundreds of times."""
    element = _below(root, chance)
    inner = element
    for _ in range(chance.choice((1, 2, 20, 120, 260))):
        inner = etree.SubElement(inner, element.tag, dict(element.attrib))


def _nest_statements(root: Element, chance: random.Random, lender: _Lender) -> None:
    found = list(root.iter("{*}entryRelationship", "{*}component", "{*}entry"))
    if not found:
        return
    inner = chance.choice(found)
    for _ in range(chance.choice((2, 20, 100))):
        statement = etree.SubElement(inner, f"{{{V3}}}{chance.choice(_STATEMENTS)}")
        inner = etree.SubElement(statement, f"{{{V3}}}entryRelationship", typeCode="SUBJ")


def _unwrap(root: Element, chance: random.Random, lender: _Lender) -> None:
    element = _below(root, chance)
    parent = element.getparent()
    if parent is not None:
        place = parent.index(element)
        parent[place : place + 1] = list(element)


def _lend(root: Element, chance: random.Random, lender: _Lender) -> None:
    element = lender.lend()
    if element is not None:
        target = _any(root, chance)
        target.insert(chance.randint(0, len(target)), element)


def _drop_attribute(root: Element, chance: random.Random, lender: _Lender) -> None:
    element = _any(root, chance)
    if element.attrib:
        del element.attrib[chance.choice(list(element.attrib))]


def _garble_attribute(root: Element, chance: random.Random, lender: _Lender) -> None:
    element = _any(root, chance)
    names = [*element.attrib, chance.choice(_ATTRIBUTES)]
    element.set(chance.choice(names), _printable(chance.choice(_TEXTS)))


def _exchange_attributes(root: Element, chance: random.Random, lender: _Lender) -> None:
    element, other = _any(root, chance), _any(root, chance)
    mine, theirs = dict(element.attrib), dict(other.attrib)
    for target, given in ((element, theirs), (other, mine)):
        target.attrib.clear()
        target.attrib.update(given)


def _null(root: Element, chance: random.Random, lender: _Lender) -> None:
    element = _any(root, chance)
    if chance.random() < 0.5:
        element.attrib.clear()
    element.set("nullFlavor", chance.choice(_NULLS))


def _retype(root: Element, chance: random.Random, lender: _Lender) -> None:
    found = list(root.iter("{*}value", "{*}effectiveTime")) or _elements(root)
    chance.choice(found).set(_XSI_TYPE, chance.choice(_TYPES))


def _negate(root: Element, chance: random.Random, lender: _Lender) -> None:
    found = [e for e in root.iter("*") if etree.QName(e).localname in _STATEMENTS]
    if found:
        chance.choice(found).set(
            "negationInd", chance.choice(("true", "1", "false", " True ", "x"))
        )


def _garble_text(root: Element, chance: random.Random, lender: _Lender) -> None:
    element, text = _any(root, chance), _printable(chance.choice(_TEXTS))
    if chance.random() < 0.5:
        element.text = text
    else:
        element.tail = text if element is not root else None


def _many_words(root: Element, chance: random.Random, lender: _Lender) -> None:
    _any(root, chance).text = _printable(chance.choice(_TEXTS)) * chance.choice((100, 10_000))


def _same_ids(root: Element, chance: random.Random, lender: _Lender) -> None:
    for element in root.iter("*"):
        if "ID" in element.attrib:
            element.set("ID", "x")


def _reference(root: Element, chance: random.Random, lender: _Lender) -> None:
    """References that lead around the whole text, to themselves, or to each other's holders."""
    texts = list(root.iter("{*}text"))
    if not texts:
        return
    chosen = chance.choice(texts)
    chosen.set("ID", "whole")
    pointing = list(root.iter("{*}reference")) or [_below(root, chance)]
    for element in chance.sample(pointing, min(len(pointing), chance.choice((1, 5, 1000)))):
        element.set("value", chance.choice(("#whole", "whole", "#", "#gone", "##whole", "#x")))
    if chance.random() < 0.5:
        inner = etree.SubElement(chosen, f"{{{V3}}}content", ID="x")
        etree.SubElement(inner, f"{{{V3}}}reference", value="#x")


def _other_namespace(root: Element, chance: random.Random, lender: _Lender) -> None:
    namespace = chance.choice(
        ("", "urn:hl7-org:sdtc", "urn:hl7-org:v4", "http://www.w3.org/1999/xhtml")
    )
    whole = chance.random() < 0.3
    for element in root.iter("*") if whole else (_any(root, chance),):
        name = etree.QName(element).localname
        element.tag = f"{{{namespace}}}{name}" if namespace else name


def _insert_note(root: Element, chance: random.Random, lender: _Lender) -> None:
    """Comments and processing instructions, which may stand anywhere, even inside a name."""
    target = _any(root, chance)
    for _ in range(chance.choice((1, 50))):
        note = (
            etree.Comment("x") if chance.random() < 0.5 else etree.ProcessingInstruction("x", "y")
        )
        target.insert(chance.randint(0, len(target)), note)


def _add_attributes(root: Element, chance: random.Random, lender: _Lender) -> None:
    element = _any(root, chance)
    for number in range(chance.choice((5, 200, 300))):
        element.set(f"a{number}", "")


def _printable(text: str) -> str:
    """lxml refuses what XML cannot hold; the mutations of bytes write that."""
    return "".join(c for c in text if c in "\t\n\r" or ord(c) >= 32)


_OnTree = Callable[[Element, random.Random, _Lender], None]
_ON_TREE: Final[tuple[_OnTree, ...]] = (
    _delete, _delete, _empty, _duplicate, _repeat, _move, _move, _swap, _shuffle, _rename,
    _rename_statement, _nest, _nest_statements, _unwrap, _lend, _lend, _drop_attribute,
    _garble_attribute, _garble_attribute, _exchange_attributes, _null, _null, _retype, _retype,
    _negate, _garble_text, _many_words, _same_ids, _reference, _reference, _other_namespace,
    _insert_note, _add_attributes,
)  # fmt: skip


# ---- bytes -----------------------------------------------------------------------------------


def _place(document: bytes, chance: random.Random) -> int:
    return chance.randint(0, len(document))


def _cut(document: bytes, chance: random.Random) -> bytes:
    return document[: _place(document, chance)]


def _flip(document: bytes, chance: random.Random) -> bytes:
    flipped = bytearray(document)
    for _ in range(chance.choice((1, 4, 64)) if flipped else 0):
        flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
    return bytes(flipped)


def _leave_out(document: bytes, chance: random.Random) -> bytes:
    start = _place(document, chance)
    return document[:start] + document[start + chance.choice((1, 10, 1000)) :]


def _insert(document: bytes, chance: random.Random) -> bytes:
    place = _place(document, chance)
    return (
        document[:place] + chance.choice(_BYTES) * chance.choice((1, 1, 1, 200)) + document[place:]
    )


def _insert_at_a_tag(document: bytes, chance: random.Random) -> bytes:
    place = document.find(b"<", _place(document, chance))
    place = max(place, 0) + chance.randint(0, 1)
    return document[:place] + chance.choice(_BYTES) + document[place:]


def _say_twice(document: bytes, chance: random.Random) -> bytes:
    start = _place(document, chance)
    part = document[start : start + chance.choice((5, 500, 50_000))]
    return document[:start] + part + document[start:]


def _recode(document: bytes, chance: random.Random) -> bytes:
    return document.decode("utf-8", "replace").encode(chance.choice(ENCODINGS), "replace")


def _declare(document: bytes, chance: random.Random) -> bytes:
    declaration = f'<?xml version="1.0" encoding="{chance.choice(_DECLARED)}"?>'
    end = document.find(b"?>") + 2 if document.startswith(b"<?xml") else 0
    return (
        chance.choice((b"", b"\n", b"\xef\xbb\xbf", b"\xff\xfe"))
        + declaration.encode()
        + document[end:]
    )


def _twice(document: bytes, chance: random.Random) -> bytes:
    return document + document


_ON_BYTES: Final[tuple[Callable[[bytes, random.Random], bytes], ...]] = (
    _cut, _flip, _flip, _leave_out, _leave_out, _insert, _insert, _insert_at_a_tag,
    _insert_at_a_tag, _say_twice, _recode, _declare, _twice,
)  # fmt: skip
