"""Packages of envelope and documents, read in any portions and kept to the byte."""

import tracemalloc
from base64 import b64encode, encodebytes
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ihe.errors import MalformedMessage, MessageTooLarge, UnexpectedMessage
from ihe.mtom import (
    Event,
    MultipartLimits,
    MultipartReader,
    PartData,
    PartEnd,
    PartStart,
    RootPart,
    is_multipart,
)
from ihe.mtom_writing import MultipartWriter, Part

TYPE = 'multipart/related; type="application/xop+xml"; start="<root@x>"; boundary="b"'


def read(
    message: bytes,
    content_type: str = TYPE,
    *,
    sizes: Iterable[int] = (),
    limits: MultipartLimits | None = None,
) -> list[Event]:
    """All events, an attachment's data joined; `sizes` are those of the first chunks."""
    reader = MultipartReader(content_type, limits=limits or MultipartLimits())
    events: list[Event] = []
    position = 0
    for size in (*sizes, len(message)):
        for event in reader.feed(message[position : position + size]):
            if isinstance(event, PartData) and events and isinstance(events[-1], PartData):
                event = PartData(events.pop().content + event.content)
            events.append(event)
        position += size
    reader.close()
    return events


def package(*parts: bytes, line: bytes = b"\r\n") -> bytes:
    """Parts given as header and content, already joined by a blank line."""
    body = b"".join(b"--b" + line + part + line for part in parts)
    return body + b"--b--" + line


ROOT = b"Content-ID: <root@x>\r\n\r\n<e/>"
ROOT_EVENT = RootPart(b"<e/>", None)


def documents(events: Iterable[Event]) -> list[tuple[str | None, bytes]]:
    found: list[tuple[str | None, bytes]] = []
    for event in events:
        if isinstance(event, PartStart):
            found.append((event.cid, b""))
        elif isinstance(event, PartData):
            found[-1] = (found[-1][0], found[-1][1] + event.content)
    return found


# ---- there and back --------------------------------------------------------------------------


@given(
    st.binary(max_size=200),
    st.lists(st.binary(max_size=300), max_size=4),
    st.lists(st.integers(0, 40), max_size=60),
)
def test_what_is_written_is_read_back_to_the_byte_however_it_is_cut(
    root: bytes, contents: list[bytes], sizes: list[int]
) -> None:
    writer = MultipartWriter(root, boundary="b0undary-7", action="urn:example:action")
    parts = [Part(f"{index}@x", "text/xml", [content]) for index, content in enumerate(contents)]
    message = b"".join(writer.chunks(parts))
    events = read(message, writer.content_type, sizes=sizes)
    assert isinstance(events[0], RootPart)
    assert events[0].content == root
    assert documents(events) == [(f"{i}@x", content) for i, content in enumerate(contents)]


FRAGMENTS = st.sampled_from(
    [b"\r", b"\n", b"\r\n", b"-", b"--", b"--b", b"--bc", b"\r\n--", b"\n--b", b" ", b"\t", b"x"]
)


@given(
    st.lists(FRAGMENTS, max_size=30).map(b"".join),
    st.lists(st.integers(0, 7), max_size=80),
    st.sampled_from([b"\r\n", b"\n"]),
)
def test_any_cutting_of_the_same_bytes_gives_the_same_events(
    content: bytes, sizes: list[int], line: bytes
) -> None:
    part = b"Content-ID: <a@x>" + line + line + content
    message = package(ROOT.replace(b"\r\n", line), part, line=line)

    def outcome(cuts: Iterable[int]) -> object:
        try:
            return read(message, sizes=cuts)
        except MalformedMessage as error:
            return error.reason

    whole = outcome(())
    assert outcome(sizes) == whole
    assert outcome([1] * len(message)) == whole


@given(st.lists(FRAGMENTS, max_size=20).map(b"".join), st.sampled_from([b"\r\n", b"\n"]))
def test_content_without_the_boundary_is_kept_whatever_its_line_ends(
    content: bytes, line: bytes
) -> None:
    content = content.replace(b"--b", b"")
    part = b"Content-ID: <a@x>" + line + line + content
    events = read(package(ROOT.replace(b"\r\n", line), part, line=line))
    assert documents(events) == [("a@x", content)]


PIECE = st.lists(FRAGMENTS, max_size=12).map(b"".join)


@given(PIECE, PIECE, st.integers(0, 30), st.integers(-12, 12), st.integers(0, 60))
def test_a_large_document_is_cut_as_a_small_one_is(
    start: bytes, end: bytes, before: int, shift: int, after: int
) -> None:
    content = start + b"x" * 20_000 + end
    message = package(ROOT, b"Content-ID: <a@x>\r\n\r\n" + content)
    first = message.index(content) + before
    large = message.index(b"x" * 20_000) + 20_000 + shift - first

    def outcome(*sizes: int) -> object:
        try:
            return read(message, sizes=sizes)
        except MalformedMessage as error:
            return error.reason

    assert outcome(first, large, after) == outcome()


@given(st.binary(max_size=400), st.lists(st.integers(0, 40), max_size=20))
def test_noise_gives_an_error_of_ours_or_events(noise: bytes, sizes: list[int]) -> None:
    for message in (noise, b"--b\r\n" + noise, package(ROOT) + noise):
        try:
            read(message, sizes=sizes)
        except MalformedMessage:
            pass


# ---- what senders do -------------------------------------------------------------------------


def test_the_root_may_come_last() -> None:
    attachment = b"Content-ID: <a@x>\r\nContent-Type: text/xml\r\n\r\n<doc/>"
    assert read(package(attachment, ROOT)) == [
        PartStart("a@x", "text/xml"),
        PartData(b"<doc/>"),
        PartEnd(),
        ROOT_EVENT,
    ]


def test_without_a_start_the_first_part_is_the_root() -> None:
    events = read(
        package(b"Content-ID: <any>\r\n\r\n<e/>"), "Multipart/Related; boundary=b; type=x/y"
    )
    assert events == [ROOT_EVENT]


def test_a_start_may_lack_its_brackets() -> None:
    assert read(package(ROOT), 'multipart/related; boundary=b; start="root@x"') == [ROOT_EVENT]


def test_header_names_are_of_any_case_and_fold() -> None:
    part = b"CONTENT-id: <root@x>\r\ncontent-TYPE: application/xop+xml;\r\n\ttype=x\r\n\r\n<e/>"
    assert read(package(part)) == [RootPart(b"<e/>", "application/xop+xml; type=x")]


def test_blank_lines_before_the_header_and_a_preamble_are_skipped() -> None:
    message = b"\r\n\r\nTo whom it may concern\r\n" + package(b"\r\n\r\n" + ROOT)
    assert read(message) == [ROOT_EVENT]


def test_blanks_behind_a_boundary_are_skipped() -> None:
    assert read(b"--b \t \r\n" + ROOT + b"\r\n--b-- \r\nepilogue") == [ROOT_EVENT]


def test_a_line_that_only_begins_like_the_boundary_is_content() -> None:
    content = b"\r\n--bc\r\n--b x\r\n--b-\r\n--b" + b" " * 400 + b"\r\n"
    part = b"Content-ID: <a@x>\r\n\r\n" + content
    assert documents(read(package(ROOT, part))) == [("a@x", content)]


def test_a_part_without_content_may_end_with_its_header() -> None:
    message = b"--b\r\n" + ROOT + b"\r\n--b\r\nContent-ID: <a@x>\r\n\r\n--b--"
    assert read(message) == [ROOT_EVENT, PartStart("a@x", None), PartEnd()]


def test_a_content_id_is_the_same_escaped_or_not() -> None:
    part = b"Content-ID: <a%40urn%3Aihe>\r\n\r\nx"
    assert documents(read(package(ROOT, part))) == [("a@urn:ihe", b"x")]


@given(st.binary(max_size=300), st.lists(st.integers(0, 40), max_size=60))
def test_parts_encoded_as_for_mail_are_decoded_as_they_pass(
    content: bytes, sizes: list[int]
) -> None:
    root = b"Content-Transfer-Encoding: Quoted-Printable\r\n" + ROOT.replace(b"<e", b"=3Ce")
    head = b"Content-ID: <a@x>\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    message = package(root, head + encodebytes(content))
    events = read(message, sizes=sizes)
    assert events[0] == ROOT_EVENT
    assert documents(events) == [("a@x", content)]


def test_the_encoding_of_one_part_is_not_that_of_the_next() -> None:
    encoded = b"Content-ID: <a@x>\r\nContent-Transfer-Encoding: base64\r\n\r\nYQ"
    bare = b"Content-ID: <b@x>\r\n\r\nYQ"
    assert documents(read(package(ROOT, encoded, bare))) == [("a@x", b"a"), ("b@x", b"YQ")]


@pytest.mark.parametrize("line", [b"\n", b"\r\n"])
@pytest.mark.parametrize("content", [b"\r\n<a/>\r\n", b"\n", b"\r", b"\r\r\n\n", b"", b"<a/>\n"])
def test_a_document_keeps_the_line_breaks_at_its_ends(content: bytes, line: bytes) -> None:
    part = b"Content-ID: <a@x>" + line + line + content
    events = read(package(ROOT.replace(b"\r\n", line), part, line=line))
    assert documents(events) == [("a@x", content)]


# ---- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"", "the message ends before its closing boundary"),
        (package(ROOT)[:-4], "the message ends before its closing boundary"),
        (b"--b\r\n" + ROOT, "the message ends before its closing boundary"),
        (b"--b--", "the message has no root part"),
        (package(b"Content-ID: <a@x>\r\n\r\n"), "the message has no root part"),
        (package(ROOT, ROOT), "two parts have one Content-ID"),
        (
            package(b"Content-ID: <a@x>\r\n\r\n", b"Content-ID: <a%40x>\r\n\r\n"),
            "two parts have one Content-ID",
        ),
        (package(b"no field\r\n\r\n"), "a part of the message has a line that is no header field"),
        (
            package(b"Content-ID: <a>\r\nContent-ID: <b>\r\n\r\n"),
            "a part of the message has a header field twice",
        ),
        (
            package(b"Content-ID: <a>\r\nContent-Transfer-Encoding: x-zip\r\n\r\n"),
            "a part's Content-Transfer-Encoding is not known",
        ),
    ],
)
def test_a_package_that_is_none_is_refused(message: bytes, reason: str) -> None:
    with pytest.raises(MalformedMessage) as error:
        read(message)
    assert error.value.reason == reason


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/related",
        'multipart/related; boundary=""',
        f'multipart/related; boundary="{"b" * 201}"',
        'multipart/related; boundary="b\\\r\n"',
        "multipart/related; boundary=b; =",
        "nonsense",
        "",
    ],
)
def test_a_content_type_without_a_usable_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(MalformedMessage):
        MultipartReader(content_type)


def test_another_content_type_is_refused() -> None:
    with pytest.raises(UnexpectedMessage):
        MultipartReader("multipart/mixed; boundary=b")


LIMITS = MultipartLimits(
    root_bytes=100, parts=3, header_bytes=100, preamble_bytes=100, total_bytes=2000
)


@pytest.mark.parametrize(
    "message",
    [
        package(ROOT + b"x" * 101),
        package(b"Content-Transfer-Encoding: base64\r\n" + ROOT[:-4] + b64encode(b"x" * 101)),
        package(ROOT, *(b"Content-ID: <%d>\r\n\r\n" % index for index in range(3))),
        package(b"X: " + b"x" * 100 + b"\r\n" + ROOT),
        package(b"\r\n" * 51 + ROOT),
        package(ROOT, b"Content-ID: <a>\r\n\r\n" + b"x" * 2000),
    ],
)
@pytest.mark.parametrize("sizes", [(), [1] * 2500])
def test_what_is_over_a_limit_is_refused(message: bytes, sizes: list[int]) -> None:
    with pytest.raises(MessageTooLarge):
        read(message, sizes=sizes, limits=LIMITS)


def test_a_preamble_without_end_is_refused() -> None:
    with pytest.raises(MalformedMessage, match="does not begin with its boundary"):
        read(b"x" * 200, limits=LIMITS)


# ---- cost ------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["binary", "quoted-printable", "base64"])
def test_a_document_of_any_size_passes_in_constant_memory(encoding: str) -> None:
    writer = MultipartWriter(b"<e/>", boundary="b")
    reader = MultipartReader(writer.content_type)
    opening = writer.part_opening("a@x", "text/xml")
    stated = f"Content-Transfer-Encoding: {encoding}".encode()
    reader.feed(writer.opening() + opening.replace(b"Content-Transfer-Encoding: binary", stated))
    chunk = b"\n--c" * 16 * 1024 if encoding != "base64" else b"\ncccc" * 12 * 1024
    sent = 500 * (len(chunk) if encoding != "base64" else 12 * 1024 * 3)
    size = 0
    tracemalloc.start()
    try:
        for _ in range(500):
            for event in reader.feed(chunk):
                assert isinstance(event, PartData)
                size += len(event.content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    events = reader.feed(writer.closing())
    size += sum(len(event.content) for event in events if isinstance(event, PartData))
    reader.close()
    assert size == sent
    assert peak < 8 * len(chunk)


# ---- writing ---------------------------------------------------------------------------------


def test_how_long_a_message_will_be_is_known_where_its_parts_are() -> None:
    writer = MultipartWriter(b"<e/>", boundary="b-1")
    for contents in ([], [b"one"], [b"", b"two" * 9000]):
        parts = [Part(f"{n}@x", "text/xml", [c], len(c)) for n, c in enumerate(contents)]
        assert writer.size_of(parts) == len(b"".join(writer.chunks(parts)))
    assert writer.size_of([Part("1@x", "text/xml", [b"one"], 3), Part("2@x", "a/b", [b""])]) is None


def test_the_content_type_says_what_a_peer_needs() -> None:
    writer = MultipartWriter(b"<e/>", boundary="b-1", action="urn:ihe:iti:2007:X")
    assert writer.content_type == (
        'multipart/related; type="application/xop+xml"; start="<root.b-1@gateway>"; '
        'boundary="b-1"; start-info="application/soap+xml"; action="urn:ihe:iti:2007:X"'
    )
    assert is_multipart(writer.content_type)
    assert not is_multipart("application/soap+xml; charset=UTF-8")


@pytest.mark.parametrize("boundary", ["", "b" * 71, "b b", 'b"', "b\r\n"])
def test_a_boundary_that_needs_quoting_is_not_written(boundary: str) -> None:
    with pytest.raises(ValueError, match="boundary"):
        MultipartWriter(b"", boundary=boundary)


@pytest.mark.parametrize(("cid", "content_type"), [("a\r\nb", "x/y"), ("a", "x/y\r\nEvil: 1")])
def test_a_header_field_is_not_split(cid: str, content_type: str) -> None:
    with pytest.raises(ValueError, match="printable"):
        MultipartWriter(b"", boundary="b").part_opening(cid, content_type)


# ---- real messages ---------------------------------------------------------------------------

TOOLKIT = Path(__file__).resolve().parents[3] / "shared/samples/ihe/iheos-toolkit2"


@pytest.mark.public_samples
def test_a_package_of_the_nist_toolkit_is_read() -> None:
    message = (TOOLKIT / "mtom_sample_pnr_multipart.txt").read_bytes()
    boundary = message.split(b"\n", 1)[0].strip()[2:].decode()
    events = read(message, f'multipart/related; boundary="{boundary}"', sizes=[7] * 1000)
    assert isinstance(events[0], RootPart)
    assert events[0].content.lstrip().startswith(b"<?xml")
    assert documents(events)
