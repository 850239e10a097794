"""A submission that drips, stops or is cut, over a real socket: nothing of it is half stored."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.api.soap_place import Place, elsewhere
from tests.gateway.house import PLAN, contents, open_house, records, refusals, serving
from tests.gateway.submitting import (
    a_submission,
    a_take_rule,
    an_entry,
    package,
    parts_of,
    sealed,
    submit,
    the_ccd,
)

CONTENT = the_ccd()
BROKEN = "the connection ended before the message"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with open_house(tmp_path, rules=[a_take_rule()]) as house, serving(house) as door:
        yield Place(house, door)


def files(place: Place) -> set[Path]:
    return {one for one in place.house.archive.blobs.folder(PLAN).rglob("*") if one.is_file()}


def request(content: bytes = CONTENT) -> tuple[bytes, bytes]:
    """The head and the content of a submission, as they go over the socket."""
    given = a_submission((an_entry(content), content))
    content_type, body = package(sealed(given).envelope, parts_of(given, [content]))
    head = (
        f"POST /ihe/xdr HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode(), body


def recorded(place: Place) -> list[str | None]:
    return [one.reason for one in records(place.house) if one.partner is not None]


@pytest.mark.parametrize("share", [0.3, 0.6, 0.99])
def test_what_breaks_off_leaves_no_row_and_no_file(place: Place, share: float) -> None:
    large = CONTENT + b"<!--" + b"x" * 9_000_000 + b"-->"  # two pieces and more
    head, body = request(large)
    before, stored = elsewhere(place), files(place)
    with place.door.connected() as connection:
        connection.sendall(head + body[: int(len(body) * share)])
        connection.unwrap() if share > 0.9 else connection.shutdown(socket.SHUT_RDWR)
    place.settled_record(BROKEN)
    assert elsewhere(place) == before
    assert files(place) == stored
    assert contents(place.house)["document"] == before["document"]


def test_what_lacks_its_closing_boundary_is_refused_whole(place: Place) -> None:
    head, body = request()
    cut = body[: body.rindex(b"\r\n--")]
    head = head.replace(str(len(body)).encode(), str(len(cut)).encode())
    before, stored = elsewhere(place), files(place)
    with place.door.connected() as connection:
        connection.sendall(head + cut)
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 400")
    assert elsewhere(place) == before and files(place) == stored
    assert recorded(place) == ["the message ends before its closing boundary"]


def test_a_client_that_drips_is_heard_to_the_end(place: Place) -> None:
    head, body = request()
    with place.door.connected() as connection:
        connection.sendall(head)
        step = len(body) // 40
        for start in range(0, len(body), step):
            connection.sendall(body[start : start + step])
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 200")
    assert recorded(place) == [None]


def test_after_a_broken_one_the_same_submission_is_taken(place: Place) -> None:
    entry = an_entry(CONTENT)
    given = a_submission((entry, CONTENT))
    content_type, body = package(sealed(given).envelope, parts_of(given, [CONTENT]))
    head = f"POST /ihe/xdr HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\n"
    with place.door.connected() as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:-2000])
    place.settled_record(BROKEN)
    assert submit(place.door, given, CONTENT).errors == ()
    assert refusals(place.house).total() == 0
