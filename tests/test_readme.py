"""The README makes no claim that was not run: its samples load, its commands and rooms exist."""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

from typer.main import get_command

from gateway.cli import app
from gateway.model.partner import Endpoints, PartnerProfile
from gateway.settings import load_settings

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SAMPLES = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)


def test_the_sample_settings_are_taken_as_they_stand(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(SAMPLES[0], encoding="utf-8")
    settings = load_settings(file)
    assert settings.plans[0].id == "acme"
    assert settings.policy is not None
    assert settings.policy.rules[0].partner == "2.999.2"


def test_the_sample_partner_has_only_keys_that_a_partner_has() -> None:
    form = tomllib.loads(SAMPLES[1])
    assert Endpoints(**form["endpoints"]).iti55 == "https://hie.example/xcpd"
    assert PartnerProfile(**form["profile"]).timeout_seconds == 60.0


def test_every_command_of_the_readme_exists() -> None:
    command: Any = get_command(app)
    words = re.findall(r"^gateway ([a-z]+)(?: ([a-z]+)\b)?", README, re.MULTILINE)
    assert len(words) >= 7
    for name, sub in words:
        found = command.get_command(None, name)
        assert found is not None, f"gateway {name}"
        subcommands = getattr(found, "commands", None)
        assert subcommands is None or sub in subcommands, f"gateway {name} {sub}"


def test_the_table_of_rooms_is_the_tree() -> None:
    named = set(re.findall(r"^\| `([a-z/]+)/` \|", README, re.MULTILINE))
    listed = subprocess.run(
        ["git", "ls-files", "*/__init__.py"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    packages = {str(Path(name).parent) for name in listed}
    top = {name for name in packages if name.count("/") <= 1}
    inner = {name for name in top if name.split("/")[0] in ("ccda", "ihe") and "/" in name}
    assert named - {"tests"} == top - inner - {"gateway"}


def test_every_make_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make ([a-z]+)\b", README)) <= targets
