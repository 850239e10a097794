"""What one code stands over: concerns, notes, goals and plans that only their content tells."""

from dataclasses import replace

import pytest

from ccda.hl7v3 import CD
from ccda.model import Entry, Kind
from tests.gateway.exchange.records import (
    ICD10,
    LOINC,
    SNOMED,
    A,
    B,
    cited,
    document,
    entry,
    holding,
    lines,
    only,
)

CONCERN = CD("75310-3", LOINC, "Health Concern")
OVERWEIGHT = {"code": "238131007", "system": SNOMED, "display": "Overweight"}
SUICIDAL = {"code": "6471006", "system": SNOMED, "display": "Suicidal thoughts"}


def concern(
    *about: dict[str, str | None], id_: str | None = None, text: str | None = None
) -> Entry:
    details = {"concerns": list(about)} if about else {}
    return entry("concern", CONCERN, details=details, id_=id_, text=text)


@pytest.mark.parametrize("id_", [None, "sample"])
def test_two_concerns_of_one_document_are_two(id_: str | None) -> None:
    found = lines("concern", holding(A, concern(OVERWEIGHT, id_=id_), concern(SUICIDAL, id_=id_)))
    assert {line.display for line in found} == {
        "Health Concern: Overweight",
        "Health Concern: Suicidal thoughts",
    }


def test_two_organizations_fear_two_things_or_the_same() -> None:
    found = lines(
        "concern",
        holding(A, concern(OVERWEIGHT)),
        holding(B, concern(SUICIDAL), concern({**OVERWEIGHT, "display": "overweight (finding)"})),
    )
    told = {line.details["concerns"][0]["code"]: cited(line) for line in found}
    assert told == {"238131007": ["a", "b"], "6471006": ["b"]}


def test_who_fears_more_says_something_else() -> None:
    found = lines(
        "concern", holding(A, concern(OVERWEIGHT, SUICIDAL)), holding(B, concern(OVERWEIGHT))
    )
    assert sorted(cited(line) for line in found) == [["a"], ["b"]]


def test_a_concern_in_words_is_known_by_them() -> None:
    uncoded = {"code": None, "system": None, "display": "Falls at night"}
    told = [concern(uncoded), concern(text="Cannot pay for drugs")]
    found = lines("concern", holding(A, *told), holding(B, *told))
    assert [cited(line) for line in found] == [["a", "b"], ["a", "b"]]


NOTE = CD("34109-9", LOINC, "Note")
GOAL = CD("58144-7", LOINC, "Goal")
TEACHING = CD("409073007", SNOMED, "Education")


@pytest.mark.parametrize(
    ("kind", "code", "time", "one", "other"),
    [
        ("note", NOTE, "20240101", "Cardiology: chest pain", "Ortho: knee"),
        ("goal", GOAL, "20240101", "Walk daily", "Quit smoking"),
        ("plan", TEACHING, "20240101", "Stop smoking", "Take warfarin at night"),
    ],
)
def test_what_differs_in_words_alone_is_told_apart(
    kind: Kind, code: CD, time: str, one: str, other: str
) -> None:
    said = [entry(kind, code, time=time, text=text) for text in (one, other)]
    again = [entry(kind, code, time=time, text=f"{text.upper()}.") for text in (one, other)]
    found = lines(kind, holding(A, *said), holding(B, *again))
    assert [cited(line) for line in found] == [["a", "b"], ["a", "b"]]
    texts = {str(line.details["text"]).casefold().rstrip(".") for line in found}
    assert texts == {one.casefold(), other.casefold()}


def test_two_undated_instructions_of_two_organizations_are_two() -> None:
    found = lines(
        "plan",
        holding(A, entry("plan", TEACHING, text="Stop smoking", mood="INT")),
        holding(B, entry("plan", TEACHING, text="Take warfarin at night", mood="INT")),
    )
    assert {line.details["text"] for line in found} == {"Stop smoking", "Take warfarin at night"}


def test_the_content_of_a_note_counts_more_than_its_title() -> None:
    told = [
        entry("note", NOTE, time="2024", text="Note", details={"content": content})
        for content in ("Chest pain", "Knee")
    ]
    assert len(lines("note", holding(A, *told))) == 2


def test_words_that_only_name_the_code_are_no_other_plan() -> None:
    line = only(
        "plan",
        holding(A, entry("plan", TEACHING, time="2024", text="Education")),
        holding(B, entry("plan", TEACHING, time="2024", text="How to use the inhaler")),
    )
    assert cited(line) == ["a", "b"]


def test_a_note_corrected_under_its_id_is_one() -> None:
    later = document("a later", "20240601", partner="a")
    line = only(
        "note",
        holding(A, entry("note", NOTE, time="20240101", text="Left knee", id_="1")),
        holding(later, entry("note", NOTE, time="20240101", text="Right knee", id_="1")),
    )
    assert line.details["text"] == "Right knee"


def test_a_concern_about_two_codes_of_one_disease_is_told_by_both() -> None:
    """Nothing says here that they are one: two lines lose nothing."""
    other = {"code": "E66.3", "system": ICD10, "display": "Overweight"}
    found = lines("concern", holding(A, concern(OVERWEIGHT)), holding(B, concern(other)))
    assert len(found) == 2


def test_a_note_whose_code_points_to_its_words_says_them_all_the_same() -> None:
    texts = ("Cardiology: chest pain", "Ortho: knee")
    told = [
        entry("note", replace(NOTE, original_text=text), time="20240101", text=text)
        for text in texts
    ]
    assert len(lines("note", holding(A, *told))) == 2
