"""How long writing takes: a summary of ten thousand lines is ten times one of a thousand."""

from time import process_time

from ccda import parse_document
from ccda.hl7v3 import CD, II
from ccda.model import KINDS, Patient
from ccda.summary import LineSource, Summary, SummaryDocument, SummaryLine, SummarySection
from ccda.writer.elements import new_document
from ccda.writer.rows import Origin
from ccda.writer.sections import write_sections
from tests.ccda.written import write

SOURCE = LineSource("d1", "Example Clinic", 4, "/*", "2024-05-01")
DOCUMENTS = (SummaryDocument("d1", "A", "Example Clinic", "Visit", "2024-05-01"),)


def summary_of(count: int) -> Summary:
    lines = {
        kind: tuple(
            SummaryLine(
                kind,
                f"Fact {number}",
                (SOURCE,),
                code=CD(str(number), "2.999.7", f"Fact {number}"),
                status="completed",
                start=f"{1900 + number % 120}-05-01",
            )
            for number in range(count // len(KINDS))
        )
        for kind in KINDS
    }
    sections = tuple(SummarySection(kind, found) for kind, found in lines.items())
    return Summary("2025-10-01", DOCUMENTS, sections)


def seconds_for(summary: Summary) -> float:
    """How long the sections take; whole documents are checked against the schemas on the way."""
    origin = Origin(II("2.999.1"), {one.id: one for one in summary.documents}, {})
    started = process_time()
    write_sections(new_document(), summary, origin)
    return process_time() - started


def test_ten_thousand_lines_take_ten_times_as_long_as_a_thousand() -> None:
    small, large = summary_of(1_000), summary_of(10_000)
    shortest = min(seconds_for(small) for _ in range(3))
    assert seconds_for(large) / shortest < 20  # quadratic time would be a hundred


def test_a_summary_of_one_line_is_read_back() -> None:
    one = SummaryLine("problem", "Asthma", (SOURCE,), code=CD("195967001"), status="active")
    xml = write(Summary("2025-10-01", DOCUMENTS, (SummarySection("problem", (one,)),)), Patient())
    entries = [entry for section in parse_document(xml).sections for entry in section.entries]
    assert [entry.code and entry.code.code for entry in entries] == ["195967001"]
