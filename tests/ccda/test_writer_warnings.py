"""What the schematron's warnings say of a written CCD, rule by rule: a new one fails here.

Those that remain ask for what a summary does not know (the author's specialty, a lot number, a
legal authenticator), or for what our own header does not state.
"""

from collections import Counter
from pathlib import Path

from lxml import etree

from tests.ccda.written import CORPUS, DEMO, readable, summarized, write, written
from tests.conformance import schemas_folder, schematron_findings

LISTS = Path(__file__).resolve().parents[1] / "samples" / "ccda"
EXPECTED = LISTS / "written_ccd_warnings.txt"
RULES = LISTS / "written_ccd_warning_rules.txt"


def test_a_written_document_has_the_warnings_that_are_listed_and_no_other() -> None:
    folder = schemas_folder()
    lines = (line.split() for line in EXPECTED.read_text("ascii").splitlines())
    expected = {rule: int(count) for count, rule in lines}
    assert expected
    if folder is not None:
        demo = written("demo", [(file.stem, file.read_bytes()) for file in DEMO.glob("*.xml")])
        found = schematron_findings(etree.fromstring(demo.xml), folder, "warnings")
        assert dict(Counter(one.test for one in found)) == expected


def test_members_of_other_shapes_have_no_warning_of_a_rule_that_is_not_listed() -> None:
    """Each document of the corpus that is tried is a member's whole record."""
    folder = schemas_folder()
    listed = set(RULES.read_text("ascii").split())
    assert listed
    if folder is not None and CORPUS.is_dir():
        for name, xml in list(readable())[::9]:
            root = etree.fromstring(write(*summarized([("document", xml)])))
            found = {one.test for one in schematron_findings(root, folder, "warnings")}
            assert found <= listed, name
