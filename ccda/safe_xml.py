"""The one door by which bytes become an XML tree.

Strategy: libxml2's own limits (10 MB of text, depth 256) refuse real documents with a scanned
PDF inside, so for large input `huge_tree` is on and the caps are ours. That also switches off
libxml2's guard against entity amplification, so nothing that could define an entity reaches the
parser: the encoding is settled first, then the prolog is searched for a DOCTYPE. Comments and
processing instructions are dropped while parsing: a comment inside a name must not cut it in
two (CVE-2017-11427), and hundreds of thousands of them must not slow a reader down.
"""

import codecs
import re
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Final, NamedTuple

from lxml import etree
from lxml.etree import _Element as Element

from ccda.entities import spell_out_entities
from ccda.errors import DoctypeRefused, MalformedXml, XmlOverLimit

__all__ = [
    "DEFAULT_LIMITS",
    "Element",
    "Limits",
    "in_utf8",
    "parse_for_names",
    "parse_xml",
    "serialize_xml",
]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much XML we take. A 40 MB scan is 54 MB in base64, hence 64 MB for a whole document."""

    size_bytes: int = 64 * 1024 * 1024
    depth: int = 256
    attributes: int = 256
    namespaces: int = 64
    """In scope at once; a real document has ten."""
    text_characters: int = 60 * 1024 * 1024


DEFAULT_LIMITS: Final = Limits()

# What libxml2 keeps to by itself without huge_tree: XML_MAX_TEXT_LENGTH, xmlParserMaxDepth.
_OWN_TEXT_LIMIT: Final = 10_000_000
_OWN_DEPTH_LIMIT: Final = 256
_RESOURCE_LIMIT: Final = etree.ErrorTypes.ERR_RESOURCE_LIMIT

_BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# A declared encoding is trusted only if ASCII bytes mean ASCII in it: then the search for a
# DOCTYPE sees what the parser sees.
_ASCII_COMPATIBLE: Final = re.compile(
    r"(?i)utf-?8|us-ascii|ascii|iso-?8859-?\d+|latin-?1|windows-125\d|cp125\d"
)
_DECLARATION: Final = re.compile(
    # Whatever libxml2 would take for one: however far into the declaration, closed or not.
    rb"\s*<\?xml\s[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]*)"
)
_ANY_DECLARATION: Final = re.compile(rb"\s*<\?xml\s.*?\?>", re.DOTALL)
_NAMES_UTF16: Final = re.compile(r"(?i)u(cs|tf)-?(2|4|16|32)")
_SMALL: Final = 64 * 1024
"""Bytes that take less time to parse than it takes to make a parser for them."""
_SPACE: Final = re.compile(rb"\s*")
_NAMESPACE: Final = re.compile(rb"xmlns")
_NONE: Final = re.compile(rb"\s*=\s*(?:\"\"|'')")
"""What follows on it where the default namespace is switched off."""
_MISC: Final = ((b"<?", b"?>"), (b"<!--", b"-->"))


def parse_xml(data: bytes, *, limits: Limits = DEFAULT_LIMITS, recover: bool = False) -> Element:
    """The root element of `data`.

    With `recover`, what libxml2 can make of input that is not well-formed; the caller says so
    to whoever reads the result.

    Raises:
        MalformedXml: not well-formed, empty, or in an encoding we do not read.
        DoctypeRefused: it carries a DOCTYPE.
        XmlOverLimit: it is over one of `limits`.
        MemoryError: there was not enough of it, which says nothing about the document.
    """
    parsed = _parsed(data, limits, recover)
    if parsed.content.count(b"xmlns") > limits.namespaces:
        _refuse_many_in_scope(parsed, limits)
    return parsed.root


def parse_for_names(
    data: bytes, *, limits: Limits = DEFAULT_LIMITS, recover: bool = False
) -> tuple[Element, bool]:
    """The root as `parse_xml` gives it, and whether an element may be outside any namespace.

    Raises:
        MalformedXml, DoctypeRefused, XmlOverLimit, MemoryError: as `parse_xml`.
    """
    parsed = _parsed(data, limits, recover)
    # One more than may be in scope is enough to know.
    declared = list(islice(_NAMESPACE.finditer(parsed.content), limits.namespaces + 1))
    too_many = len(declared) > limits.namespaces
    if too_many:
        _refuse_many_in_scope(parsed, limits)
    as_written = not (recover or too_many)
    return parsed.root, _may_be_bare(parsed.root, declared, as_written=as_written)


def serialize_xml(root: Element) -> bytes:
    """`root` as UTF-8 with an XML declaration, nothing re-indented."""
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


class _Parsed(NamedTuple):
    """A root, and what the parser was given for it."""

    root: Element
    content: bytes
    encoding: str | None
    huge: bool
    recover: bool


def _parsed(data: bytes, limits: Limits, recover: bool) -> _Parsed:
    """What is left to be asked is how many namespaces are in scope at once."""
    if len(data) > limits.size_bytes:
        raise XmlOverLimit("size")
    content, encoding = _declaration_first(_ascii_compatible(data))
    if _has_doctype(content):
        raise DoctypeRefused
    huge = recover or len(content) > _OWN_TEXT_LIMIT or limits.depth > _OWN_DEPTH_LIMIT
    if recover:
        content = spell_out_entities(content)
    root = _parse(content, encoding, huge=huge, recover=recover)
    _check(root, content, limits, huge=huge, recover=recover)
    return _Parsed(root, content, encoding, huge, recover)


def _refuse_many_in_scope(parsed: _Parsed, limits: Limits) -> None:
    scope = _NamespacesInScope(limits.namespaces)
    _, content, encoding, huge, recover = parsed
    parser = _parser(content, encoding, huge=huge, recover=recover, target=scope)
    etree.fromstring(content, parser)


def in_utf8(data: bytes) -> bytes:
    """`data` for whoever looks for words in it: in UTF-8 where its first bytes say that it is
    UTF-16 or UTF-32, else as it is.

    Raises:
        MalformedXml: the bytes do not fit that encoding.
    """
    return _marked_or_wide(data)


def _ascii_compatible(data: bytes) -> bytes:
    """`data`, transcoded to UTF-8 when it is UTF-16 or UTF-32."""
    content = _marked_or_wide(data)
    declared = _DECLARATION.match(content)
    if declared is not None and _NAMES_UTF16.fullmatch(declared.group(1).decode("ascii")):
        # Quirk: a declaration left over from the sender's UTF-16 string; the bytes are plainly not.
        content = _without_declaration(content)
        declared = _DECLARATION.match(content)
    if declared is not None and not _ASCII_COMPATIBLE.fullmatch(declared.group(1).decode("ascii")):
        raise MalformedXml("the declared encoding is not one we read")
    return content


def _marked_or_wide(data: bytes) -> bytes:
    """UTF-8 and no declaration where a mark or zero bytes say how to read `data`; else `data`."""
    head = data[:4]
    if head.isascii() and b"\0" not in head:
        return data
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            # A mark outweighs whatever the declaration says.
            utf_8 = encoding == "utf-8-sig"
            return _without_declaration(data[3:]) if utf_8 else _transcode(data, encoding)
    if b"\0" in head:  # XML 1.0, appendix F: no mark, but '<' with zero bytes around it
        wide = head.count(b"\0") >= 3
        little = head[:1] != b"\0"
        return _transcode(data, ("utf-32-" if wide else "utf-16-") + ("le" if little else "be"))
    return data


def _transcode(data: bytes, encoding: str) -> bytes:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        raise MalformedXml("the bytes do not fit their encoding") from None
    return _without_declaration(text.lstrip("\ufeff").encode("utf-8"))


def _without_declaration(data: bytes) -> bytes:
    """`data` with its XML declaration blanked out, so that lines keep their numbers."""
    declaration = _ANY_DECLARATION.match(data)
    if declaration is None:
        return data
    return b"\n" * declaration.group().count(b"\n") + data[declaration.end() :]


def _declaration_first(content: bytes) -> tuple[bytes, str | None]:
    """`content` without what XML forbids before a declaration, and the encoding that one named.

    Quirk: white space before it; seen in samples/ccda/space_before_declaration.xml.
    """
    if not content[:1].isspace() or _ANY_DECLARATION.match(content) is None:
        return content, None
    declared = _DECLARATION.match(content)
    encoding = None if declared is None else declared.group(1).decode("ascii")
    if encoding is not None and _NAMES_UTF16.fullmatch(encoding):
        encoding = None
    return _without_declaration(content), encoding


def _has_doctype(content: bytes) -> bool:
    """Whether a DOCTYPE stands where XML allows one: before the root element."""
    if content[:1] == b"<" and content[1:2].isalpha():
        return False  # it begins with its root
    position, skipped = -1, 0
    while position < skipped:
        position, skipped = skipped, _after_misc(content, skipped)
    return content.startswith(b"<!DOCTYPE", position)


def _after_misc(content: bytes, position: int) -> int:
    """What follows the white space, comment or instruction that stands there."""
    for start, end in _MISC:
        if content.startswith(start, position):
            found = content.find(end, position + len(start))
            return position if found < 0 else found + len(end)
    space = _SPACE.match(content, position)
    return position if space is None else space.end()


def _may_be_bare(root: Element, declared: list[re.Match[bytes]], *, as_written: bool) -> bool:
    """Whether there is no default namespace, or it is switched off: below the root, by a "".

    Most documents declare all of theirs at the root.
    """
    at_root = root.nsmap
    if None not in at_root:
        return True
    if len(declared) <= len(at_root):
        return False
    return not as_written or any(_NONE.match(one.string, one.end()) for one in declared)


def _parse(content: bytes, encoding: str | None, *, huge: bool, recover: bool) -> Element:
    try:
        root = etree.fromstring(content, _parser(content, encoding, huge=huge, recover=recover))
    except LookupError:
        raise MalformedXml("the declared encoding is not one we read") from None
    except etree.XMLSyntaxError as error:
        if error.code == etree.ErrorTypes.ERR_NO_MEMORY:
            # Not the document's fault: with more memory it may be read.
            raise MemoryError from None
        if error.code == _RESOURCE_LIMIT:
            raise XmlOverLimit("depth" if "depth" in str(error) else "one text node") from None
        raise MalformedXml("the XML is not well-formed", error.lineno or None) from None
    if root is None:
        raise MalformedXml("there is no XML element in it")
    if root.getroottree().docinfo.doctype:
        raise DoctypeRefused
    return root


def _parser(
    content: bytes,
    encoding: str | None,
    *,
    huge: bool,
    recover: bool,
    target: "_NamespacesInScope | None" = None,
) -> etree.XMLParser:
    # '<!DOCTYPE' outside the prolog is text in CDATA, or input meant to be misread: libxml2's
    # own guards stay on for it.
    unguarded = huge and b"<!DOCTYPE" not in content
    if encoding is None and target is None and len(content) <= _SMALL:
        return _shared_parser(unguarded, recover)
    return _make_parser(encoding, unguarded, recover, target)


@cache
def _shared_parser(unguarded: bool, recover: bool) -> etree.XMLParser:
    """Threads take turns with it, which lxml sees to: hence for what is small alone."""
    return _make_parser(None, unguarded, recover, None)


def _make_parser(
    encoding: str | None, unguarded: bool, recover: bool, target: "_NamespacesInScope | None"
) -> etree.XMLParser:
    return etree.XMLParser(  # type: ignore[call-overload, no-any-return]  # no target is None
        encoding=encoding,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=unguarded,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
        recover=recover,
        target=target,
    )


class _NamespacesInScope:
    """Hears of each declaration and of its end, and builds nothing.

    Whatever part of a tree is written out again carries every namespace in scope, and the tree
    does not tell where they were declared.
    """

    def __init__(self, limit: int) -> None:
        self._left = limit

    def start_ns(self, prefix: str, uri: str) -> None:
        self._left -= 1
        if self._left < 0:
            raise XmlOverLimit("namespaces in scope")

    def end_ns(self, prefix: str) -> None:
        self._left += 1

    def close(self) -> None:
        """What lxml asks of a target."""


def _check(root: Element, content: bytes, limits: Limits, *, huge: bool, recover: bool) -> None:
    """The caps that only the tree can tell, each as one XPath run inside libxml2.

    Those that libxml2 has kept itself, or that the input rules out, are not asked again.
    """
    too_many = limits.attributes + 1
    # A forgiving parse takes tags that XML does not allow: there the signs alone are counted.
    may_exceed = content.count(b"=") >= too_many if recover else _may_have(too_many, content)
    if may_exceed and _xpath(f"boolean(/descendant::*/@*[{too_many}])")(root):
        raise XmlOverLimit("attributes of one element")
    if (huge or limits.depth < _OWN_DEPTH_LIMIT) and _xpath(
        "boolean(" + "/*" * (limits.depth + 1) + ")"
    )(root):
        raise XmlOverLimit("depth")
    length = limits.text_characters
    if len(content) > length and _xpath(f"boolean(//text()[string-length() > {length}])")(root):
        raise XmlOverLimit("one text node")


def _may_have(attributes: int, content: bytes) -> bool:
    """Whether one tag can be long enough for so many: each takes five bytes, as in ` a=""`.

    No `<` stands inside a tag: where the next stride ends, one that came before it ended too.
    """
    length, start, rfind = 5 * attributes, 0, content.rfind
    latest = len(content) - length
    while start <= latest:
        last = rfind(b"<", start, start + length)
        if last < 0:
            last = content.find(b"<", start + length)
            end = len(content) if last < 0 else last
            if content.count(b"=", start, end) >= attributes:
                return True
            last = end
        start = last + 1
    return False


@cache
def _xpath(expression: str) -> etree.XPath:
    return etree.XPath(expression)
