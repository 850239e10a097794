"""Which envelopes are kept as one."""

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.exchange.keeping import keep
from gateway.store.wire_messages import MOST_TOGETHER, open_message
from tests.gateway.house import PLAN, open_house

REQUEST, ANSWER = b"<ask/>", b"<tell/>"
LONG = b"<tell>" + bytes(MOST_TOGETHER) + b"</tell>"


@pytest.mark.parametrize(
    ("asked", "answer", "are_one", "opened"),
    [
        (REQUEST, ANSWER, True, {ANSWER}),
        (REQUEST, ANSWER, False, {REQUEST, ANSWER}),
        (REQUEST, LONG, True, {REQUEST, LONG}),
        (REQUEST, None, True, {REQUEST}),
        (None, ANSWER, True, {ANSWER}),
        (None, None, True, set()),
    ],
)
def test_both_are_one_row_where_they_may_and_what_is_long_or_alone_is_not(
    tmp_path: Path,
    asked: bytes | None,
    answer: bytes | None,
    are_one: bool,
    opened: set[bytes],
) -> None:
    """Each for both plans; what is one row opens as the answer, if nobody wants the request."""
    with open_house(tmp_path, furnished=False) as house:
        keys, now = house.archive.blobs.keys, datetime.now(UTC)
        kept = keep(house.archive, asked, answer, [PLAN, None], now=now, are_one=are_one)
        assert len(kept.messages) == 2 * len(opened)
        assert {open_message(keys, message) for message in kept.messages} == opened
        hashes = [None if one is None else sha256(one).hexdigest() for one in (asked, answer)]
        assert [kept.request_hash, kept.answer_hash] == hashes
        nobodys = keep(house.archive, asked, answer, [], now=now, are_one=are_one)
        assert (nobodys.request_hash, nobodys.answer_hash, nobodys.messages) == (None, None, ())
