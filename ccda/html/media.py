"""Pictures inside a document (CDA R2: 4.3.5.6, renderMultiMedia): png, jpeg and gif, as data.

The bytes decide, not the declared type; SVG, which can carry script, is no picture here.
"""

import base64
import binascii
from collections.abc import Iterator
from typing import Final

from ccda.hl7v3 import v3
from ccda.html.markup import Html, start, tag, text
from ccda.safe_xml import Element

MOST_PICTURE_BYTES: Final = 2 * 1024 * 1024
MOST_PICTURES_BYTES: Final = 16 * 1024 * 1024
"""Of one page, however often each is shown."""

_SIGNATURES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
_MARKS: Final = tuple(mark for mark, _ in _SIGNATURES)
_MEDIA: Final = frozenset((v3("observationMedia"),))
PICTURE_HOLDERS: Final = _MEDIA | {v3("regionOfInterest")}


class Pictures:
    """A document's pictures by ID, and how much of them the page holds already."""

    def __init__(self, root: Element) -> None:
        self._media: dict[str, Element] = {}
        self._spent = 0
        for holder in root.iter(*PICTURE_HOLDERS):
            media = next(holder.iter(*_MEDIA), None)  # a region of interest is part of a picture
            if media is not None and (identifier := holder.get("ID")):
                self._media.setdefault(identifier, media)

    def show(self, references: str | None, name: str) -> Iterator[Html]:
        """An `img` for each of the IDs, or a sentence that says why there is none."""
        for identifier in (references or "").split():
            data = _data(self._media.get(identifier))
            yield self._picture(data, name) if isinstance(data, bytes) else _note(data)

    def _picture(self, data: bytes, name: str) -> Html:
        if not data.startswith(_MARKS):
            return _note("it is neither PNG, JPEG nor GIF")
        if self._spent + len(data) > MOST_PICTURES_BYTES:
            return _note("it is too large")
        picture = write_picture(data, name)
        if picture is None:
            return _note("it is too large")
        self._spent += len(data)
        return picture


def write_picture(data: bytes, name: str) -> Html | None:
    """An `img` that holds the bytes; None for what is no picture, or too large for a page."""
    media_type = next((kind for mark, kind in _SIGNATURES if data.startswith(mark)), None)
    if media_type is None or len(data) > MOST_PICTURE_BYTES:
        return None
    encoded = base64.b64encode(data).decode("ascii")
    return start("img", src=f"data:{media_type};base64,{encoded}", alt=name)


def _data(media: Element | None) -> bytes | str:
    """The bytes of a picture, or why there are none."""
    value = None if media is None else next(media.iterchildren("{*}value"), None)
    if value is None:
        return "the document does not hold it"
    content = "".join("".join(value.itertext()).split())
    if not content:
        return "it stands outside the document"
    if len(content) > 2 * MOST_PICTURE_BYTES:
        return "it is too large"
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        return "it is not encoded as it should be"


def _note(reason: str) -> Html:
    return tag("span", text(f"[A picture is not shown: {reason}.]"), class_="note")
