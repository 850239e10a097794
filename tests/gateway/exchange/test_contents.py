"""What is kept beside the log is opened and read; what was taken away or changed is told."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.app.house import House
from gateway.exchange.contents import read_contents
from gateway.store import exchange_log
from gateway.store.evidence import Evidence, Gone, evidence
from tests.gateway.clients.asking_house import asking_house, retrieve
from tests.gateway.clients.scripted_partner import scripted
from tests.gateway.house import documents, whole_log


@contextmanager
def asked(folder: Path) -> Iterator[House]:
    """A house that has asked a partner, and got two documents."""
    with scripted() as script, asking_house(folder, [script.partner]) as house:
        retrieve(house)
        assert list(read_contents(house.archive)) == []
        yield house


def run(house: House, *statements: str) -> None:
    for statement in statements:
        house.database.write(lambda tx, s=statement: tx.connection.execute(text(s)))


def sequence_of(house: House, name: str) -> int:
    return next(n for n, one in enumerate(whole_log(house), 1) if one.transaction == name)


def test_a_document_that_was_taken_away_is_missed_by_each_record_that_names_it(
    tmp_path: Path,
) -> None:
    with asked(tmp_path) as house:
        gone = documents(house)[0].id
        run(house, f"UPDATE document SET id = 'another' WHERE id = '{gone}'")  # noqa: S608
        assert house.database.read(exchange_log.verify).reason is None
        assert house.database.read(lambda tx: evidence(tx, ())) == Evidence((), 0)
        told = Gone(sequence_of(house, "ITI-39"), f"document {gone}")
        assert list(read_contents(house.archive)) == [told]


def test_an_envelope_that_was_changed_is_told_by_the_record_that_names_it(tmp_path: Path) -> None:
    with asked(tmp_path) as house:
        place = sequence_of(house, "ITI-38")
        run(
            house,
            "DROP TRIGGER wire_message_keeps_updates",
            "UPDATE wire_message SET sealed = (SELECT sealed FROM wire_message WHERE hash ="  # noqa: S608
            f" (SELECT request_hash FROM exchange WHERE sequence = {place}))"
            f" WHERE hash = (SELECT answer_hash FROM exchange WHERE sequence = {place})",
        )
        assert house.database.read(lambda tx: evidence(tx, ())) == Evidence((), 0)
        assert list(read_contents(house.archive)) == [Gone(place, "an envelope", is_damaged=True)]


@pytest.mark.parametrize(
    "change",
    [
        "sealed = 'text'",
        "sealed = CAST(x'ff' AS TEXT)",
        "sealed = 7",
        "sealed = x''",
        "month = CAST(x'ff' AS TEXT)",
        "month = x'ff'",
        "month = NULL, generation = 'first'",
    ],
)
def test_an_envelope_that_is_none_is_told_and_hides_no_other(tmp_path: Path, change: str) -> None:
    with asked(tmp_path) as house:
        place = sequence_of(house, "ITI-38")
        run(
            house,
            "DROP TRIGGER wire_message_keeps_updates",
            f"UPDATE wire_message SET {change}"  # noqa: S608
            f" WHERE hash = (SELECT answer_hash FROM exchange WHERE sequence = {place})",
        )
        assert list(read_contents(house.archive)) == [Gone(place, "an envelope", is_damaged=True)]


@pytest.mark.parametrize("is_there", [True, False])
def test_bytes_that_were_changed_or_deleted_are_told_with_their_document(
    tmp_path: Path, is_there: bool
) -> None:
    with asked(tmp_path) as house:
        (first, *_) = documents(house)
        file = house.archive.blobs.path(first.plan, first.blob.address)
        if is_there:
            content = file.read_bytes()
            file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        else:
            file.unlink()
        told = Gone(None, f"document {first.id}", is_damaged=True)
        assert list(read_contents(house.archive)) == [told]


def test_another_hash_beside_the_bytes_is_told_too(tmp_path: Path) -> None:
    with asked(tmp_path) as house:
        (first, *_) = documents(house)
        address = first.blob.address
        run(house, f"UPDATE blob SET sha256 = 'x' WHERE address = '{address}'")  # noqa: S608
        told = Gone(None, f"document {first.id}", is_damaged=True)
        assert list(read_contents(house.archive)) == [told]
