"""What a message carries, found by its bytes: documents, notices, pictures, text.

Whatever type and name a part declares, the bytes decide (as in `reading`). Archives and messages
inside messages are opened, within one budget for the whole message; what was found says where it
stood. Nothing is left out: what we do not know is found as `other`, and what could not be opened
is a problem in words.
"""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from direct.context import Context, find_context_part, read_context
from direct.mdn import NOTICE_TYPES, STATUS_TYPES
from direct.message import DirectMessage
from direct.mime import Part
from gateway.exchange.adt import MEDIA_TYPE, is_hl7v2
from gateway.exchange.reading import sniff
from ihe.errors import MalformedMessage, MessageTooLarge
from ihe.metadata import DocumentEntry, SubmissionSet
from ihe.xdm import XdmFile, read_xdm
from ihe.zip_archive import ZipLimits, is_zip

Kind = Literal["cda", "xml", "pdf", "image", "text", "html", "hl7v2", "other"]

_GZIP: Final = b"\x1f\x8b\x08"
_PROLOG: Final = re.compile(r"\s*(?:<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*(?:\[.*?\])?\s*>)", re.S)
_ROOT: Final = re.compile(r"\s*<(?:([A-Za-z_][\w.-]*):)?([A-Za-z_][\w.-]*)")
_HEAD_BYTES: Final = 64 * 1024
_REPORTS: Final = NOTICE_TYPES | STATUS_TYPES
_SEALED: Final = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_SIGNATURES: Final = frozenset({"application/pkcs7-signature", "application/x-pkcs7-signature"})
_IMAGES: Final = "image/"
_MORE_SIGNATURES: Final = ((b"GIF8", "image/gif"), (b"BM", "image/bmp"))
_DEPTH: Final = 4
_MOST_FOUND: Final = 2000


@dataclass(frozen=True, slots=True)
class ContentLimits:
    """What one message may unpack to, all archives together."""

    total_bytes: int = 96 * 1024 * 1024
    gzip_ratio: int = 200
    free_bytes: int = 1024 * 1024


DEFAULT_LIMITS: Final = ContentLimits()


@dataclass(frozen=True, slots=True)
class Found:
    """One thing in a message. `where` are the steps to it: parts, then files in archives.

    `media_type` is by content, `declared` by the sender; `entry` and `submission_set` come from
    an XDM package. `is_body`: text meant to be read as the message itself.
    """

    kind: Kind
    content: bytes = field(repr=False)
    media_type: str
    where: tuple[str, ...]
    declared: str | None = None
    filename: str | None = None
    entry: DocumentEntry | None = None
    submission_set: SubmissionSet | None = None
    is_body: bool = False
    defects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MailContent:
    """All of it, in its order. `problems` says what could not be opened and why."""

    found: tuple[Found, ...]
    context: Context | None = None
    problems: tuple[str, ...] = ()

    @property
    def documents(self) -> tuple[Found, ...]:
        """The clinical documents."""
        return tuple(each for each in self.found if each.kind == "cda")


def find_content(message: DirectMessage, *, limits: ContentLimits = DEFAULT_LIMITS) -> MailContent:
    """What the message carries. Never fails for what a part holds; see `MailContent.problems`."""
    search = ContentSearch(message, limits)
    found = tuple(search.found())
    return MailContent(found, search.context, tuple(search.problems))


class ContentSearch:
    """Opens one message's parts; keeps the budget and the problems."""

    def __init__(self, message: DirectMessage, limits: ContentLimits = DEFAULT_LIMITS) -> None:
        self._message = message
        self._limits = limits
        self._left = limits.total_bytes
        self.context: Final = read_context(message)
        self.problems: Final[list[str]] = []
        """Those that were met so far."""

    def found(self) -> Iterator[Found]:
        """What it carries, one after the other, as `find_content`."""
        metadata = find_context_part(self._message)
        skipped = None if self.context is None or metadata is None else metadata.path
        left = _MOST_FOUND
        for part in self._message.parts:
            if part.path == skipped and part.path != "":
                continue
            for one in self.part(part):
                if left == 0:
                    self.problems.append("the message carries more than we list")
                    return
                left -= 1
                yield one

    def part(self, part: Part) -> Iterator[Found]:
        declared = part.media_type.value
        if declared in _REPORTS or declared in _SIGNATURES:
            return
        content, is_whole = part.decoded()
        if not content.strip():
            return  # an empty part says nothing; many senders leave one
        disposition = part.disposition
        attached = disposition is not None and disposition.value == "attachment"
        given = Found(
            kind="other",
            content=content,
            media_type="application/octet-stream",
            where=(f"part {part.path}" if part.path else "the message",),
            declared=declared if part.header.first("Content-Type") is not None else None,
            filename=part.filename,
            is_body=declared.startswith("text/") and not attached and part.filename is None,
            defects=() if is_whole else ("its transfer encoding is damaged",),
        )
        if declared in _SEALED:
            self._tell(given, "it is sealed once more, and was not opened")
        yield from self.open(given, _DEPTH)

    def open(self, given: Found, depth: int) -> Iterator[Found]:
        """What `given` is, or what is in it."""
        if is_zip(given.content):
            yield from self._open_zip(given, depth)
        elif given.content.startswith(_GZIP):
            yield from self._open_gzip(given, depth)
        else:
            kind, media_type = classify(given.content)
            is_body = given.is_body and kind in ("text", "html")
            yield replace(given, kind=kind, media_type=media_type, is_body=is_body)

    def _open_zip(self, given: Found, depth: int) -> Iterator[Found]:
        unopened = replace(given, media_type="application/zip", is_body=False)
        if depth == 0:
            self._tell(given, "archives inside archives are not opened any deeper")
            yield unopened
            return
        try:
            package = read_xdm(given.content, limits=ZipLimits(total_bytes=self._left))
        except (MalformedMessage, MessageTooLarge) as error:
            self._tell(given, error.reason)
            yield unopened
            return
        self._left -= sum(len(file.content) for file in package.files)
        for defect in package.defects:
            self._tell(given, defect)
        if any(file.path == "[Content_Types].xml" for file in package.files):
            yield unopened  # an office document is a zip too
            return
        for file in package.documents:
            if file.content.strip():
                yield from self.open(_in_archive(given, file), depth - 1)

    def _open_gzip(self, given: Found, depth: int) -> Iterator[Found]:
        try:
            content = self._inflate(given.content) if depth else None
        except (zlib.error, MessageTooLarge):
            content = None
        if content is None:
            self._tell(given, "the compressed file cannot be opened, or not within our limits")
            yield replace(given, media_type="application/gzip", is_body=False)
            return
        self._left -= len(content)
        inner = replace(given, content=content, where=(*given.where, "uncompressed"))
        yield from self.open(inner, depth - 1)

    def _inflate(self, content: bytes) -> bytes:
        limits = self._limits
        most = min(self._left, max(limits.free_bytes, len(content) * limits.gzip_ratio))
        inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
        inflated = inflater.decompress(content, most + 1)
        if len(inflated) > most or not inflater.eof:
            raise MessageTooLarge("a compressed file unpacks to more than we take")
        return inflated

    def _tell(self, given: Found, reason: str) -> None:
        """Without the names of files: records say what is told here, and a name may be a
        patient's."""
        part, *inside = given.where
        if len(self.problems) < 100:
            self.problems.append(f"{part}{', inside its archive' if inside else ''}: {reason}")


def _in_archive(given: Found, file: XdmFile) -> Found:
    declared = file.entry.mime_type if file.entry is not None else None
    return replace(
        given,
        content=file.content,
        where=(*given.where, file.path),
        declared=declared,
        filename=file.path.rpartition("/")[2],
        entry=file.entry,
        submission_set=file.submission_set,
        is_body=False,
        defects=file.defects,
    )


# ---- what bytes are --------------------------------------------------------------------------


def classify(content: bytes) -> tuple[Kind, str]:
    """The kind and media type that the bytes show."""
    if is_hl7v2(content):
        return "hl7v2", MEDIA_TYPE
    media_type = sniff(content)
    for signature, more in _MORE_SIGNATURES:
        if media_type in ("text/plain", "application/octet-stream") and content.startswith(
            signature
        ):
            media_type = more if more != "image/bmp" or b"\0" in content[:32] else media_type
    match media_type:
        case "text/xml":
            return _kind_of_xml(content)
        case "application/pdf":
            return "pdf", media_type
        case "text/plain" | "text/rtf":
            return "text", media_type
        case _:
            return ("image" if media_type.startswith(_IMAGES) else "other"), media_type


def _kind_of_xml(content: bytes) -> tuple[Kind, str]:
    name = root_name(content)
    if name == "ClinicalDocument":
        return "cda", "text/xml"
    if name is not None and name.lower() == "html":
        return "html", "text/html"
    return ("text", "text/plain") if name is None else ("xml", "text/xml")


def root_name(content: bytes) -> str | None:
    """The local name of the first element; None where none stands near the beginning."""
    head = content[:_HEAD_BYTES]
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in head[:4]:
        little = head[:2] == b"\xff\xfe" or head[1:2] == b"\0"
        text = head.decode("utf-16-le" if little else "utf-16-be", "replace").lstrip("\ufeff")
    else:
        text = head.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    position = 0
    while (skipped := _PROLOG.match(text, position)) is not None:
        position = skipped.end()
    found = _ROOT.match(text, position)
    return None if found is None else found[2]
