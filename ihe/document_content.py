"""How a document stands in a message: as base64, or as the MTOM part that an include names."""

import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

from lxml import etree

from ccda.safe_xml import Element
from ihe.errors import MalformedMessage
from ihe.namespaces import XOP

_INCLUDE: Final = f"{{{XOP}}}Include"
_DECLARED: Final = re.compile(r"""<\?xml\s[^>]*?\bencoding\s*=\s*["']([A-Za-z][\w.-]*)["']""")
_BLANKS: Final = "\ufeff \t\r\n"


@dataclass(frozen=True, slots=True)
class ContentId:
    """The MTOM part that holds a document: its Content-ID without brackets, not percent-encoded."""

    value: str


def read_content(document: Element | None) -> bytes | ContentId | None:
    """A document as it was put into `Document`; None when there is nothing.

    Raises:
        MalformedMessage: an include that is no `cid:`.
    """
    if document is None:
        return None
    include = document.find(_INCLUDE)
    if include is not None:
        return ContentId(_content_id(include.get("href", "")))
    if len(document):
        # Quirk: the document's own XML as child, instead of base64; seen on staging sites.
        return etree.tostring(document[0], with_tail=False)
    return _inline(document.text or "")


def write_content(holder: Element, content: bytes | ContentId) -> None:
    """Puts the content, or what names its part, into `Document`."""
    if isinstance(content, ContentId):
        # RFC 2392: 2: a cid URL is the Content-ID, percent-encoded.
        etree.SubElement(holder, _INCLUDE, {"href": "cid:" + quote(content.value, safe="@")})
    else:
        holder.text = b64encode(content).decode()


def _content_id(href: str) -> str:
    """The part that an include names. Any other URL would have us fetch what a peer chooses."""
    if href[:4].lower() != "cid:" or not href[4:]:
        raise MalformedMessage("an include is no cid: URL")
    return unquote(href[4:])


def _encoded(xml: str) -> bytes:
    """Text as the bytes that it declares to be: its reader believes the declaration.

    What the declared encoding lacks stands as a character reference.
    """
    declared = _DECLARED.match(xml)
    try:
        return xml.encode(declared.group(1) if declared else "utf-8", "xmlcharrefreplace")
    except (LookupError, UnicodeError):  # no encoding, or none of text
        return xml.encode()


def _inline(text: str) -> bytes | None:
    """Base64, or XML that was put there as text (as some staging sites do)."""
    bare = text.strip(_BLANKS)
    if bare.startswith("<"):
        return _encoded(bare)
    try:
        return b64decode("".join(text.split()), validate=True) or None
    except (NotBase64, ValueError):
        return None
