"""Each danger of a hostile zip: slips, bombs, overlaps, floods, encryption, lies."""

import io
import struct
import tracemalloc
import warnings
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ihe.errors import IheError, MalformedMessage, MessageTooLarge
from ihe.xdm import read_xdm
from ihe.zip_archive import ZipLimits, list_files, unpack


def zipped(*files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", method) as archive:
        warnings.simplefilter("ignore")  # of a name that stands twice
        for name, content in files:
            archive.writestr(name, content)
    return buffer.getvalue()


def changed(raw: bytes, offset: int, layout: str, value: int) -> bytes:
    """`raw` with a field of its first directory entry changed."""
    at = raw.index(b"PK\x01\x02") + offset
    size = struct.calcsize(layout)
    return raw[:at] + struct.pack(layout, value) + raw[at + size :]


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "a/../../b",
        "..\\..\\windows\\x",
        "a/..",
        "C:\\x",
        "c:x",
        "a\nb",
        "a\x1bb",
    ],
)
def test_zip_slip_refuses_the_archive(name: str) -> None:
    with pytest.raises(MalformedMessage, match="leads out"):
        read_xdm(zipped((name, b"x")))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("shot 10.00\u202fAM.png", "shot 10.00 AM.png"),  # as macOS names them
        ("a\u00a0b", "a b"),
        ("a\u200eb", "a\ufffdb"),
        ("a\ue000b", "a\ufffdb"),
        ("Visit 12:30.xml", "Visit 12:30.xml"),
    ],
)
def test_a_name_of_odd_letters_keeps_no_file_out(name: str, shown: str) -> None:
    package = read_xdm(zipped((name, b"x"), ("b.xml", b"<b/>")))
    assert [file.path for file in package.files] == [shown, "b.xml"]


def test_a_root_in_front_of_a_name_is_dropped() -> None:
    assert [each.name for each in list_files(zipped(("/IHE_XDM//./A.XML", b"x")))] == [
        "IHE_XDM/A.XML"
    ]


def test_zip_bomb_is_refused_before_it_is_unpacked() -> None:
    with pytest.raises(MessageTooLarge, match="blown up"):
        read_xdm(zipped(("a", bytes(60_000_000))))


def test_zip_bomb_of_many_files_is_refused() -> None:
    files = [(str(number), bytes(1_000_000)) for number in range(140)]
    with pytest.raises(MessageTooLarge, match="unpacks to more"):
        read_xdm(zipped(*files))


def test_zip_bomb_that_lies_about_its_size_yields_no_more_than_it_said() -> None:
    raw = changed(zipped(("a", bytes(50_000_000))), 24, "<L", 1000)
    (entry,) = list_files(raw)
    tracemalloc.start()
    with pytest.raises(MalformedMessage, match="not what its directory says"):
        unpack(raw, entry)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 5_000_000
    assert read_xdm(raw).defects == ("a file in the zip is not what its directory says",)


def test_zip_overlap_is_refused() -> None:
    """CVE-2024-0450: many entries of the directory over one compressed file."""
    raw = zipped(("a", b"x" * 1000), ("b", b"y" * 1000))
    second = raw.rindex(b"PK\x01\x02")
    overlapped = raw[: second + 42] + struct.pack("<L", 0) + raw[second + 46 :]
    with pytest.raises(MalformedMessage, match="share the same bytes"):
        read_xdm(overlapped)


def test_zip_flood_of_files_is_refused() -> None:
    raw = zipped(*((str(number), b"") for number in range(2001)), method=zipfile.ZIP_STORED)
    with pytest.raises(MessageTooLarge, match="more files"):
        read_xdm(raw)


def test_zip_with_an_encrypted_file_gives_the_others() -> None:
    raw = changed(zipped(("a", b"secret"), ("b", b"open")), 8, "<H", 1)
    package = read_xdm(raw)
    assert [file.path for file in package.files] == ["b"]
    assert package.defects == ("a file in the zip is encrypted",)


def test_zip_packed_in_another_way_is_said() -> None:
    package = read_xdm(zipped(("a", b"x" * 100), method=zipfile.ZIP_LZMA))
    assert package.files == ()
    assert package.defects == ("a file in the zip is packed in a way that we do not read",)


def test_a_name_that_stands_twice_counts_once_and_is_said() -> None:
    package = read_xdm(zipped(("a", b"first"), ("a", b"second")))
    assert [file.content for file in package.files] == [b"first"]
    assert package.defects


def test_a_changed_byte_is_seen() -> None:
    raw = zipped(("a", b"hello world"), method=zipfile.ZIP_STORED)
    package = read_xdm(raw.replace(b"hello", b"hallo"))
    assert package.files == ()
    assert len(package.defects) == 1


def test_bytes_before_and_behind_an_archive_are_let_pass() -> None:
    raw = b"a script\n" + zipped(("a", b"x")) + b"\r\n"
    assert [file.content for file in read_xdm(raw).files] == [b"x"]


@pytest.mark.parametrize("cut", [0, 3, 10, 30, 60, 90])
def test_an_archive_that_is_cut_is_refused(cut: int) -> None:
    raw = zipped(("a", b"hello world" * 10))
    with pytest.raises(MalformedMessage):
        read_xdm(raw[: len(raw) - 30][:cut] if cut else b"")


def test_metadata_with_entities_is_refused_and_the_rest_kept() -> None:
    hostile = b'<!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/hostname">]><x>&y;</x>'
    package = read_xdm(zipped(("METADATA.XML", hostile), ("a.xml", b"<a/>")))
    assert package.defects == ("METADATA.XML cannot be read: a DOCTYPE is not accepted",)
    assert [file.path for file in package.documents] == ["a.xml"]


def test_limits_are_the_callers() -> None:
    raw = zipped(("a", b"x" * 100))
    with pytest.raises(MessageTooLarge):
        read_xdm(raw, limits=ZipLimits(total_bytes=99))
    assert zlib.crc32(read_xdm(raw).files[0].content) == zlib.crc32(b"x" * 100)


@given(st.binary(max_size=200), st.integers(0, 400), st.binary(max_size=8))
def test_a_damaged_archive_is_read_or_refused(content: bytes, at: int, damage: bytes) -> None:
    raw = zipped(("a", content), ("METADATA.XML", b"<x/>"))
    try:
        read_xdm(raw[:at] + damage + raw[at + len(damage) :])
    except IheError:
        pass
