"""Which documents fit a query."""

from dataclasses import replace
from time import perf_counter
from typing import Any

import pytest

from ihe.identifiers import Oid, PatientId, UniqueId
from ihe.metadata import Author, Code, DocumentEntry, SubmissionSet
from ihe.query_filter import matches, matches_submission_set
from ihe.stored_query import FindDocumentsQuery, FindSubmissionSetsQuery, TimeRange

PATIENT = PatientId("A-1", Oid("2.999.5"))
SUMMARY = Code("34133-9", "2.16.840.1.113883.6.1", "Summary")
NOTE = Code("11506-3", "2.16.840.1.113883.6.1")
NORMAL, VERY = Code("N", "2.16.840.1.113883.5.25"), Code("V", "2.16.840.1.113883.5.25")
ENTRY = DocumentEntry(
    "urn:uuid:0f1b3c52-8f0a-4c5b-9a77-2e8f5a0c0001",
    UniqueId("2.999.8"),
    patient_id=PATIENT,
    availability="Approved",
    class_code=SUMMARY,
    type_code=SUMMARY,
    format_code=SUMMARY,
    practice_setting_code=SUMMARY,
    healthcare_facility_type_code=SUMMARY,
    confidentiality_codes=(NORMAL, VERY),
    event_codes=(SUMMARY,),
    creation_time="20260301120000",
    service_start_time="2025",
    reference_ids=("r1", "r2"),
    authors=(Author("^O'Brien^Pat^^^Dr"), Author(institutions=("Harbor",))),
)
ASKED = FindDocumentsQuery(PATIENT)


def test_a_patients_approved_stable_documents_are_what_is_asked_for_by_default() -> None:
    assert matches(ENTRY, ASKED)
    assert not matches(replace(ENTRY, patient_id=PatientId("A-2", Oid("2.999.5"))), ASKED)
    assert not matches(replace(ENTRY, patient_id=None), ASKED)
    assert not matches(replace(ENTRY, availability="Deprecated"), ASKED)
    assert not matches(replace(ENTRY, object_type="on-demand"), ASKED)


def test_on_demand_and_deprecated_documents_come_when_asked_for() -> None:
    both = replace(ASKED, entry_types=("stable", "on-demand"), statuses=("Approved", "Deprecated"))
    assert matches(replace(ENTRY, object_type="on-demand", availability="Deprecated"), both)


@pytest.mark.parametrize(
    "field",
    [
        "class_codes",
        "type_codes",
        "format_codes",
        "practice_setting_codes",
        "healthcare_facility_type_codes",
    ],
)
def test_one_of_the_alternatives_is_enough(field: str) -> None:
    assert matches(ENTRY, replace(ASKED, **{field: (NOTE, SUMMARY)}))
    assert not matches(ENTRY, replace(ASKED, **{field: (NOTE,)}))
    entry = replace(ENTRY, **{field.removesuffix("s"): None})
    assert not matches(entry, replace(ASKED, **{field: (SUMMARY,)}))


def test_schemes_must_agree_unless_none_is_asked_for() -> None:
    assert not matches(ENTRY, replace(ASKED, class_codes=(Code("34133-9", "1.2"),)))
    assert matches(ENTRY, replace(ASKED, class_codes=(Code("34133-9", None),)))
    for prefix in ("urn:oid:", "URN:OID:", " urn:oid:"):
        prefixed = Code("34133-9", f"{prefix}2.16.840.1.113883.6.1")
        assert matches(ENTRY, replace(ASKED, class_codes=(prefixed,)))


def test_repeated_slots_must_all_be_met() -> None:
    assert matches(ENTRY, replace(ASKED, confidentiality_codes=((NORMAL,), (VERY, NOTE))))
    assert not matches(ENTRY, replace(ASKED, confidentiality_codes=((NORMAL,), (NOTE,))))
    assert not matches(ENTRY, replace(ASKED, event_codes=((NOTE,),)))
    assert matches(ENTRY, replace(ASKED, reference_ids=(("r1",), ("r2", "r3"))))
    assert not matches(ENTRY, replace(ASKED, reference_ids=(("r1",), ("r3",))))


@pytest.mark.parametrize(
    ("start", "end", "within"),
    [
        ("20260301120000", None, True),
        ("20260301120001", None, False),
        (None, "20260301120000", False),
        (None, "20260301120001", True),
        ("2026", "2027", True),
        ("202603", "202604", True),
        ("20260302", "20260303", False),
        ("2026", "2026", False),
        (None, "20260301", False),
    ],
)
def test_a_time_range_holds_its_start_and_not_its_end(
    start: str | None, end: str | None, within: bool
) -> None:
    assert matches(ENTRY, replace(ASKED, creation_time=TimeRange(start, end))) is within


def test_a_time_of_less_precision_is_its_first_moment() -> None:
    asked = replace(ASKED, service_start_time=TimeRange("20250101", "20250102"))
    assert matches(ENTRY, asked)


def test_a_time_that_is_not_said_meets_no_range() -> None:
    assert not matches(ENTRY, replace(ASKED, service_stop_time=TimeRange("1900")))


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("%O'Brien%", True),
        ("%o'brien%", True),
        ("^O'Brien^Pat^^^Dr", True),
        ("^O'Brien", False),
        ("^O_Brien%", True),
        ("%Pat^^^D_", True),
        ("%Pat^^^D_%_", False),
        ("%", True),
        ("", False),
        (".*", False),
    ],
)
def test_authors_are_found_like_sql_finds_them(pattern: str, fits: bool) -> None:
    assert matches(ENTRY, replace(ASKED, author_persons=("nobody", pattern))) is fits


@pytest.mark.parametrize(
    ("person", "pattern", "fits"),
    [
        ("^50%_off", r"^50\%\_off", True),
        ("^50xyoff", r"^50\%\_off", False),
        ("^50%xoff", r"^50\%_off", True),
        ("^A\\T\\B", r"^A\T\B", True),
        ("^A\\T\\B", r"%\T\%", False),
        ("^A\\", "^A\\", True),
        ("%", r"\%", True),
        ("x", r"\%", False),
    ],
)
def test_a_wildcard_after_a_backslash_is_itself(person: str, pattern: str, fits: bool) -> None:
    entry = replace(ENTRY, authors=(Author(person),))
    assert matches(entry, replace(ASKED, author_persons=(pattern,))) is fits


def test_what_is_made_later_has_no_times_that_speak_against_it() -> None:
    bare = replace(ENTRY, object_type="on-demand", creation_time=None, service_start_time=None)
    asked = replace(ASKED, entry_types=("on-demand",))
    year = TimeRange("1999", "2000")
    for name in ("creation_time", "service_start_time", "service_stop_time"):
        assert matches(bare, replace(asked, **{name: year}))
    assert not matches(replace(bare, creation_time="2026"), replace(asked, creation_time=year))


SET = SubmissionSet(
    "urn:uuid:2",
    UniqueId("2.999.9"),
    source_id=Oid("2.999.3"),
    patient_id=PATIENT,
    availability="Approved",
    submission_time="20260301",
    content_type=SUMMARY,
    authors=(Author("^O'Brien"),),
)


@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        ({}, True),
        ({"patient_id": PatientId("A-2", Oid("2.999.5"))}, False),
        ({"statuses": ("Deprecated",)}, False),
        ({"source_ids": ("2.999.4", "urn:oid:2.999.3")}, True),
        ({"source_ids": ("2.999.4",)}, False),
        ({"submission_time": TimeRange("20260301", "20260302")}, True),
        ({"submission_time": TimeRange("20260302")}, False),
        ({"author_persons": ("%brien",)}, True),
        ({"author_persons": ("nobody",)}, False),
        ({"content_type_codes": (NOTE, SUMMARY)}, True),
        ({"content_type_codes": (NOTE,)}, False),
    ],
)
def test_a_submission_set_fits_by_what_it_says(changes: dict[str, Any], fits: bool) -> None:
    asked = replace(FindSubmissionSetsQuery(PATIENT), **changes)
    assert matches_submission_set(SET, asked) is fits


def test_a_pattern_made_to_hang_does_not() -> None:
    entry = replace(ENTRY, authors=(Author("a" * 256),))
    started = perf_counter()
    assert not matches(entry, replace(ASKED, author_persons=("%a" * 127 + "b",)))
    assert perf_counter() - started < 1
