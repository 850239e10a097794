"""How a document stands in a message: as base64, or as the MTOM part that an include names."""

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


def _inline(text: str) -> bytes | None:
    """Base64, or XML that was put there as text (as some staging sites do)."""
    if text.lstrip().startswith("<"):
        return text.strip().encode()
    try:
        return b64decode("".join(text.split()), validate=True) or None
    except (NotBase64, ValueError):
        return None
