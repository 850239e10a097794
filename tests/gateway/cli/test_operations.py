"""`tokens`, `config check`, `db upgrade`, and a house that cannot be opened."""

import ctypes
import os
import socket
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.store import tokens
from gateway.store.database import open_database
from tests.gateway.cli.terminal import Terminal, furnish
from tests.gateway.house import MEMBER, key_files

_DROP_FROM_BOUNDS, _DAC_OVERRIDE, _DAC_READ_SEARCH = 24, 1, 2
"""prctl(2): PR_CAPBSET_DROP; capabilities(7)."""


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return furnish(tmp_path)


def caller_of(terminal: Terminal, secret: str) -> object:
    database = open_database(f"sqlite:///{terminal.database}")
    try:
        now = datetime.now(UTC)
        return database.read(lambda tx: tokens.verify(tx, secret=secret, now=now))
    finally:
        database.close()


def test_a_token_is_made_shown_once_listed_and_revoked(terminal: Terminal) -> None:
    with terminal.recording() as records:
        made = terminal.run("tokens", "create", "Jane Roe", "--role", "staff", "--plan", "acme",
                            "--days", "7", "--json")  # fmt: skip
        (form,) = made.lines
        listed = terminal.run("tokens", "list", "--json")
        revoked = terminal.run("tokens", "revoke", form["id"])
        again = terminal.run("tokens", "revoke", form["id"])
    assert caller_of(terminal, form["secret"]) is None, "it was revoked"
    (shown,) = listed.lines
    assert (shown["id"], shown["name"], shown["role"]) == (form["id"], "Jane Roe", "staff")
    expires = datetime.fromisoformat(shown["expires"])
    assert abs(expires - datetime.now(UTC) - timedelta(days=7)) < timedelta(minutes=5)
    assert (revoked.exit_code, revoked.out) == (0, "revoked\n")
    assert again.exit_code == 1
    assert [(one["transaction"], one["outcome"]) for one in records] == [
        ("CLI-TOKEN-CREATE", "success"),
        ("CLI-TOKENS", "success"),
        ("CLI-TOKEN-REVOKE", "success"),
        ("CLI-TOKEN-REVOKE", "refused"),
    ]
    assert [one["plan"] for one in records] == ["acme", None, "acme", "acme"]
    assert form["id"] in records[0]["reason"]
    everything = str(records) + listed.out + terminal.run("tokens", "list").out
    assert form["secret"] not in everything
    assert form["secret"].encode() not in terminal.database.read_bytes()


def test_a_secret_typed_in_the_place_of_an_id_does_not_enter_the_log(terminal: Terminal) -> None:
    with terminal.recording() as records:
        ended = terminal.run("tokens", "revoke", "s3cret-typed-by-mistake")
    assert ended.exit_code == 1
    assert "s3cret" not in str(records)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["Jane", "--role", "boss", "--plan", "acme"], "staff, auditor, operator, system"),
        (["Jane", "--role", "staff"], "acme, other"),
        (["Jane", "--role", "staff", "--plan", "nowhere"], "no plan nowhere"),
        ([" ", "--role", "staff", "--plan", "acme"], "name"),
    ],
)
def test_a_token_needs_a_name_a_role_and_a_plan(
    terminal: Terminal, arguments: list[str], word: str
) -> None:
    ended = terminal.run("tokens", "create", *arguments)
    assert ended.exit_code == 2
    assert word in ended.err
    assert terminal.rows("SELECT * FROM token") == []


def test_a_name_in_brackets_is_shown_as_it_is(terminal: Terminal) -> None:
    made = terminal.run("tokens", "create", "Jane [/x] [b]", "--role", "staff", "--plan", "acme")
    assert made.exit_code == 0
    assert "Jane [/x] [b]" in made.out


# ---- config and db ---------------------------------------------------------------------------


def test_config_check_says_what_the_settings_mean(terminal: Terminal) -> None:
    ended = terminal.run("config", "check")
    assert ended.exit_code == 0
    for word in ("2.999.7302.1", "acme, other", "127.0.0.1:8443", "127.0.0.1:8080"):
        assert word in ended.out


def test_config_check_touches_nothing(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(f'[gateway]\ndata_dir = "{tmp_path}/data"\nkey_file = "{tmp_path}/key"\n')
    ended = Terminal(tmp_path).run("config", "check")
    assert ended.exit_code == 0
    assert "off: [tls]" in ended.out
    assert list(tmp_path.iterdir()) == [file]


def test_config_check_finds_a_key_beside_the_data_and_files_that_are_missing(
    tmp_path: Path,
) -> None:
    terminal = Terminal(tmp_path)
    inside = f'[gateway]\ndata_dir = "{tmp_path}/data"\nkey_file = "{tmp_path}/data/key"\n'
    terminal.write("gateway.toml", inside)
    ended = terminal.run("config", "check")
    assert ended.exit_code == 1
    assert "key file" in ended.err
    terminal.write("gateway.toml", '[tls]\ncertificate = "none.pem"\nkey = "none.key"\n')
    ended = terminal.run("config", "check")
    assert ended.exit_code == 1
    assert "tls.certificate: none.pem cannot be read" in ended.err
    terminal.write("gateway.toml", '[[networks]]\nname = "n"\nanchors = ["none.pem"]\n')
    assert "networks.0.anchors" in terminal.run("config", "check").err


def test_db_upgrade_makes_the_database_and_may_be_repeated(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    terminal.write(
        "gateway.toml",
        f'[gateway]\ndata_dir = "{tmp_path}/data"\nkey_file = "{tmp_path}/keys/key"\n',
    )
    for _ in range(2):
        ended = terminal.run("db", "upgrade")
        assert (ended.exit_code, ended.out) == (0, "the database is up to date\n")
    assert terminal.rows("SELECT * FROM exchange_head")
    assert terminal.database.parent.stat().st_mode & 0o077 == 0


# ---- serve -----------------------------------------------------------------------------------


def listening(terminal: Terminal, address: str, *, without_tls: bool = False) -> None:
    text = terminal.config.read_text(encoding="utf-8")
    if without_tls:
        text = text[: text.index("[tls]")] + text[text.index("[[plans]]") :]
    listen = f'\n[listen]\nplans = "{address}"\noperations = "127.0.0.1:0"\n'
    terminal.config.write_text(text + listen, encoding="utf-8")


def test_serve_on_an_address_that_is_taken_is_a_sentence(terminal: Terminal) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        listening(terminal, address, without_tls=True)
        # In a process of its own: uvicorn leaves the socket that it could not bind to its end.
        ended = subprocess.run(
            [sys.executable, "-m", "gateway", "serve", "--config", terminal.config],
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert ended.returncode == 1
    assert f"gateway: cannot listen: {address}" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_serve_refuses_a_real_address_without_tls(terminal: Terminal) -> None:
    listening(terminal, "0.0.0.0:0", without_tls=True)
    ended = terminal.run("serve")
    assert ended.exit_code == 2
    assert "[tls]" in ended.err


NO_PAIR = {
    "another's key": ("signing.key", "the certificate is not that of the private key"),
    "no file": ("none.key", "none.key: No such file or directory"),
    "no key": ("tls.pem", "[tls] the key pair is not usable"),
}


@pytest.mark.parametrize("case", NO_PAIR)
def test_a_tls_pair_that_is_none_is_named_before_anything_is_done(
    terminal: Terminal, case: str
) -> None:
    key, said = NO_PAIR[case]
    certificate, _ = key_files("Our gateway")
    _, other = key_files("Stranger")
    places = {"signing.key": other, "none.key": "none.key", "tls.pem": certificate}
    text = terminal.config.read_text(encoding="utf-8")
    head, _, tail = text.partition("[tls]\n")
    pair = f'[tls]\ncertificate = "{certificate}"\nkey = "{places[key]}"\n'
    terminal.config.write_text(head + pair + tail[tail.index("[") :], encoding="utf-8")
    asking = ("retrieve", MEMBER.member_id, "--plan", "acme", "--purpose", "PAYMENT")
    for command in (("serve",), (*asking, "--requester", "Jane Roe")):
        ended = terminal.run(*command)
        assert (ended.exit_code, ended.out) == (2, "")
        assert "gateway: [tls] " in ended.err
        assert said in ended.err


# ---- a house that cannot be opened -----------------------------------------------------------


def test_a_key_file_that_is_lost_is_a_sentence(terminal: Terminal) -> None:
    for file in (terminal.folder / "keys").iterdir():
        file.unlink()
    ended = terminal.run("members", "list", "--plan", "acme")
    assert ended.exit_code == 1
    assert ended.err.count("\n") == 1


def test_a_data_folder_that_is_a_file_is_a_sentence(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    (tmp_path / "data").write_text("no folder")
    terminal.write(
        "gateway.toml", f'[gateway]\ndata_dir = "{tmp_path}/data"\nkey_file = "{tmp_path}/k/k"\n'
    )
    ended = terminal.run("members", "list")
    assert ended.exit_code == 1
    assert "cannot be opened" in ended.err
    assert ended.err.count("\n") == 1


def _obey_modes() -> None:
    """In a child: what the modes of files forbid is forbidden to root, too."""
    if os.geteuid() == 0:
        for capability in (_DAC_OVERRIDE, _DAC_READ_SEARCH):
            assert ctypes.CDLL(None).prctl(_DROP_FROM_BOUNDS, capability, 0, 0, 0) == 0


@pytest.mark.parametrize("what", ["the file", "its folder"])
def test_a_database_that_may_not_be_written_is_named(terminal: Terminal, what: str) -> None:
    place = terminal.database if what == "the file" else terminal.database.parent
    before = place.stat().st_mode
    place.chmod(before & ~0o222)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "gateway", "members", "list", "--config", terminal.config],
            capture_output=True,
            text=True,
            timeout=60,
            preexec_fn=_obey_modes,
        )
    finally:
        place.chmod(before)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"gateway: {place} cannot be written to\n"


def test_a_database_file_that_is_none_is_a_sentence(terminal: Terminal) -> None:
    terminal.database.write_bytes(b"this is no database at all" * 100)
    ended = terminal.run("members", "list")
    assert ended.exit_code == 1
    assert ended.err.count("\n") == 1


def test_a_postgres_that_does_not_answer_is_a_sentence_without_its_password(
    tmp_path: Path,
) -> None:
    terminal = Terminal(tmp_path)
    terminal.write(
        "gateway.toml",
        f'[gateway]\ndata_dir = "{tmp_path}/data"\nkey_file = "{tmp_path}/k/k"\n'
        'database_url = "postgresql://u:hunter2@127.0.0.1:1/d"\n',
    )
    ended = terminal.run("members", "list")
    assert ended.exit_code == 1
    assert "hunter2" not in ended.err
    assert ended.err.count("\n") == 1
