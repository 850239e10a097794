"""The printed summary before veraPDF, the reference checker of PDF/A (ISO 19005) and PDF/UA."""

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from gateway.exchange.summary_pdf import write_pdf
from tests.gateway.exchange.test_summary_pdf import EMPTY, LINE, NOW, SHEET
from tests.installs import Unavailable
from tests.interop import maven

_VERAPDF: Final = Path(__file__).parent / "verapdf"
_SHEETS: Final = {
    "summary": SHEET,
    "empty": EMPTY,
    "long": replace(SHEET, sections=(replace(SHEET.sections[0], lines=(LINE,) * 60),)),
    "letters": replace(SHEET, name="Αθηνά Łódź אבא 王小明 \U000e0041"),
}


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What veraPDF has against the prints and one spoilt copy, all of which it must have read."""
    try:
        maven.build(_VERAPDF)
    except Unavailable as missing:
        pytest.fail(str(missing), pytrace=False)
    folder = tmp_path_factory.mktemp("prints")
    for name, sheet in _SHEETS.items():
        (folder / name).write_bytes(write_pdf(sheet, author="Acme Health Plan", now=NOW))
    content = (folder / "summary").read_bytes()
    (folder / "spoilt").write_bytes(content.replace(b"<pdfaid:part>2<", b"<pdfaid:part>1<", 1))
    files = sorted(folder.iterdir())
    command = ["java", "-Xmx1g", "-cp", maven.class_path(_VERAPDF, "verapdf.jar"), "verapdf.Main"]
    ran = subprocess.run(
        [*command, *map(str, files)], capture_output=True, text=True, timeout=600, check=True
    )
    *lines, last = ran.stdout.splitlines()
    assert last == f"read {len(_SHEETS) + 1}"
    return [line.replace(f"{folder}/", "") for line in lines]


@pytest.mark.parametrize("name", _SHEETS)
def test_a_printed_summary_breaks_no_rule_of_pdf_a_2b_nor_of_pdf_ua_1(
    broken: list[str], name: str
) -> None:
    assert [line for line in broken if line.startswith(f"broken {name} ")] == []


def test_the_checker_is_awake(broken: list[str]) -> None:
    assert [line for line in broken if line.startswith("broken spoilt 2b 6.6.4")]
