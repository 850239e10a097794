"""The tamper matrix: what was done to the log, and what finds it out.

The first four the chain itself tells; the last four only a checkpoint that lies elsewhere, under a
key that lies elsewhere.
"""

import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.cli.verify_proof import is_signature
from gateway.store.database import open_database
from gateway.store.exchange_chain import GENESIS, canonical, chain_hash
from gateway.store.exchange_log import verify
from tests.gateway.cli.terminal import Ended, Terminal, furnish, run
from tests.gateway.house import MEMBER


@pytest.fixture(scope="module")
def nine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A house with nine records, to copy."""
    made = furnish(tmp_path_factory.mktemp("nine"))
    for _ in range(9):
        made.run("members", "show", MEMBER.member_id, "--plan", "acme")
    return made.folder


@pytest.fixture
def terminal(nine: Path, tmp_path: Path) -> Terminal:
    made = furnish(tmp_path)
    for name in ("data", "keys"):
        shutil.rmtree(tmp_path / name)
        shutil.copytree(nine / name, tmp_path / name)
    return made


@pytest.fixture
def outside(terminal: Terminal, tmp_path: Path) -> Path:
    """What the auditor has: the key from the first day, and a checkpoint."""
    folder = tmp_path / "auditor"
    folder.mkdir()
    (folder / "key").write_text(terminal.run("audit", "key").out)
    (folder / "checkpoint").write_text(terminal.run("audit", "checkpoint").out)
    return folder


def verified(terminal: Terminal, outside: Path) -> Ended:
    checkpoint, key = outside / "checkpoint", outside / "key"
    return terminal.run("audit", "verify", "--checkpoint", checkpoint, "--key", key)


@contextmanager
def unguarded(terminal: Terminal) -> Iterator[sqlite3.Connection]:
    """As somebody who puts back the triggers once he has done what they forbid."""
    with closing(sqlite3.connect(terminal.database)) as connection:
        triggers = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall()
        for name, _ in triggers:
            connection.execute(f'DROP TRIGGER "{name}"')
        yield connection
        for _, sql in triggers:
            connection.execute(sql)
        connection.commit()


def rebuild(connection: sqlite3.Connection) -> None:
    """The whole chain made anew over what stands there now, head and all: it fits again."""
    connection.row_factory = sqlite3.Row
    previous, number = GENESIS, 0
    for number, row in enumerate(
        connection.execute("SELECT * FROM exchange ORDER BY sequence").fetchall(), 1
    ):
        place = {"sequence", "canon", "previous_hash", "hash"}
        canon = canonical({name: row[name] for name in row.keys() if name not in place})
        sealed = chain_hash(previous=previous, canon=canon, sequence=number)
        connection.execute(
            "UPDATE exchange SET sequence=?, canon=?, previous_hash=?, hash=? WHERE sequence=?",
            (number, canon, previous, sealed, row["sequence"]),
        )
        previous = sealed
    connection.execute("UPDATE exchange_head SET sequence=?, hash=?", (number, previous))


def test_a_log_as_it_was_signed_passes_also_after_it_has_grown(
    terminal: Terminal, outside: Path
) -> None:
    terminal.run("members", "show", MEMBER.member_id, "--plan", "acme")
    ended = verified(terminal, outside)
    assert ended.exit_code == 0, ended.err
    assert "the first 9 are those" in ended.out.replace("\n", " ")


@pytest.mark.parametrize(
    ("what", "statements", "found"),
    [
        ("a changed record", ["UPDATE exchange SET person='x' WHERE sequence=3"], "record 3"),
        ("a deleted record", ["DELETE FROM exchange WHERE sequence=3"], "record 3"),
        (
            "two swapped",
            [
                "UPDATE exchange SET sequence=-1 WHERE sequence=4",
                "UPDATE exchange SET sequence=4 WHERE sequence=5",
                "UPDATE exchange SET sequence=5 WHERE sequence=-1",
            ],
            "record 4",
        ),
        (
            "a forged one at the end",
            [
                "CREATE TEMP TABLE t AS SELECT * FROM exchange WHERE sequence=9",
                "UPDATE t SET sequence=10, person='x'",
                "INSERT INTO exchange SELECT * FROM t",
            ],
            "record 10",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)
def test_the_chain_alone_finds(
    terminal: Terminal, what: str, statements: list[str], found: str
) -> None:
    with unguarded(terminal) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    ended = terminal.run("audit", "verify")
    assert ended.exit_code == 1
    assert found in ended.out, what


def test_a_tail_cut_with_its_head_is_found_by_the_checkpoint_only(
    terminal: Terminal, outside: Path
) -> None:
    with unguarded(terminal) as connection:
        connection.execute("DELETE FROM checkpoint")  # else those that are kept here tell
        connection.execute("DELETE FROM exchange WHERE sequence > 6")
        connection.execute(
            "UPDATE exchange_head SET sequence=6, hash=(SELECT hash FROM exchange WHERE sequence=6)"
        )
        connection.commit()
    assert terminal.run("audit", "verify").exit_code == 0
    ended = verified(terminal, outside)
    assert ended.exit_code == 1
    assert "3 more than there are" in ended.out.replace("\n", " ")


def test_yesterdays_backup_is_found_by_the_checkpoint_only(
    terminal: Terminal, tmp_path: Path
) -> None:
    backup = terminal.database.read_bytes()
    terminal.run("members", "show", MEMBER.member_id, "--plan", "acme")
    (tmp_path / "checkpoint").write_text(terminal.run("audit", "checkpoint").out)
    (tmp_path / "key").write_text(terminal.run("audit", "key").out)
    for leftover in ("-wal", "-shm"):
        terminal.database.with_name(terminal.database.name + leftover).unlink(missing_ok=True)
    terminal.database.write_bytes(backup)
    assert terminal.run("audit", "verify").exit_code == 0
    assert verified(terminal, tmp_path).exit_code == 1


def test_a_chain_made_anew_with_a_stolen_role_is_found_by_the_checkpoint_only(
    terminal: Terminal, outside: Path
) -> None:
    with unguarded(terminal) as connection:
        connection.execute("DELETE FROM checkpoint")
        connection.execute("UPDATE exchange SET person='nobody' WHERE sequence=3")
        rebuild(connection)
        connection.commit()
    assert terminal.run("audit", "verify").exit_code == 0
    ended = verified(terminal, outside)
    assert ended.exit_code == 1
    assert "the first 9 records are not those" in ended.out.replace("\n", " ")


def test_two_logs_signed_with_one_key_are_found_by_whoever_has_both_checkpoints(
    terminal: Terminal, outside: Path
) -> None:
    """Each fits the log that it was shown; they are of one size, and only one is of this log."""
    with unguarded(terminal) as connection:
        connection.execute("UPDATE exchange SET person='nobody' WHERE sequence=3")
        connection.execute("DELETE FROM checkpoint")
        rebuild(connection)
        connection.commit()
    other = outside / "other"
    other.write_text(terminal.run("audit", "checkpoint").out)
    key, first = outside / "key", outside / "checkpoint"
    assert terminal.run("audit", "verify", "--checkpoint", other, "--key", key).exit_code == 0
    for both in ((first, other), (other, first)):
        given = [option for one in both for option in ("--checkpoint", one)]
        ended = terminal.run("audit", "verify", *given, "--key", key)
        assert ended.exit_code == 1
        assert f"not those that {first} was signed over" in ended.out.replace("\n", " ")


def test_another_key_is_found_by_the_key_that_the_auditor_keeps(
    terminal: Terminal, outside: Path
) -> None:
    key = terminal.database.parents[1] / "keys" / "checkpoint-key"
    key.unlink()
    terminal.run("members", "show", MEMBER.member_id, "--plan", "acme")
    (outside / "checkpoint").write_text(terminal.run("audit", "checkpoint").out)
    ended = verified(terminal, outside)
    assert ended.exit_code == 1
    assert "not signed by this log's key" in ended.err
    # It is no secret either: the log itself says that it was changed.
    assert terminal.records()[-1]["transaction"] == "CHECKPOINT-KEY"


def test_ten_thousand_single_mutations_of_any_column_are_all_found(terminal: Terminal) -> None:
    """Each is put in by SQL past the triggers, looked for, and taken back."""
    columns = [
        row["name"] for row in terminal.rows("SELECT name FROM pragma_table_info('exchange')")
    ]
    chance, hit = random.Random(20261126), set()
    with unguarded(terminal) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        database = open_database(f"sqlite:///{terminal.database}")
        try:
            for round_ in range(10_000):
                column = columns[round_ % len(columns)]
                number = chance.randint(1, 9)
                look = f'SELECT "{column}" FROM exchange WHERE sequence=?'  # noqa: S608
                change = f'UPDATE exchange SET "{column}"=? WHERE sequence=?'  # noqa: S608
                (old,) = connection.execute(look, (number,)).fetchone()
                new = mutated(old, chance)
                connection.execute(change, (new, number))
                connection.commit()
                result = database.read(verify)
                assert result.reason is not None, (column, number, old, new)
                hit.add(column)
                where = new if column == "sequence" else number
                connection.execute(change, (old, where))
                connection.commit()
            assert database.read(verify).reason is None
        finally:
            database.close()
    assert hit == set(columns)


def mutated(old: object, chance: random.Random) -> object:
    """Another value: of another kind, absent, or one character off."""
    if isinstance(old, int):
        return old + 1000 + chance.randint(1, 1000)
    if isinstance(old, str) and old and chance.random() < 0.7:
        place = chance.randrange(len(old))
        other = chance.choice([c for c in "0123456789abcdefXYZ " if c != old[place]])
        return old[:place] + other + old[place + 1 :]
    return chance.choice([one for one in ("", "x", b"x", 7, 1.5) if one != old])


# ---- proofs ----------------------------------------------------------------------------------


@pytest.fixture
def verifier(tmp_path: Path) -> Path:
    file = tmp_path / "verify_proof.py"
    file.write_text(run("audit", "verifier").out)
    return file


def checked(verifier: Path, proof: Path, key: Path) -> subprocess.CompletedProcess[str]:
    """By a Python that sees nothing but its standard library."""
    return subprocess.run(
        [sys.executable, "-I", "-S", verifier, proof, key], capture_output=True, text=True
    )


def test_a_proof_is_checked_by_one_file_without_dependencies(
    terminal: Terminal, outside: Path, verifier: Path, tmp_path: Path
) -> None:
    proof = tmp_path / "proof.json"
    for sequence in range(1, 10):
        proof.write_text(
            terminal.run("audit", "prove", sequence, "--checkpoint", outside / "checkpoint").out
        )
        ended = checked(verifier, proof, outside / "key")
        assert ended.returncode == 0, ended.stderr
        assert f"record {sequence} is in the log" in ended.stdout


def test_a_proof_that_says_anything_else_is_refused(
    terminal: Terminal, outside: Path, verifier: Path, tmp_path: Path
) -> None:
    whole = orjson.loads(terminal.run("audit", "prove", 4).out)
    proof, key = tmp_path / "proof.json", outside / "key"
    forged = [
        {**whole, "record": whole["record"].replace("acme", "evil")},
        {**whole, "sequence": 5},
        {**whole, "sequence": 4.0},
        {**whole, "sequence": "4"},
        {**whole, "sequence": 0},
        {**whole, "sequence": 2**62},
        {**whole, "path": whole["path"][1:]},
        {**whole, "path": [*whole["path"], whole["path"][0]]},
        {**whole, "checkpoint": whole["checkpoint"].replace("\n1", "\n2", 1)},
        {**whole, "checkpoint": ""},
        {},
    ]
    for one in forged:
        assert orjson.dumps(one) != orjson.dumps(whole)
        proof.write_bytes(orjson.dumps(one))
        ended = checked(verifier, proof, key)
        assert ended.returncode == 1, one
        assert "not proven" in ended.stderr
    # A number that is none, for which the same path would do.
    first = orjson.loads(terminal.run("audit", "prove", 1).out)
    half = orjson.loads(terminal.run("audit", "prove", 2).out)
    for one in ({**first, "sequence": True}, {**half, "sequence": 2.5}, {**half, "sequence": 1.5}):
        proof.write_bytes(orjson.dumps(one))
        assert checked(verifier, proof, key).returncode == 1, one
    proof.write_text("[" * 100_000)
    deep = checked(verifier, proof, key)
    assert (deep.returncode, "Traceback" in deep.stderr) == (1, False)
    proof.write_bytes(orjson.dumps(whole))
    assert checked(verifier, proof, key).returncode == 0
    (tmp_path / "other").mkdir()
    other = furnish(tmp_path / "other")
    key.write_text(other.run("audit", "key").out)
    assert checked(verifier, proof, key).returncode == 1


@pytest.mark.parametrize("is_kept_outside", [True, False])
def test_of_a_log_that_was_altered_nothing_is_proven(
    terminal: Terminal, outside: Path, is_kept_outside: bool
) -> None:
    """The path would lead nowhere; whoever asks is told, and not only whoever checks."""
    with unguarded(terminal) as connection:
        connection.execute("UPDATE exchange SET person='nobody' WHERE sequence=3")
        rebuild(connection)
        connection.commit()
    given = ("--checkpoint", outside / "checkpoint") if is_kept_outside else ()
    ended = terminal.run("audit", "prove", 4, *given)
    assert (ended.exit_code, ended.out) == (1, "")
    assert "are not those that the checkpoint was signed over" in ended.err.replace("\n", " ")
    record = terminal.records()[-1]
    assert (record["transaction"], record["outcome"]) == ("CLI-PROOF", "refused")


def test_the_stand_alone_verifier_agrees_with_the_library_on_signatures() -> None:
    chance = random.Random(8032)
    for _ in range(20):
        key = Ed25519PrivateKey.from_private_bytes(chance.randbytes(32))
        message = chance.randbytes(chance.randrange(200))
        public, signature = key.public_key().public_bytes_raw(), key.sign(message)
        assert is_signature(signature, message, public)
        broken = bytearray(signature)
        broken[chance.randrange(64)] ^= 1 << chance.randrange(8)
        assert not is_signature(bytes(broken), message, public)
        assert not is_signature(signature, message + b"x", public)


# ---- publishing ------------------------------------------------------------------------------


def test_a_record_that_is_not_in_the_checkpoint_has_no_proof(
    terminal: Terminal, outside: Path
) -> None:
    terminal.run("members", "show", MEMBER.member_id, "--plan", "acme")
    ended = terminal.run("audit", "prove", 10, "--checkpoint", outside / "checkpoint")
    assert ended.exit_code == 1
    assert "is of 9 records" in ended.err.replace("\n", " ")
