"""Every document at hand as a page: none fails, none is unsafe, and no word of a narrative is lost.

The public corpus beside a checkout where there is one, and ours always.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ccda import CcdaError, parse_document
from ccda.html import render_html
from ccda.html.markup import clean
from ccda.safe_xml import Element, parse_xml
from tests.ccda.html_page import Page, read_page
from tests.thinning import thinned

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (ROOT.parent / "shared" / "corpus", ROOT / "tests" / "samples" / "ccda",
           ROOT / "gateway" / "demo")  # fmt: skip
ADDED_TO = ("{*}linkHtml", "{*}footnote", "{*}footnoteRef", "{*}renderMultiMedia")


def documents(folder: Path) -> Iterator[tuple[Path, bytes]]:
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    for file in thinned(files) if folder == FOLDERS[0] else files:
        if file.suffix in (".py", ".pyc"):
            continue
        data = file.read_bytes()
        try:
            parse_document(data)
        except CcdaError:
            with pytest.raises(CcdaError):
                render_html(data)
            continue
        yield file, data


@pytest.mark.parametrize("folder", FOLDERS, ids=("corpus", "samples", "demo"))
def test_every_document_is_a_safe_page_that_lost_no_word(folder: Path) -> None:
    for file, data in documents(folder):
        page = read_page(render_html(data))
        squeezed = page.squeezed
        for text in narratives(data):
            # Where we add nothing, the whole narrative stands there in its order.
            is_bare = not any(True for _ in text.iter(*ADDED_TO))
            words = clean("".join(text.itertext())).split()
            assert not is_bare or "".join(words) in squeezed, file
            assert all(word in squeezed for word in words), file


def narratives(data: bytes) -> Iterator[Element]:
    """The text of every section, in the raw tree."""
    document = parse_document(data)
    root = parse_xml(data, recover=document.recovered)
    for section in document.sections:
        (element,) = root.xpath(section.path)
        yield from element.iterchildren("{*}text")


def test_tables_keep_every_row_and_cell() -> None:
    checked = 0
    for folder in FOLDERS:
        for _, data in documents(folder):
            page = Page(render_html(data))
            for names in (("table",), ("tr",), ("th", "td")):
                written = sum(
                    1 for text in narratives(data) for _ in text.iter(*("{*}" + n for n in names))
                )
                shown = sum(len(page.all(name)) for name in names)
                assert shown >= written  # stray words get a cell of their own
                checked += written
    assert checked >= 20


def test_a_page_is_made_the_same_twice() -> None:
    data = (FOLDERS[1] / "whole_record.xml").read_bytes()
    assert render_html(data) == render_html(data)
