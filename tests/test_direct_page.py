"""docs/direct.md: its sample loads as it stands, and it names every key with its default."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from typer.main import get_command

from gateway.cli import app
from gateway.settings import load_settings
from gateway.settings_discovery import Discovery, Publish
from gateway.settings_mail import Mail, Mailbox, MailDomain, MailFolder, MailLimits
from gateway.settings_mail_out import Forward, MailOut, Route, Smarthost

PAGE = (Path(__file__).resolve().parent.parent / "docs/direct.md").read_text(encoding="utf-8")
SHAPES: tuple[type[BaseModel], ...] = (
    Mail, MailDomain, Mailbox, MailFolder, MailLimits, MailOut, Smarthost, Route, Forward,
    Discovery, Publish,
)  # fmt: skip


def test_the_sample_is_taken_as_it_stands(tmp_path: Path) -> None:
    (sample,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    file = tmp_path / "gateway.toml"
    file.write_text('[[plans]]\nid = "acme"\nname = "Acme"\n' + sample, encoding="utf-8")
    mail = load_settings(file).mail
    assert mail is not None
    assert mail.domains[0].plan == "acme"
    assert mail.out.forward[0].members == ("M-1",)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_every_key_is_named_with_its_default(shape: type[BaseModel]) -> None:
    tables = "\n".join(line for line in PAGE.splitlines() if line.startswith("| "))
    for name, field in shape.model_fields.items():
        assert f"`{name}`" in tables, name
        if isinstance(field.default, float) and shape in (MailLimits, Mailbox, MailFolder):
            assert f"`{name}` ({field.default:g}" in tables, name
        if isinstance(field.default, int) and shape is MailLimits:
            assert f"`{name}` ({field.default}" in tables, name


def test_every_command_of_the_page_exists() -> None:
    command: Any = get_command(app)
    group = command.get_command(None, "direct")
    named = re.findall(r"`gateway direct ([a-z]+)(?:[ \n]([a-z]+))?", PAGE)
    assert len(named) >= 10
    for name, sub in named:
        found = group.get_command(None, name)
        assert found is not None, name
        assert not sub or sub in getattr(found, "commands", {sub}), f"{name} {sub}"
