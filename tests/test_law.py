"""The law of the house: arrows, purity, and that the tests test this tree (DECISIONS 21-29)."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("gateway", "ihe", "ccda", "direct")


def test_every_import_contract_is_kept() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("name", PACKAGES)
def test_the_packages_under_test_are_this_checkout(name: str) -> None:
    file = importlib.import_module(name).__file__
    assert file is not None
    assert Path(file).resolve().parent == ROOT / name


def test_tests_never_shadow_a_package() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_no_source_file_names_a_package_registry_or_this_machine() -> None:
    hosts = re.compile("|".join(("pypi" + r"\.org", "files.python" + "hosted", r"repo1?\.maven")))
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    texts = {
        name: (ROOT / name).read_bytes() for name in listed if name and (ROOT / name).is_file()
    }
    guilty = [
        name
        for name, content in texts.items()
        if hosts.search(content.decode("utf-8", "replace"))
        or str(ROOT.parent).encode() + b"/" in content
    ]
    assert guilty == []


def test_only_safe_xml_builds_an_xml_parser() -> None:
    """One hardened door (DECISIONS 26); anything else would read entities or files."""
    parser = re.compile(r"etree\.(fromstring|parse|XML|HTML|iterparse|XMLParser|XMLPullParser)\(")
    guilty = [
        str(file.relative_to(ROOT))
        for package in PACKAGES
        for file in (ROOT / package).rglob("*.py")
        if parser.search(file.read_text(encoding="utf-8")) and file.name != "safe_xml.py"
    ]
    assert guilty == []


def test_the_libraries_open_no_url() -> None:
    """`urllib.parse` is pure, `urllib.request` is not; import contracts cannot tell them apart."""
    guilty = [
        str(file.relative_to(ROOT))
        for package in ("ihe", "ccda", "direct")
        for file in (ROOT / package).rglob("*.py")
        if "urllib.request" in file.read_text(encoding="utf-8")
    ]
    assert guilty == []
