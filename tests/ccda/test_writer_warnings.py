"""What the schematron's warnings say of a written CCD, rule by rule: a new one fails here.

Those that remain ask for what a summary does not know (the author's specialty, a lot number, a
legal authenticator), or for what our own header does not state.
"""

from collections import Counter
from pathlib import Path

from lxml import etree

from tests.ccda.written import DEMO, written
from tests.conformance import schemas_folder, schematron_findings

EXPECTED = Path(__file__).resolve().parents[1] / "samples" / "ccda" / "written_ccd_warnings.txt"


def test_a_written_document_has_the_warnings_that_are_listed_and_no_other() -> None:
    folder = schemas_folder()
    lines = (line.split() for line in EXPECTED.read_text("ascii").splitlines())
    expected = {rule: int(count) for count, rule in lines}
    assert expected
    if folder is not None:
        demo = written("demo", [(file.stem, file.read_bytes()) for file in DEMO.glob("*.xml")])
        found = schematron_findings(etree.fromstring(demo.xml), folder, "warnings")
        assert dict(Counter(one.test for one in found)) == expected
