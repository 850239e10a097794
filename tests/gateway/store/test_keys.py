"""Plans' keys are sealed under a key that lies elsewhere."""

import stat
from pathlib import Path

import pytest

from gateway.store.database import Database
from gateway.store.errors import KeyFileMissing, KeyFileUnusable
from gateway.store.key_file import add_key, create_key_file
from gateway.store.keys import KeyRing
from tests.full_disk import no_file_longer_than
from tests.gateway.store.builders import ACME, OTHER


def test_a_plans_keys_are_the_same_whenever_they_are_opened(
    house: Database, key_file: Path
) -> None:
    first = KeyRing(key_file, house).plan_key(ACME)
    assert KeyRing(key_file, house).plan_key(ACME) == first
    assert KeyRing(key_file, house).plan_key(ACME, first.generation) == first


def test_every_plan_has_keys_of_its_own(house: Database, key_file: Path) -> None:
    ring = KeyRing(key_file, house)
    ours, theirs = ring.plan_key(ACME), ring.plan_key(OTHER)
    assert len({ours.address_key, ours.data_key, theirs.address_key, theirs.data_key}) == 4


def test_the_key_file_is_for_its_owner_alone_and_never_overwritten(key_file: Path) -> None:
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        create_key_file(key_file)


def test_a_missing_key_file_is_named(house: Database, tmp_path: Path) -> None:
    with pytest.raises(KeyFileMissing, match="no key file at"):
        KeyRing(tmp_path / "gone", house)


@pytest.mark.parametrize("content", ["", "x", "0123456789abcdef AAAA\n", "\xff"])
def test_what_is_no_key_file_is_refused(house: Database, tmp_path: Path, content: str) -> None:
    file = tmp_path / "other"
    file.write_text(content, encoding="latin-1")
    with pytest.raises(KeyFileUnusable):
        KeyRing(file, house)


def test_the_key_file_of_other_data_is_told_apart(
    house: Database, key_file: Path, tmp_path: Path
) -> None:
    KeyRing(key_file, house).plan_key(ACME)
    create_key_file(tmp_path / "another")
    with pytest.raises(KeyFileUnusable, match="belongs to other data"):
        KeyRing(tmp_path / "another", house).plan_key(ACME)


def test_after_rotation_the_older_key_is_no_longer_needed(house: Database, key_file: Path) -> None:
    key = KeyRing(key_file, house).plan_key(ACME)
    add_key(key_file)
    assert KeyRing(key_file, house).plan_key(ACME) == key
    assert KeyRing(key_file, house).rewrap() == 1
    assert KeyRing(key_file, house).rewrap() == 0
    key_file.write_text(key_file.read_text().splitlines(keepends=True)[-1])
    assert KeyRing(key_file, house).plan_key(ACME) == key


def test_what_a_process_makes_after_a_rotation_is_sealed_under_the_new_key(
    house: Database, key_file: Path
) -> None:
    running = KeyRing(key_file, house)
    running.plan_key(ACME)
    add_key(key_file)
    key = running.plan_key(OTHER)
    running.sealing_month_key(OTHER, "2030-01")
    running.rewrap()
    key_file.write_text(key_file.read_text().splitlines(keepends=True)[-1])
    after = KeyRing(key_file, house)
    assert after.plan_key(OTHER) == key
    assert after.opening_month_key(OTHER, "2030-01") is not None


def test_a_key_file_that_is_just_being_replaced_ends_no_process(
    house: Database, key_file: Path
) -> None:
    running, content = KeyRing(key_file, house), key_file.read_text()
    key_file.write_text(content[:7])
    key = running.plan_key(ACME)
    key_file.write_text(content)
    assert KeyRing(key_file, house).plan_key(ACME) == key


def test_a_key_is_added_to_a_file_without_its_last_newline(house: Database, key_file: Path) -> None:
    key = KeyRing(key_file, house).plan_key(ACME)
    key_file.write_text(key_file.read_text().rstrip("\n"))
    add_key(key_file)
    assert len(key_file.read_text().splitlines()) == 2
    assert KeyRing(key_file, house).plan_key(ACME) == key


def test_to_what_is_no_key_file_none_is_added(key_file: Path) -> None:
    key_file.write_text(key_file.read_text() + "and more\n")
    before = key_file.read_text()
    with pytest.raises(KeyFileUnusable):
        add_key(key_file)
    assert key_file.read_text() == before


def test_half_a_key_is_taken_away_again(key_file: Path) -> None:
    before = key_file.read_bytes()
    with no_file_longer_than(len(before) + 9), pytest.raises(OSError, match="No space left"):
        add_key(key_file)
    assert key_file.read_bytes() == before


def test_a_key_is_not_shown_by_accident(house: Database, key_file: Path) -> None:
    assert "address_key" not in repr(KeyRing(key_file, house).plan_key(ACME))
