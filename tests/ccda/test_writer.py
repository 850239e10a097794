"""A written summary read again: the same facts, in a document that the standard admits.

Over every document at hand, as a member's whole record or with three others as one: the public
corpus beside a checkout, else our own; and over the demo member, whose six documents become one.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from ccda import parse_document
from ccda.model import Patient
from ccda.summary import Summary, SummaryLine
from tests.ccda.facts import Fact, codes, entries_of, fact_of_entry, fact_of_line, facts, lines_of
from tests.ccda.written import CORPUS, DEMO, Written, readable, write, written
from tests.conformance import assert_valid_clinical_document
from tests.thinning import STEP, thinned


@pytest.fixture(scope="module")
def members() -> list[Written]:
    """Each document is a member's whole record, and a quarter of another member's."""
    read = list(thinned(readable()))
    alone = [written(name, [("document", xml)]) for name, xml in read]
    others = read[1::2]
    several = [
        written(
            " and ".join(name for name, _ in four),
            [(f"partner{n}_document", xml) for n, (_, xml) in enumerate(four)],
        )
        for four in (others[start : start + 4] for start in range(0, len(others), 4))
    ]
    assert len(alone) >= (100 // STEP if CORPUS.is_dir() else 1)
    return [*alone, *several]


@pytest.fixture(scope="module")
def demo() -> Written:
    return written("demo", [(file.stem, file.read_bytes()) for file in sorted(DEMO.glob("*.xml"))])


# ---- the properties --------------------------------------------------------------------------


def test_every_fact_is_read_back_from_the_document(members: list[Written], demo: Written) -> None:
    for one in [*members, demo]:
        told = {fact_of_entry(entry) for section in one.read.sections for entry in section.entries}
        missing = [fact for fact in map(fact_of_line, lines_of(one.summary)) if fact not in told]
        assert missing == [], one.name


def test_nothing_is_read_back_that_the_summary_does_not_say(
    members: list[Written], demo: Written
) -> None:
    for one in [*members, demo]:
        known = {(ln.kind, codes(ln.code), ln.negated) for ln in lines_of(one.summary)}
        for entry in entries_of(one.read):
            assert (entry.kind, codes(entry.code), entry.negated) in known, one.name


def test_the_summary_of_the_written_document_has_the_same_facts(
    members: list[Written], demo: Written
) -> None:
    for one in [*members, demo]:
        before, after = facts(one.summary), facts(one.again)
        assert (before - after, after - before) == (Counter(), Counter()), one.name


def test_every_point_of_a_trend_is_written(members: list[Written], demo: Written) -> None:
    for one in [*members, demo]:
        for kind in ("result", "vital_sign"):
            before, after = (
                Counter((p.time, p.value, p.unit) for ln in s.section(kind).lines for p in ln.trend)
                for s in (one.summary, one.again)
            )
            assert before == after, (one.name, kind)


# ---- details ---------------------------------------------------------------------------------

# What only orders, times or identifies; the words of a code stand for it.
_MARKS = frozenset(
    "code system templates statement relation operator institution_specified exclusive panel "
    "value_null_flavor null_flavor mood concern status_code clinical_status".split()
)


def words_in(form: Any) -> Iterator[str]:
    """Every text that a detail holds."""
    if isinstance(form, dict):
        for name, part in form.items():
            if name not in _MARKS or (name == "code" and isinstance(part, dict)):
                yield from words_in(part)
    elif isinstance(form, list):
        for part in form:
            yield from words_in(part)
    elif isinstance(form, str):
        yield " ".join(form.split())


def test_every_detail_is_told_in_words(members: list[Written], demo: Written) -> None:
    for one in [*members, demo]:
        told = " ".join(" ".join((s.text or "").split()) for s in one.read.sections)
        for line in lines_of(one.summary):
            for name, detail in line.details.items():
                if name not in _MARKS:
                    lost = [text for text in words_in(detail) if text not in told]
                    assert lost == [], (one.name, line.kind, name)


# What an entry carries, as the reader tells it; the rest stands in the narrative alone.
_CARRIED = frozenset(
    "dose rate max_dose route site form frequency sig repeat_number precondition indication "
    "instruction comment supply performer location reaction severity criticality type lot_number "
    "manufacturer product_name refusal_reason reference_range interpretation specimen method "
    "priority relative age cause_of_death member_ids member_name group_ids subscriber_ids "
    "subscriber_name payer relationship guarantor device quantity concerns parties question "
    "text target_site".split()
)
_IN_WORDS_ALONE = {
    ("device", "target_site"), ("device", "specimen"), ("coverage", "performer"),
    ("plan", "repeat_number"), ("plan", "sig"), ("plan", "supply"),
}  # fmt: skip
_PARTS = "code display text name value unit low high organization model manufacturer period".split()


def carried(form: Any) -> Any:
    """A detail as far as entries carry it."""
    match form:
        case dict():
            parts = {name: carried(form[name]) for name in _PARTS if form.get(name)}
            if isinstance(parts.get("code"), dict):  # a whole statement: what it says
                said = parts.get("value") or {"display": parts.get("text")}
                return said if any(said.values()) else parts["code"]
            if parts.get("display"):
                parts.pop("text", None)
            return parts
        case [only]:
            return carried(only)
        case list():
            return [carried(part) for part in form]
        case _:
            return form


def is_carried(line: SummaryLine, name: str, detail: Any) -> bool:
    """Whether CDA, or the standard's template, has a place for the detail."""
    if name not in _CARRIED or (line.kind, name) in _IN_WORDS_ALONE:
        return False
    if name == "comment" and line.conflict:  # which is a comment too
        return False
    if name == "target_site":  # an act has none
        return line.details.get("statement") != "act"
    if name == "interpretation":
        return all(form.get("code") for form in detail)
    return name != "age" or detail.get("unit") is not None


def test_details_are_read_back(members: list[Written], demo: Written) -> None:
    checked = Counter[str]()
    for one in [*members, demo]:
        again: dict[Fact, list[SummaryLine]] = {}
        for line in lines_of(one.again):
            again.setdefault(fact_of_line(line), []).append(line)
        for line in lines_of(one.summary):
            for name, detail in line.details.items():
                if is_carried(line, name, detail):
                    read = [carried(same.details.get(name)) for same in again[fact_of_line(line)]]
                    assert carried(detail) in read, (one.name, line.kind, name)
                    checked[name] += 1
    assert checked["performer"] > 0


def test_what_was_only_intended_is_not_written_as_done(
    members: list[Written], demo: Written
) -> None:
    for one in [*members, demo]:
        moods = {
            (entry.kind, codes(entry.code), entry.mood)
            for section in one.read.sections
            for entry in section.entries
        }
        for line in lines_of(one.summary):
            if line.kind in ("plan", "medication", "immunization", "procedure", "encounter"):
                assert (line.kind, codes(line.code), line.mood) in moods, (one.name, line.kind)


# ---- the document as a whole ------------------------------------------------------------------


def test_written_documents_pass_schema_and_schematron(
    members: list[Written], demo: Written
) -> None:
    for one in [*members, demo]:
        try:
            assert_valid_clinical_document(one.xml)
        except AssertionError as error:
            raise AssertionError(one.name) from error


def test_reading_them_raises_no_issue(members: list[Written], demo: Written) -> None:
    for one in [*members, demo]:
        assert one.read.issues == (), one.name


def test_a_summary_of_nothing_is_a_document_that_says_so() -> None:
    xml = write(Summary("2025-10-01"), Patient())
    assert_valid_clinical_document(xml)
    read = parse_document(xml)
    assert {
        section.null_flavor for section in read.sections if section.title != "Social History"
    } == {"NI"}
    assert [entry for section in read.sections for entry in section.entries] == []
