"""A zip read from bytes, and nothing written anywhere (APPNOTE 6.3: 4.3, 4.4).

Strategy: the central directory is read by hand, because what an archive may cost is decided
before anything is decompressed: how many files, how large, how far blown up, whether two of them
share the same bytes (CVE-2024-0450). Then each is decompressed into no more than it declared.
Names are words to compare and to show: none ever becomes a path on our disk, and one that would
climb out of a folder refuses the archive (zip slip).
"""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from ihe.errors import MalformedMessage, MessageTooLarge

_END: Final = struct.Struct("<4s4H2LH")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_END_MARK: Final = b"PK\x05\x06"
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_DRIVE: Final = re.compile(r"[A-Za-z]:")
_LONGEST_COMMENT: Final = 65535
_STORED, _DEFLATED = 0, 8
_ENCRYPTED: Final = 0x1
_UTF8: Final = 0x800


@dataclass(frozen=True, slots=True)
class ZipLimits:
    """How much of an archive we take. Below `free_bytes` a file may be blown up at will."""

    files: int = 2000
    file_bytes: int = 64 * 1024 * 1024
    total_bytes: int = 96 * 1024 * 1024
    ratio: int = 200
    free_bytes: int = 1024 * 1024


DEFAULT_LIMITS: Final = ZipLimits()


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """A file of the archive; `name` has forward slashes and no root."""

    name: str
    method: int
    is_encrypted: bool
    crc: int
    packed_bytes: int
    size_bytes: int
    start: int
    """Where its packed bytes begin."""


def is_zip(content: bytes) -> bool:
    """Whether the bytes begin as an archive does, an empty one too."""
    return content.startswith((b"PK\x03\x04", _END_MARK))


def list_files(content: bytes, *, limits: ZipLimits = DEFAULT_LIMITS) -> tuple[ZipEntry, ...]:
    """The files, folders left out, in the order of the directory.

    Raises:
        MalformedMessage: no archive that can be read, two files share bytes, or a name climbs.
        MessageTooLarge: a limit is reached.
    """
    places: list[tuple[int, int]] = []
    found: list[ZipEntry] = []
    total = 0
    for number, (entry, place) in enumerate(_directory(content), 1):
        if number > limits.files:
            raise MessageTooLarge("the zip holds more files than we take")
        places.append(place)
        if entry is None:
            continue
        total += entry.size_bytes
        if entry.size_bytes > limits.file_bytes or total > limits.total_bytes:
            raise MessageTooLarge("the zip unpacks to more than we take")
        if entry.size_bytes > max(limits.free_bytes, entry.packed_bytes * limits.ratio):
            raise MessageTooLarge("a file in the zip is blown up further than documents are")
        found.append(entry)
    places.sort()
    for (_, end), (start, _) in pairwise(places):
        if start < end:
            raise MalformedMessage("two files of the zip share the same bytes")
    return tuple(found)


def unpack(content: bytes, entry: ZipEntry) -> bytes:
    """The file's bytes.

    Raises:
        MalformedMessage: encrypted, packed in a way that we do not read, or not what it declares.
    """
    if entry.is_encrypted:
        raise MalformedMessage("a file in the zip is encrypted")
    packed = memoryview(content)[entry.start : entry.start + entry.packed_bytes]
    if entry.method == _STORED:
        unpacked = bytes(packed)
    elif entry.method == _DEFLATED:
        unpacked = _inflate(packed, entry.size_bytes)
    else:
        raise MalformedMessage("a file in the zip is packed in a way that we do not read")
    if len(unpacked) != entry.size_bytes or zlib.crc32(unpacked) != entry.crc:
        raise MalformedMessage("a file in the zip is not what its directory says")
    return unpacked


def _inflate(packed: memoryview, size: int) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        # One byte more than declared is enough to see that there is more.
        return inflater.decompress(packed, size + 1)
    except zlib.error:
        raise MalformedMessage("a file in the zip cannot be unpacked") from None


# ---- the directory ---------------------------------------------------------------------------


def _directory(content: bytes) -> Iterator[tuple[ZipEntry | None, tuple[int, int]]]:
    """Each file, None for a folder, and the bytes from its own header to its end."""
    position, end, shift = _find_directory(content)
    while position < end:
        if end - position < _CENTRAL.size:
            raise MalformedMessage("the directory of the zip is cut off")
        fields = _CENTRAL.unpack_from(content, position)
        if fields[0] != b"PK\x01\x02":
            raise MalformedMessage("the directory of the zip cannot be read")
        flags, method, crc, packed, size = fields[3], fields[4], *fields[7:10]
        name_length, extra_length, comment_length, offset = *fields[10:13], fields[16]
        raw = content[position + _CENTRAL.size : position + _CENTRAL.size + name_length]
        position += _CENTRAL.size + name_length + extra_length + comment_length
        header = offset + shift
        start = _packed_start(content, header)
        if start + packed > len(content):
            raise MalformedMessage("a file in the zip is cut off")
        name = _read_name(raw, is_utf8=bool(flags & _UTF8))
        is_folder = raw[-1:] in (b"/", b"\\") or not name
        entry = ZipEntry(name, method, bool(flags & _ENCRYPTED), crc, packed, size, start)
        yield None if is_folder else entry, (header, start + packed)


def _find_directory(content: bytes) -> tuple[int, int, int]:
    """Where the directory begins and ends, and how far everything is shifted by what was put
    before the archive.
    """
    at = len(content)
    earliest = max(0, len(content) - _LONGEST_COMMENT - _END.size)
    while (at := content.rfind(_END_MARK, earliest, at)) >= 0:
        if at + _END.size > len(content):
            continue
        *_, size, offset, comment = _END.unpack_from(content, at)
        shift = at - size - offset
        # Bytes behind the archive are let pass; a mark inside a comment leads nowhere.
        if shift >= 0 and at + _END.size + comment <= len(content):
            return at - size, at, shift
    raise MalformedMessage("the zip has no directory that we can read")


def _packed_start(content: bytes, header: int) -> int:
    if not 0 <= header <= len(content) - _LOCAL.size:
        raise MalformedMessage("the directory of the zip points outside of it")
    fields = _LOCAL.unpack_from(content, header)
    if fields[0] != b"PK\x03\x04":
        raise MalformedMessage("the directory of the zip points to no file")
    return int(header + _LOCAL.size + fields[9] + fields[10])


def _read_name(raw: bytes, *, is_utf8: bool) -> str:
    """The name with forward slashes, without what makes it absolute.

    Quirk: .NET before 4.6.1 wrote backslashes; seen in samples/direct/nhin-d, samplexdm.zip.
    """
    try:
        text = raw.decode("utf-8" if is_utf8 else "cp437")
    except UnicodeDecodeError:
        text = raw.decode("cp437")
    steps = [step for step in text.replace("\\", "/").split("/") if step not in ("", ".")]
    if ".." in steps or _CONTROL.search(text) or _DRIVE.match("".join(steps[:1])):
        raise MalformedMessage("a name in the zip leads out of it")
    return "".join(map(_shown, "/".join(steps)))


def _shown(letter: str) -> str:
    """Itself, or what may be shown in its place: macOS writes odd spaces into names."""
    if letter.isprintable():
        return letter
    return " " if letter.isspace() else "\ufffd"
