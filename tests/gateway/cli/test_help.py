"""Every command says what it is for, and a wrong one ends in a sentence with exit code 2."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from gateway.cli import app
from tests.gateway.cli.terminal import run


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    if isinstance(command, TyperGroup):
        for name in command.list_commands(None):
            yield from commands(command.get_command(None, name), (*path, name))


ALL = dict(commands(get_command(app)))


@pytest.mark.parametrize("path", ALL, ids=lambda path: " ".join(path) or "gateway")
def test_help_teaches(path: tuple[str, ...]) -> None:
    ended = run(*path, "--help")
    assert ended.exit_code == 0
    assert ended.err == ""
    assert ended.out.splitlines()[0].split()[:1] == ["Usage:"] or "Usage:" in ended.out
    text = ALL[path].help
    assert text, "a command without a word"
    assert " ".join(text.split())[:30] in " ".join(ended.out.split())
    for parameter in ALL[path].params:
        assert getattr(parameter, "help", None), f"{path}: {parameter.name} is not explained"


@pytest.mark.parametrize(
    "path", [path for path in ALL if isinstance(ALL[path], TyperGroup)], ids=" ".join
)
def test_a_group_names_its_commands_with_a_whole_sentence_each(path: tuple[str, ...]) -> None:
    _, listed = run(*path, "--help").out.split("Commands:\n")
    for name in ALL[path].list_commands(None):
        assert f"\n  {name}  " in f"\n{listed}"
    assert "..." not in listed
    entries = re.split(r"\n  (?=\S)", listed.rstrip())
    assert all(entry.endswith(".") for entry in entries), entries


def test_the_version_is_said() -> None:
    ended = run("--version")
    assert ended.exit_code == 0
    assert re.fullmatch(r"gateway \d+\.\d+\.\d+\n", ended.out)


def test_who_asks_for_the_commands_does_not_wait_for_what_they_need() -> None:
    asked = "import sys; from gateway.cli import main\ntry: main(['--help'])\nexcept SystemExit: "
    asked += "print({'sqlalchemy', 'fastapi', 'lxml', 'cryptography'} & set(sys.modules))"
    command = [sys.executable, "-c", asked]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "summary" in shown.stdout
    assert shown.stdout.splitlines()[-1] == "set()"


def test_who_looks_at_members_does_not_wait_for_the_web() -> None:
    asked = "import sys, gateway.cli.members; print({'fastapi', 'starlette'} & set(sys.modules))"
    shown = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True
    )
    assert shown.stdout == "set()\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"],
        ["members"],
        ["members", "nothing"],
        ["summary"],
        ["summary", "x", "--nothing"],
        ["parse"],
        ["ingest"],
        ["tokens", "create"],
        ["tokens", "create", "Jane"],
        ["tokens", "create", "Jane", "--role", "staff", "--days", "0"],
        ["tokens", "create", "Jane", "--role", "staff", "--days", "many"],
        ["exchanges", "show", "x"],
        ["exchanges", "show", "0"],
        ["exchanges", "show", str(2**70)],
        ["exchanges", "list", "--limit", "0"],
        ["retrieve", "x", "--since", "yesterday"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_2(arguments: list[str]) -> None:
    ended = run(*arguments)
    assert ended.exit_code == 2
    assert ended.out + ended.err


@pytest.mark.parametrize("path", [path for path in ALL if path], ids=" ".join)
def test_settings_that_are_not_there_are_a_sentence(path: tuple[str, ...], tmp_path: Path) -> None:
    options = {option for parameter in ALL[path].params for option in parameter.opts}
    if "--config" not in options:
        return
    needed: list[object] = []
    for parameter in ALL[path].params:
        if parameter.required and parameter.param_type_name == "argument":
            words = {"sequence": "1", "usage": "signing", "lesson_number": "1"}
            needed.append(words.get(parameter.name or "", tmp_path))
        elif parameter.required:
            needed += [parameter.opts[0], "staff"]
    if path == ("retrieve",):
        needed = ["M-1", "--purpose", "PAYMENT", "--requester", "Jane"]
    if path == ("submit",):
        needed = ["M-1", "--to", "A", "--purpose", "PAYMENT", "--requester", "Jane"]
    if path == ("exchanges", "show"):
        needed = ["1"]
    if path == ("audit", "finding"):
        needed = ["1", "--kind", "misdirected"]
    if path == ("partners", "add"):
        needed = [_partner_file(tmp_path)]
    if path == ("ingest",):
        needed = [_partner_file(tmp_path)]
    ended = run(*path, *needed, "--config", tmp_path / "none.toml")
    assert ended.exit_code == 2
    assert ended.err.count("\n") == 1
    assert "none.toml cannot be read" in ended.err


def _partner_file(folder: Path) -> Path:
    file = folder / "partner.toml"
    file.write_text('name = "A"\nhome_community_id = "2.999.8"\n', encoding="utf-8")
    return file
