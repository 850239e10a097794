"""The page of a member's summary: every line with its facts, its warnings in words, its sources."""

from dataclasses import replace
from typing import Any

import pytest

from ccda.hl7v3 import CD
from ccda.html import render_summary
from ccda.html.sheet import write_sheet
from ccda.model import Interval
from ccda.summary import (
    Completeness,
    LineSource,
    NothingKnown,
    Summary,
    SummaryDocument,
    SummaryLine,
    SummarySection,
    TrendPoint,
)
from tests.ccda.html_page import Page, read_page

LOINC = "2.16.840.1.113883.6.1"
MEMBER = {"name": "Ada <Sampleton>", "birth_date": "1958-03-14", "gender": "F", "member_id": "M-1"}
A = LineSource("one", "North", 0, "/*", "2024-01-02")
B = replace(A, document="two", partner="South")
DOCUMENTS = (
    SummaryDocument("one", "A", "North", "Discharge Summary", "2024-01-02T10:00:00-05:00"),
    SummaryDocument("two", "B", "South", None, "2024-03", superseded=True),
)
PENICILLIN = SummaryLine("allergy", "Penicillin", (A, B), CD("7980", None, "Penicillin"), "active")
POINTS = (
    TrendPoint("2024-01-02T08:15:30-05:00", "12.4", "g/dL", "12.4", "g/dL", "L", None, (A,)),
    TrendPoint("2024-03", "12.8", "g/dL", "128", "g/L", "N", "sources disagree", (B,)),
)
HEMOGLOBIN = SummaryLine("result", "Hemoglobin", (A, B), CD("718-7", LOINC, "Hemoglobin"),
                         "completed", "2024-03", value="12.8", unit="g/dL",
                         trend=POINTS)  # fmt: skip


def summary(*lines: SummaryLine, nothing_known: tuple[NothingKnown, ...] = ()) -> Summary:
    kinds = dict.fromkeys(line.kind for line in lines)
    sections = [
        SummarySection(kind, tuple(line for line in lines if line.kind == kind), nothing_known)
        for kind in kinds
    ]
    return Summary("2024-05-01T09:30:00+00:00", DOCUMENTS, tuple(sections))


def page(*lines: SummaryLine, answers: tuple[Completeness, ...] = (), **given: Any) -> Page:
    return read_page(render_summary(summary(*lines, **given), member=MEMBER, completeness=answers))


def test_the_head_says_of_whom_and_as_of_when() -> None:
    words = page(PENICILLIN).words
    assert "Summary of Ada <Sampleton>" in words
    for fact in ("Born 1958-03-14", "Gender Female", "Member number M-1", "As of 2024-05-01 09:30"):
        assert fact in words


def test_a_line_says_its_status_dates_code_and_documents() -> None:
    shown = page(replace(PENICILLIN, start="2008-05-01T00:00:00Z"))
    assert "Penicillin Status active Since 2008-05-01 Sources: documents A , B · Code 7980" in (
        shown.words
    )
    assert {"href": "#document-A"} in shown.all("a")
    assert [row["id"] for row in shown.all("tr") if "id" in row] == ["document-A", "document-B"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (replace(PENICILLIN, negated=True), "Penicillin Negated: not so"),
        (replace(PENICILLIN, kind="immunization", negated=True), "Penicillin Not done"),
        (replace(PENICILLIN, kind="medication", mood="RQO"), "Penicillin Ordered"),
        (replace(PENICILLIN, withdrawn=True),
         "Withdrawn Status active A newer version of the document no longer says so."),
        (replace(PENICILLIN, conflict="sources disagree: North says resolved"),
         "Sources disagree Status active Sources disagree: North says resolved."),
    ],
    ids=["negated", "not done", "ordered", "withdrawn", "conflict"],
)  # fmt: skip
def test_what_must_not_be_overlooked_is_said_in_words(line: SummaryLine, said: str) -> None:
    assert said in page(line).words


def test_a_disagreement_about_one_measurement_shows_at_the_line() -> None:
    (line,) = write_sheet(summary(HEMOGLOBIN), member={}, completeness=()).sections[0].lines
    assert line.flags == ("Sources disagree",)
    assert [point.remark for point in line.points] == ["", "Sources disagree"]


def test_a_trend_is_a_table_with_what_was_written_beside_what_was_converted() -> None:
    words = page(HEMOGLOBIN).words
    assert "Date Value As written Reading Remark Sources" in words
    assert "2024-01-02 08:15 12.4 g/dL low A" in words
    assert "2024-03 12.8 g/dL 128 g/L normal Sources disagree B" in words


def test_one_measurement_needs_no_table_unless_it_was_converted() -> None:
    one = replace(HEMOGLOBIN, trend=POINTS[:1])
    converted = replace(HEMOGLOBIN, trend=(replace(POINTS[1], conflict=None),))
    assert "As written" not in page(one).words
    assert "128 g/L" in page(converted).words


def test_only_bounds_that_belong_to_a_range_are_said_to_be_in_it() -> None:
    line = replace(HEMOGLOBIN, kind="goal", value=Interval(None, "7"), unit="%", trend=())
    assert "Value at most 7 %" in page(line).words
    assert "Value below 7 %" in page(replace(line, details={"exclusive": ["high"]})).words


def test_details_are_in_words_without_the_codes_that_have_a_name() -> None:
    details = {
        "reaction": [{"code": "247472004", "system": "2.16.840.1.113883.6.96", "display": "Hives",
                      "severity": {"code": "1", "system": None, "display": "Mild"}}],
        "performer": [{"name": "Dr No", "organization": "North", "ids": ["1^2"],
                       "code": {"code": "x", "system": None, "display": "Surgeon"}}],
        "frequency": [{"period": {"value": "6", "unit": "h"}, "institution_specified": "true"}],
        "dose": {"value": "2", "unit": "{puff}"},
        "coverage_period": {"low": "2019-01-01"},
        "reference_range": [
            {"value": {"low": "1", "unit": "g"}, "text": "1 g or more"},
            {"value": {"low": "1", "high": "3", "unit": "g"},
             "interpretation": {"code": "H", "display": "High"}},
        ],
        "supply": [{"mood": "INT", "quantity": {"value": "75"}}],
        "device": {"code": "9", "system": "1.2"},
    }  # fmt: skip
    words = page(replace(PENICILLIN, details=details)).words
    for said in ("Reaction Hives, severity: Mild", "Performer Dr No, North, Surgeon",
                 "Frequency every 6 h", "Dose 2 puff", "Coverage period from 2019-01-01",
                 "Reference range 1 g or more; 1 to 3 g, High",
                 "Supply mood: intended, quantity: 75", "Device 9 (1.2)"):  # fmt: skip
        assert said in words
    assert "247472004" not in words


def test_an_answer_stands_by_its_question_and_a_disease_by_its_relative() -> None:
    smoker = replace(PENICILLIN, kind="social_history", display="Ex-smoker",
                     code=CD("1", None, "Ex-smoker"),
                     details={"question": {"display": "Tobacco smoking status"}})  # fmt: skip
    mother = replace(PENICILLIN, kind="family_history", display="Diabetes",
                     details={"relative": {"display": "mother"}})  # fmt: skip
    words = page(smoker, mother).words
    assert "Tobacco smoking status Answer Ex-smoker" in words
    assert "Mother: Diabetes" in words


def test_that_nothing_is_known_is_a_line_with_its_source() -> None:
    none = NothingKnown("No known food allergies", (B,))
    assert "No known food allergies Source: document B" in (
        page(PENICILLIN, nothing_known=(none,)).words
    )


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ((), "No partner was asked: only documents that came otherwise"),
        ((Completeness("North", "matched", 2),), "The one partner answered in full."),
        ((Completeness("North", "matched", 2), Completeness("South", "no_match")),
         "All 2 partners answered in full."),
        ((Completeness("North", "matched", 2, 1), Completeness("South", "late")),
         "Not complete: 2 of 2 partners gave no full answer."),
    ],
    ids=["nobody", "one", "all", "some"],
)  # fmt: skip
def test_one_sentence_says_whether_the_summary_is_complete(
    answers: tuple[Completeness, ...], said: str
) -> None:
    assert said in page(PENICILLIN, answers=answers).words


def test_each_partner_has_a_row_that_says_what_it_answered() -> None:
    late = Completeness("South", "late", at="2024-05-01T09:00:00+00:00", detail="after 60 s")
    shown = page(PENICILLIN, answers=(Completeness("North", "matched", 3, 1), late))
    assert "North Found the member 3, 1 missing" in shown.words
    assert "South Gave no answer in time 0 2024-05-01 09:00 after 60 s" in shown.words


def test_the_documents_stand_at_the_end_with_their_letters() -> None:
    words = page(PENICILLIN).words
    assert "A 2024-01-02 North Discharge Summary" in words
    assert "B 2024-03 South Without a title (replaced by a newer version)" in words


def test_a_replaced_document_is_no_source_unless_the_fact_is_withdrawn() -> None:
    old = replace(PENICILLIN, sources=(A, replace(B, superseded=True)))
    assert "Source: document A" in page(old).words
    assert "Sources: documents A , B" in page(replace(old, withdrawn=True)).words


def test_a_member_without_documents_has_a_page_that_says_so() -> None:
    empty = read_page(render_summary(Summary("2024"), member={}, completeness=()))
    assert "No document says anything about this member yet." in empty.words
    assert "Summary of a member whose name is not known" in empty.words
    assert "No partner was asked." in empty.words


def test_words_of_a_summary_are_never_markup() -> None:
    hostile = "</li><script>alert(1)</script>\u202e"
    line = replace(HEMOGLOBIN, display=hostile, status=hostile, conflict=hostile,
                   details={hostile: "2" + hostile, "sig": "3" + hostile})  # fmt: skip
    shown = page(line, answers=(Completeness(hostile, hostile, 1, 0, hostile, hostile),))
    assert shown.all("script") == []
    assert "\u202e" not in shown.source
    assert shown.words.count("<script>alert(1)</script>") >= 9


def test_columns_that_say_nothing_are_left_out_and_rows_have_a_heading() -> None:
    shown = page(PENICILLIN, answers=(Completeness("North", "matched", 2),))
    assert "Remark" not in shown.words
    assert [one["scope"] for one in shown.all("th")].count("row") == 3
