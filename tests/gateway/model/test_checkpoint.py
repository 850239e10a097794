"""A checkpoint is a signed note: what it says counts only under the key that is expected."""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.model.checkpoint import (
    Checkpoint,
    InvalidCheckpoint,
    LogKey,
    read_checkpoint,
    write_checkpoint,
)

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
LOG = LogKey("gateway/2.999.1", KEY.public_key())
MADE = Checkpoint(
    "gateway/2.999.1", 12, b"\x07" * 32, "ab" * 32, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
)


def test_what_was_written_is_read_and_a_key_is_its_text() -> None:
    note = write_checkpoint(MADE, KEY)
    assert note.split("\n")[:2] == ["gateway/2.999.1", "12"]
    assert read_checkpoint(note, LogKey.parse(f"{LOG.text}\n")) == MADE


@pytest.mark.parametrize("line", [0, 1, 2, 3, 4, 6])
def test_no_line_of_it_can_be_changed(line: int) -> None:
    lines = write_checkpoint(MADE, KEY).split("\n")
    place = -len(lines[line]) // 2  # the last characters of base64 may say nothing
    other = "1" if lines[line][place] != "1" else "2"
    lines[line] = lines[line][:place] + other + lines[line][place:][1:]
    with pytest.raises(InvalidCheckpoint):
        read_checkpoint("\n".join(lines), LOG)


def test_the_signature_of_another_key_under_our_name_is_none() -> None:
    other = Ed25519PrivateKey.generate()
    with pytest.raises(InvalidCheckpoint, match="not signed"):
        read_checkpoint(write_checkpoint(MADE, other), LOG)


def test_what_another_log_has_signed_is_not_ours() -> None:
    other = Checkpoint("gateway/2.999.2", MADE.size, MADE.root, MADE.head, MADE.at)
    with pytest.raises(InvalidCheckpoint):
        read_checkpoint(write_checkpoint(other, KEY), LOG)


def test_a_cosignature_beside_ours_does_no_harm() -> None:
    note = write_checkpoint(MADE, KEY) + "\N{EM DASH} witness.example AAAAAAAA\n"
    assert read_checkpoint(note, LOG) == MADE


@pytest.mark.parametrize("text", ["", "\n\n", "a+b", "x", "gateway+00000000+AAAA"])
def test_what_is_no_key_and_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(InvalidCheckpoint):
        LogKey.parse(text)
    with pytest.raises(InvalidCheckpoint):
        read_checkpoint(text, LOG)
