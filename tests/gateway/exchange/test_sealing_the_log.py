"""The log's checkpoints: when one is due, what it signs, and that it lies outside at last."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.app.house import House, log_seal
from gateway.app.working import working
from gateway.clients import checkpoint_folder
from gateway.clients.audit_client import NotSent
from gateway.exchange.checkpoints import LogSeal, folder_places, is_due, make_checkpoint, publish
from gateway.model.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from gateway.model.exchange import Exchange
from gateway.model.merkle import Frontier
from gateway.settings import Settings
from gateway.settings_audit import Audit, PublishedTo
from gateway.store import checkpoints, exchange_log
from gateway.store.exchange_chain import verify_with_roots
from gateway.store.kept_checkpoints import verify_with_kept
from tests.gateway.house import open_house

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def record(house: House, count: int = 1) -> None:
    one = Exchange(time=NOW, direction="in", transaction="REST", outcome="success")
    for _ in range(count):
        house.database.write(lambda tx: exchange_log.append(tx, one))


def sealed(house: House, seal: LogSeal, now: datetime = NOW) -> str:
    made = house.database.write(lambda tx: make_checkpoint(tx, seal, now=now))
    assert made is not None
    return made.note


def due(house: House, now: datetime, *, records: int = 10, seconds: float = 60) -> bool:
    key = log_seal(house.settings).public
    return house.database.read(
        lambda tx: is_due(tx, key, every_records=records, every_seconds=seconds, now=now)
    )


def test_a_checkpoint_signs_the_root_of_all_records_whenever_it_was_made(tmp_path: Path) -> None:
    with open_house(tmp_path, furnished=False, known=()) as house:
        seal = log_seal(house.settings)
        assert house.database.write(lambda tx: make_checkpoint(tx, seal, now=NOW)) is None
        notes = []
        for count in (1, 2, 5, 13):
            record(house, count)
            notes.append(read_checkpoint(sealed(house, seal), seal.public))
        assert len({one.size for one in notes}) == 4
        result, roots = house.database.read(
            lambda tx: verify_with_roots(tx, [one.size for one in notes])
        )
    assert result.reason is None
    assert {one.size: one.root for one in notes} == roots


def test_a_log_that_has_not_grown_is_not_signed_again(tmp_path: Path) -> None:
    with open_house(tmp_path, furnished=False, known=()) as house:
        seal = log_seal(house.settings)
        record(house)
        sealed(house, seal)
        second = sealed(house, seal)  # the key's own record has come since
        assert sealed(house, seal, NOW + timedelta(days=1)) == second


def test_one_is_due_after_so_many_records_or_so_much_time(tmp_path: Path) -> None:
    with open_house(tmp_path, furnished=False, known=()) as house:
        seal = log_seal(house.settings)
        assert not due(house, NOW)
        record(house)
        assert due(house, NOW)
        sealed(house, seal)
        sealed(house, seal)
        assert not due(house, NOW + timedelta(hours=1))
        record(house, 9)
        assert not due(house, NOW + timedelta(seconds=59))
        assert due(house, NOW + timedelta(seconds=60))
        record(house)
        assert due(house, NOW)


# ---- what is kept is believed only if it is signed --------------------------------------------


def changed(house: House, *statements: str) -> None:
    """As who owns the file: without the guards."""
    names = "DROP TRIGGER checkpoint_keeps_updates", "DROP TRIGGER checkpoint_keeps_deletes"
    for one in (*names, *statements):
        house.database.write(lambda tx, s=one: tx.connection.exec_driver_sql(s))


ZEROES = "UPDATE checkpoint SET frontier = replace(frontier, substr(frontier, 3, 8), '00000000')"
FORGED = (
    "INSERT INTO checkpoint (size, note, key, frontier, made, published)"
    " SELECT {}, 'nothing', key, '[]', '{}', '[]' FROM checkpoint LIMIT 1"
)
LONG_AGO, FAR_OFF = "2020-01-01T00:00:00.000000Z", "2036-01-01T00:00:00.000000Z"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (ZEROES, "does not lead to what was signed"),
        ("UPDATE checkpoint SET frontier = 'none'", "does not lead to what was signed"),
        ("UPDATE checkpoint SET note = replace(note, 'head', 'hand')", "signed by no key"),
        ("UPDATE checkpoint SET note = x'00'", "signed by no key"),
        (FORGED.format(10**12, LONG_AGO), "is of more than there are"),
        (FORGED.format(5, LONG_AGO), "signed by no key"),
        (FORGED.format(6, FAR_OFF), "signed by no key"),
    ],
)
def test_a_checkpoint_that_somebody_put_there_or_changed_is_not_gone_on_from_and_is_told(
    tmp_path: Path, change: str, fault: str
) -> None:
    with open_house(tmp_path, furnished=False, known=()) as house:
        seal = log_seal(house.settings)
        record(house, 3)
        sealed(house, seal)
        record(house)
        changed(house, change)
        record(house)
        assert due(house, NOW + timedelta(minutes=2))
        made = read_checkpoint(sealed(house, seal), seal.public)
        keys = (seal.public,)
        result, roots, told = house.database.read(
            lambda tx: verify_with_kept(tx, [made.size], keys)
        )
        assert result.reason is None
        assert roots[made.size] == made.root
        assert told is not None and fault in told


@pytest.mark.parametrize("size", ["(SELECT sequence FROM exchange_head)", 1])
def test_what_somebody_put_there_just_now_puts_the_next_off_for_no_time(
    tmp_path: Path, size: object
) -> None:
    later = NOW + timedelta(minutes=2)
    with open_house(tmp_path, furnished=False, known=()) as house:
        record(house, 3)
        sealed(house, log_seal(house.settings))
        record(house)
        changed(house, FORGED.format(size, f"{later:%Y-%m-%dT%H:%M:%S}.000000Z"))
        assert due(house, later)


def test_what_an_earlier_key_of_the_log_has_signed_is_no_fault(tmp_path: Path) -> None:
    with open_house(tmp_path, furnished=False, known=()) as house:
        seal = log_seal(house.settings)
        record(house, 3)
        sealed(house, replace(seal, key=Ed25519PrivateKey.generate()))
        sealed(house, seal)
        record(house)
        sealed(house, seal)
        found = house.database.read(lambda tx: verify_with_kept(tx, [], [seal.public]))
    assert (found[0].reason, found[2]) == (None, None)


def test_a_checkpoint_over_other_records_is_told(tmp_path: Path) -> None:
    with open_house(tmp_path, furnished=False, known=()) as house:
        seal = log_seal(house.settings)
        record(house, 3)
        tree = Frontier()
        tree.extend([b"1" * 32, b"2" * 32, b"3" * 32])
        note = write_checkpoint(Checkpoint(seal.origin, 3, tree.root(), "0" * 64, NOW), seal.key)
        kept = checkpoints.Grown(3, "0" * 64, tree)
        house.database.write(
            lambda tx: checkpoints.put(tx, kept, note=note, key=seal.public.text, now=NOW)
        )
        found = house.database.read(lambda tx: verify_with_kept(tx, [], [seal.public]))
    assert found[2] == "the checkpoint of 3 records that is kept here was signed over others"


def test_what_could_not_be_published_is_published_later_and_never_overwritten(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outside, share = tmp_path / "outside", tmp_path / "share"
    outside.mkdir()
    with open_house(tmp_path / "house", furnished=False, known=()) as house:
        seal = replace(log_seal(house.settings), folders=(outside, share))
        record(house)
        note = sealed(house, seal)
        assert publish(house.database, folder_places(seal)) == 1
        assert "cannot be published" in caplog.text
        assert [file.read_text() for file in outside.iterdir()] == [note]
        share.mkdir()
        assert publish(house.database, folder_places(seal)) == 0
        assert [file.read_text() for file in share.iterdir()] == [note]
        (kept,) = house.database.read(checkpoints.newest)
        assert kept.published == {str(outside), str(share)}


def test_half_a_checkpoint_is_written_anew(tmp_path: Path) -> None:
    for written in ("", "half of", "half of it\n"):
        (tmp_path / "checkpoint-000000000007").unlink(missing_ok=True)
        (tmp_path / "checkpoint-000000000007").write_text(written)
        checkpoint_folder.publish(tmp_path, 7, "half of it\n")
        assert (tmp_path / "checkpoint-000000000007").read_text() == "half of it\n"


def test_a_place_that_takes_nothing_is_tried_with_the_newest_and_then_left_for_the_round(
    tmp_path: Path,
) -> None:
    tried: dict[str, list[int]] = {"away": [], "there": []}

    def away(size: int, _note: str) -> None:
        tried["away"].append(size)
        raise NotSent("it does not answer")

    with open_house(tmp_path, furnished=False, known=()) as house:
        seal = log_seal(house.settings)
        for _ in range(4):
            record(house)
            sealed(house, seal)
        known = [one.size for one in house.database.read(checkpoints.newest)]
        there = lambda size, _note: tried["there"].append(size)  # noqa: E731
        assert publish(house.database, {"away": away, "there": there}) == len(known) == 4
    assert tried == {"away": known[:-3:-1], "there": known[::-1]}


def test_another_checkpoint_of_that_size_is_not_published_over_the_first(tmp_path: Path) -> None:
    """Two tellings of one log: the folder keeps the first, and we say so as long as we run."""
    with open_house(tmp_path / "house", furnished=False, known=()) as house:
        seal = replace(log_seal(house.settings), folders=(tmp_path,))
        record(house)
        sealed(house, seal)
        (tmp_path / "checkpoint-000000000001").write_text("another")
        assert publish(house.database, folder_places(seal)) == 1
        assert (tmp_path / "checkpoint-000000000001").read_text() == "another"


async def test_a_gateway_that_works_seals_its_log_by_itself(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    audit = Audit(every_records=1, every_seconds=1, publish=(PublishedTo(folder=outside),))
    with open_house(tmp_path / "house", furnished=False, known=(), audit=audit) as house:
        record(house)
        async with working(house):
            for _ in range(300):
                if list(outside.iterdir()):
                    break
                await asyncio.sleep(0.1)
        first = min(outside.iterdir())
        key = log_seal(house.settings).public
        assert read_checkpoint(first.read_text(), key).size >= 1


def test_the_key_lies_beside_the_key_encryption_key_unless_named() -> None:
    settings = Settings(key_file=Path("/keys/kek"))
    assert settings.checkpoint_key == Path("/keys/checkpoint-key")
    named = Settings(audit=Audit(checkpoint_key=Path("/else/key")))
    assert named.checkpoint_key == Path("/else/key")
