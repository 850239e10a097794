"""A terminal before a furnished house: what a command prints, how it ends, what it records."""

import io
import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.cli import main
from gateway.cli.recording import operator
from gateway.model.exchange import Exchange
from gateway.store import exchange_log
from gateway.store.database import open_database
from tests.clear_records import in_the_clear
from tests.gateway.house import (
    HOME,
    NUMBER_ROOT,
    ORGANIZATION,
    certificate_of,
    forget_settings,
    key_files,
    open_house,
)

TOML = """\
[gateway]
home_community_id = "{home}"
organization = "{organization}"
data_dir = "{folder}/data"
key_file = "{folder}/keys/key-encryption-key"

[tls]
certificate = "{certificate}"
key = "{key}"

[signing]
certificate = "{certificate}"
key = "{key}"

[[plans]]
id = "acme"
name = "Acme"
member_id_root = "{root}"
requester_role = "case manager"
authority = "urn:oid:2.999.1.7"

[[plans]]
id = "other"
name = "Other"
requester_role = "case manager"
authority = "urn:oid:2.999.1.7"
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    exit_code: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        """What it printed as JSON, one value a line."""
        return [json.loads(line) for line in self.out.splitlines()]


def run(*arguments: object) -> Ended:
    """The command, run in this process as `gateway` runs it."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    kept = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = out, err
    code: object = 0
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as end:
        code = end.code
    finally:
        sys.stdout, sys.stderr = kept
        out.flush()
        err.flush()
    assert isinstance(code, int) or code is None
    texts = [stream.buffer.getvalue().decode() for stream in (out, err)]  # type: ignore[attr-defined]
    assert "Traceback" not in texts[1]
    return Ended(code or 0, *texts)


@dataclass(frozen=True, slots=True)
class Terminal:
    """A folder with gateway.toml, of which `house.py` made the data."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "gateway.toml"

    @property
    def database(self) -> Path:
        return self.folder / "data" / "gateway.sqlite"

    def run(self, *arguments: object) -> Ended:
        return run(*arguments, "--config", self.config)

    def write(self, name: str, content: str | bytes) -> Path:
        file = self.folder / name
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def rows(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(self.database)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(statement, values)]

    def records(self) -> list[dict[str, Any]]:
        """All but those of changed settings: tests change them as they go."""
        rows = self.rows(
            "SELECT * FROM exchange WHERE \"transaction\" <> 'SETTINGS' ORDER BY sequence"
        )
        key_file = self.folder / "keys" / "key-encryption-key"
        return in_the_clear(rows, database=self.database, key_file=key_file)

    def append(self, *exchanges: Exchange) -> None:
        """These, at the end of the log."""
        key_file = self.folder / "keys" / "key-encryption-key"
        with closing(open_database(f"sqlite:///{self.database}", key_file=key_file)) as database:
            for exchange in exchanges:
                database.write(lambda t, e=exchange: exchange_log.append(t, e))

    @contextmanager
    def recording(self) -> Iterator[list[dict[str, Any]]]:
        """The records that the block makes, once it is over; each names the operator."""
        before, made = len(self.records()), []
        yield made
        made += self.records()[before:]
        for record in made:
            assert record["person"] == operator()
            assert (record["role"], record["peer"]) == ("operator", "terminal")
            assert record["direction"] == "in"


def furnish(folder: Path) -> Terminal:
    """A house with a member, documents and a partner, closed again, and its settings."""
    with open_house(folder) as house:
        forget_settings(house)
    certificate, key = key_files("Our gateway")
    text = TOML.format(
        home=HOME,
        folder=folder,
        organization=ORGANIZATION,
        certificate=certificate,
        key=key,
        root=NUMBER_ROOT,
    )
    (folder / "gateway.toml").write_text(text, encoding="utf-8")
    return Terminal(folder)


def pem(name: str = "Northfield Health") -> str:
    return certificate_of(name).certificate_pem
