"""What a written CCD says of hard facts: denied, refused, uncertain, disputed, withdrawn."""

from dataclasses import replace
from typing import Any, get_args

import pytest
from lxml import etree
from lxml.etree import _Element as Element

from ccda import ClinicalDocument, parse_document
from ccda.hl7v3 import CD, II
from ccda.model import KINDS, Entry, Interval, Kind, Language, Patient
from ccda.summary import (
    LineSource,
    NothingKnown,
    Summary,
    SummaryDocument,
    SummaryLine,
    SummarySection,
    TrendPoint,
)
from tests.ccda.written import DEMO, summarized, write
from tests.conformance import assert_valid_clinical_document

SNOMED = "2.16.840.1.113883.6.96"
LOINC = "2.16.840.1.113883.6.1"
CVX = "2.16.840.1.113883.12.292"
SOURCE = LineSource("d1", "Example Clinic", 4, "/*", "2024-05-01")
OTHER = LineSource("d2", "Other Hospital", 9, "/*", "2024-06-02T10:30-05:00")
DOCUMENTS = (
    SummaryDocument("d1", "A", "Example Clinic", "Visit", "2024-05-01"),
    SummaryDocument("d2", "B", "Other Hospital", "Discharge", "2024-06-02"),
)
ASTHMA = CD("195967001", SNOMED, "Asthma")


def without_ids(form: Any) -> Any:
    """What is read back of a detail, but for the ids that every written statement is given."""
    if isinstance(form, dict):
        return {name: without_ids(part) for name, part in form.items() if name != "ids"}
    return [without_ids(part) for part in form] if isinstance(form, list) else form


def line(kind: Kind, **given: Any) -> SummaryLine:
    about = {"display": "Asthma", "sources": (SOURCE,), "code": ASTHMA, "status": "active"}
    return SummaryLine(kind, **{**about, **given})


def written(*lines: SummaryLine, nothing: tuple[NothingKnown, ...] = ()) -> bytes:
    section = SummarySection(lines[0].kind if lines else "allergy", lines, nothing)
    xml = write(Summary("2025-10-01", DOCUMENTS, (section,)), Patient())
    assert_valid_clinical_document(xml)
    return xml


def entries(xml: bytes) -> list[Entry]:
    return [entry for section in parse_document(xml).sections for entry in section.entries]


def only(xml: bytes) -> Entry:
    (entry,) = [entry for entry in entries(xml) if not entry.details.get("panel")]
    return entry


def elements(xml: bytes, name: str) -> list[Element]:
    return list(etree.fromstring(xml).iter(f"{{urn:hl7-org:v3}}{name}"))


def section_text(document: ClinicalDocument, title: str) -> str:
    return next(s.text or "" for s in document.sections if s.title == title)


# ---- every shape -----------------------------------------------------------------------------

SHAPES: dict[str, dict[str, Any]] = {
    "bare": {"status": None, "code": None},
    "denied": {"negated": True, "status": "not done"},
    "with an end": {"end": "2024-03", "status": "completed"},
    "from and to": {"start": "2024", "end": "2024-03", "status": "stopped"},
    "in odd words": {"status": "to be seen"},
    "number": {"value": "7", "unit": "mg/dL", "status": "completed", "start": "2024-01-05"},
    "number without a unit": {"value": "7.50", "status": "completed"},
    "code": {"value": CD("373066001", SNOMED, "Yes"), "status": "completed"},
    "words": {"value": "as before", "status": "active"},
    "range": {"value": Interval("3", None), "unit": "%", "status": "completed"},
    "times": {"value": Interval("2010", "2011-05"), "status": "completed"},
    "translated": {
        "code": CD("75326-9", LOINC, "Problem", translations=(CD("55607006", SNOMED),)),
        "status": "completed",
    },
    "disputed": {"conflict": "sources disagree: yes and no"},
    "group": {"details": {"panel": True}},
    "relative": {"details": {"relative": True, "birth_time": "1950"}},
}
FAR_AWAY: dict[str, Any] = {
    "performer": [{"name": "Ann Bee", "organization": "Clinic", "ids": ["2.999.4^7"]}],
    "location": {"name": "Ward 3", "code": {"code": "1160-1", "system": LOINC, "display": "Ward"}},
    "age": {"value": "61", "unit": "a"},
    "severity": {"code": None, "system": None, "display": "rather bad"},
    "reference_range": [{"text": "3 to 5"}, {"value": {"low": "3", "high": "5", "unit": "%"}}],
    "relative": {"code": "MTH", "system": "2.16.840.1.113883.5.111", "display": "mother"},
    "device": [{"ids": ["2.16.840.1.113883.3.3719^(01)1"], "model": "M", "manufacturer": "F"}],
    "member_ids": ["2.999.7^M1"],
    "payer": {"name": "Plan", "ids": ["2.999.8"]},
    "subscriber_name": "Ann Bee",
    "indication": [{"code": "195967001", "system": SNOMED, "display": "Asthma"}],
    "concerns": [{"code": "195967001", "system": SNOMED, "display": "Asthma"}],
    "text": "as the note says",
    "cause_of_death": True,
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_a_line_of_any_kind_and_shape_makes_a_valid_document(shape: dict[str, Any]) -> None:
    rich = {**shape, "details": {**FAR_AWAY, **shape.get("details", {})}}
    for lines in ([shape], [rich, {}]):
        sections = tuple(
            SummarySection(kind, tuple(line(kind, **given) for given in lines)) for kind in KINDS
        )
        xml = write(Summary("2025-10-01", DOCUMENTS, sections), Patient())
        assert_valid_clinical_document(xml)
        assert parse_document(xml).issues == ()


@pytest.mark.parametrize(
    "told",
    [
        {"value": {"low": "3", "high": "5", "unit": "%"}, "exclusive": ["high"]},
        {"interpretation": {"code": "N", "system": "2.16.840.1.113883.5.83", "display": "Normal"}},
    ],
)
def test_a_reference_range_is_written_with_what_it_leaves_out(told: dict[str, Any]) -> None:
    entry = only(written(line("result", details={"reference_range": [told]})))
    assert entry.details["reference_range"] == [told]


def test_a_range_that_is_said_not_to_be_one_is_told_in_words_alone() -> None:
    denied = {"value": {"low": "4", "unit": "%"}, "negated": True}
    xml = written(line("result", details={"reference_range": [denied]}))
    assert "reference_range" not in only(xml).details
    assert "negated" in section_text(parse_document(xml), "Results")


def test_two_brothers_are_written_apart() -> None:
    def brothers(number: int) -> dict[str, Any]:
        whose = {"code": "BRO", "system": "2.16.840.1.113883.5.111", "display": "brother"}
        return {
            "relative": whose,
            "relative_ids": [f"2.999^{number}"],
            "relative_birth_time": f"195{number}",
        }

    given = [line("family_history", details=brothers(number)) for number in (1, 2)]
    summary = Summary("2025-10-01", DOCUMENTS, (SummarySection("family_history", tuple(given)),))
    entries = [
        entry for one in parse_document(write(summary, Patient())).sections for entry in one.entries
    ]
    told = [entry.details for entry in entries if entry.parent is not None]
    assert [one["relative_ids"] for one in told] == [["2.999^1"], ["2.999^2"]]
    assert [one["relative_birth_time"] for one in told] == ["1951", "1952"]


NEWBORN = {
    "class_code": "PRS",
    "relationship": {"code": "NCHILD", "system": "2.16.840.1.113883.5.111", "display": "child"},
    "name": "Baby",
    "gender": {"code": "M", "system": "2.16.840.1.113883.5.1", "display": "Male"},
    "birth_time": "2024-01-02",
    "ids": ["2.999.9^b1"],
}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "family_history"])
def test_what_is_about_someone_else_is_not_written_as_the_patients(kind: Kind) -> None:
    section = SummarySection(kind, (line(kind, details={"subject": NEWBORN}), line(kind)))
    xml = write(Summary("2025-10-01", DOCUMENTS, (section,)), Patient())
    assert_valid_clinical_document(xml)
    told = [
        entry.details["subject"]
        for one in parse_document(xml).sections
        for entry in one.entries
        if "subject" in entry.details
    ]
    assert told == [NEWBORN]


# ---- denied and refused ----------------------------------------------------------------------


def test_an_absent_problem_is_negated_and_named() -> None:
    entry = only(written(line("problem", status="absent", negated=True)))
    assert entry.negated
    assert entry.code is not None and entry.code.code == "195967001"


def test_a_refused_vaccine_was_not_given_and_says_why() -> None:
    reason = {"code": "PATOBJ", "system": "2.16.840.1.113883.5.8", "display": "patient objection"}
    vaccine = CD("197", CVX, "Influenza, high-dose")
    refused = line(
        "immunization",
        display="Influenza",
        code=vaccine,
        negated=True,
        status="refused",
        start="2024-10-08",
        details={"refusal_reason": reason},
    )
    xml = written(refused)
    entry = only(xml)
    assert (entry.negated, entry.details["refusal_reason"]["code"]) == (True, "PATOBJ")
    assert "Not: Influenza" in section_text(parse_document(xml), "Immunizations")


@pytest.mark.parametrize("kind", ["allergy", "problem", "medication", "immunization", "procedure"])
def test_nothing_of_a_kind_is_an_entry_that_denies(kind: Kind) -> None:
    text = {"allergy": "No known allergies"}.get(kind, f"No known {kind}s")
    section = SummarySection(kind, (), (NothingKnown(text, (SOURCE,)),))
    xml = write(Summary("2025-10-01", DOCUMENTS, (section,)), Patient())
    assert_valid_clinical_document(xml)
    again, _ = summarized([("derived", xml)])
    assert [one.text for one in again.section(kind).nothing_known] == [text]
    assert again.section(kind).lines == ()


def test_no_known_allergies_beside_an_allergy_is_told_in_words_alone() -> None:
    xml = written(line("allergy"), nothing=(NothingKnown("No known allergies", (OTHER,)),))
    assert not only(xml).negated
    assert "No known allergies" in section_text(parse_document(xml), "Allergies and Intolerances")


def test_a_denial_of_food_allergies_stands_beside_a_drug_allergy() -> None:
    xml = written(line("allergy"), nothing=(NothingKnown("No known food allergies", (OTHER,)),))
    assert [(entry.negated, entry.no_information) for entry in entries(xml)] == [
        (False, False),
        (True, True),
    ]


# ---- unknown and uncertain -------------------------------------------------------------------


@pytest.mark.parametrize("start", ["2010", "2010-05", "2010-05-04", "2010-05-04T08:30-05:00"])
def test_a_date_is_as_precise_as_it_was(start: str) -> None:
    entry = only(written(line("problem", start=start)))
    assert entry.start is not None and entry.start.iso == start


@pytest.mark.parametrize("kind", ["procedure", "encounter", "coverage", "plan", "medication"])
def test_a_moment_stays_one_and_a_beginning_too(kind: Kind) -> None:
    at = only(written(line(kind, start="2024-01-10", is_moment=True)))
    since = only(written(line(kind, start="2024-01-10")))
    assert (at.time and at.time.iso, at.start, at.end) == ("2024-01-10", None, None)
    assert (since.time, since.start and since.start.iso, since.end) == (None, "2024-01-10", None)


def test_what_is_unknown_has_a_null_flavor_and_no_value() -> None:
    entry = only(written(line("medication", status=None)))
    assert entry.status is None
    assert entry.start is not None
    assert (entry.start.value, entry.start.null_flavor) == (None, "UNK")
    assert "dose" not in entry.details and "route" not in entry.details


def test_a_problem_without_a_status_gets_none() -> None:
    assert only(written(line("problem", status=None))).status is None


@pytest.mark.parametrize("status", ["active", "resolved", "chronic", "completed", "watched"])
def test_a_problem_keeps_its_status(status: str) -> None:
    assert only(written(line("problem", status=status))).status == status


@pytest.mark.parametrize("negated", [False, True])
@pytest.mark.parametrize("kind", ["problem", "allergy", "medication", "procedure", "result"])
def test_what_was_entered_in_error_is_written_as_that(kind: Kind, negated: bool) -> None:
    entry = only(written(line(kind, status="nullified", negated=negated)))
    assert (entry.status, entry.negated) == ("nullified", negated)


def test_a_fact_without_a_code_keeps_its_words() -> None:
    entry = only(written(line("problem", code=None, display="Sore throat & cough")))
    assert entry.text == "Sore throat & cough"
    assert entry.code is not None and entry.code.code is None


# ---- values ----------------------------------------------------------------------------------


def test_a_code_that_its_author_put_in_doubt_stays_in_doubt() -> None:
    doubted = replace(ASTHMA, null_flavor="NI")
    code = only(written(line("procedure", code=doubted, status="completed"))).code
    assert code is not None
    assert (code.code, code.null_flavor) == ("195967001", "NI")


def test_what_is_no_number_keeps_its_unit() -> None:
    entry = only(written(line("mental_status", value="37,2", unit="Cel")))
    assert (entry.value, entry.unit) == ("37,2 Cel", None)


def test_whoever_is_not_of_a_care_team_is_not_told_as_a_member() -> None:
    members = (line("care_team"), line("care_team", negated=True))
    read = [entry.negated for entry in entries(written(*members)) if entry.parent is not None]
    assert read == [False, True]


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("details", [{}, {"panel": True}])
def test_what_is_denied_is_never_written_as_a_fact(kind: Kind, details: dict[str, Any]) -> None:
    denied = line(kind, negated=True, status="completed", details=details)
    read = [entry for entry in entries(written(denied)) if not entry.details.get("panel")]
    assert all(entry.negated for entry in read)
    groups = [entry for entry in entries(written(denied)) if entry.details.get("panel")]
    assert not groups or read


@pytest.mark.parametrize("kind", ["procedure", "plan"])
@pytest.mark.parametrize("told", ["act", "procedure"])
@pytest.mark.parametrize("mood", ["EVN", "RQO", None])
def test_what_has_a_value_is_written_as_an_observation(
    kind: Kind, told: str, mood: str | None
) -> None:
    details = {"statement": told}
    entry = only(written(line(kind, value="4", unit="min", mood=mood, details=details)))
    assert (entry.value, entry.unit, entry.details["statement"]) == ("4", "min", "observation")
    assert entry.mood == (mood or ("EVN" if kind == "procedure" else "INT"))


@pytest.mark.parametrize("kind", ["procedure", "plan"])
def test_an_appointment_with_a_value_stays_one(kind: Kind) -> None:
    details = {"statement": "procedure"}
    entry = only(written(line(kind, value="4", unit="min", mood="APT", details=details)))
    assert (entry.value, entry.mood, entry.details["statement"]) == (None, "APT", "procedure")


def test_a_trend_has_an_organizer_for_each_time() -> None:
    points = (
        TrendPoint("2024-01-05", "7.10", "%", "7.10", "%", sources=(SOURCE,)),
        TrendPoint("2024-06-01", "6.8", "%", "6.8", "%", interpretation="N", sources=(OTHER,)),
    )
    told = line(
        "result",
        code=CD("4548-4", LOINC, "Hemoglobin A1c"),
        status="completed",
        value="6.8",
        unit="%",
        start="2024-06-01",
        trend=points,
    )
    xml = written(told)
    found = [entry for entry in entries(xml) if entry.parent is not None]
    assert [(entry.time.iso, entry.value, entry.unit) for entry in found if entry.time] == [
        ("2024-01-05", "7.10", "%"),
        ("2024-06-01", "6.8", "%"),
    ]
    assert len(elements(xml, "organizer")) == 2


def test_a_vital_sign_without_a_unit_claims_no_template() -> None:
    told = line("vital_sign", value="120/80", status="completed", start="2024-01-05")
    assert only(written(told)).value == "120/80"


def test_medication_details_are_read_back() -> None:
    details = {
        "dose": {"value": "1", "unit": "{tablet}"},
        "route": {"code": "C38288", "system": "2.16.840.1.113883.3.26.1.1", "display": "ORAL"},
        "frequency": [{"period": {"value": "12", "unit": "h"}, "operator": "A"}],
        "sig": "One tablet every 12 hours",
        "precondition": [{"code": "56018004", "system": SNOMED, "display": "Wheezing"}],
        "indication": [{"code": "195967001", "system": SNOMED, "display": "Asthma"}],
    }
    entry = only(written(line("medication", start="2024-01-05", details=details)))
    assert {name: without_ids(entry.details.get(name)) for name in details} == details


def test_allergy_details_are_read_back() -> None:
    severe = {"code": "24484000", "system": SNOMED, "display": "Severe"}
    details = {
        "type": {"code": "416098002", "system": SNOMED, "display": "Allergy to drug"},
        "reaction": [
            {"code": "39579001", "system": SNOMED, "display": "Anaphylaxis", "severity": severe}
        ],
        "criticality": {
            "code": "CRITH",
            "system": "2.16.840.1.113883.5.1063",
            "display": "High criticality",
        },
    }
    entry = only(written(line("allergy", start="1996", details=details)))
    assert {name: without_ids(entry.details.get(name)) for name in details} == details


# ---- who said it, and who says otherwise -----------------------------------------------------


def test_every_entry_names_its_sources_and_when_they_said_it() -> None:
    xml = written(line("problem", sources=(SOURCE, OTHER)))
    entry = only(xml)
    assert [(a.organization, a.time.iso if a.time else None) for a in entry.authors] == [
        ("Example Clinic", "2024-05-01"),
        ("Other Hospital", "2024-06-02T10:30-05:00"),
    ]
    cited = [
        e[1].get("extension") for e in elements(xml, "externalDocument") for e in [list(e)[1:]]
    ]
    assert cited == ["d1", "d2"]


def test_a_source_that_is_superseded_is_not_cited() -> None:
    xml = written(line("problem", sources=(SOURCE, replace(OTHER, superseded=True))))
    assert len(elements(xml, "externalDocument")) == 1


def test_a_conflict_is_told_in_the_narrative_and_as_a_comment() -> None:
    conflict = "sources disagree: Example Clinic says active, Other Hospital says resolved"
    xml = written(line("problem", conflict=conflict))
    assert conflict in section_text(parse_document(xml), "Problems")
    codes = [code.get("code") for code in elements(xml, "code")]
    assert "48767-8" in codes


def test_a_withdrawn_fact_is_told_and_not_stated() -> None:
    kept, withdrawn = line("problem"), line("problem", display="Gout", withdrawn=True)
    xml = written(kept, withdrawn)
    assert [entry.text for entry in entries(xml)] == ["Asthma"]
    assert "Gout" in section_text(parse_document(xml), "Problems")


def test_every_reference_points_to_words_in_the_narrative() -> None:
    summary, patient = summarized(
        [(file.stem, file.read_bytes()) for file in sorted(DEMO.glob("*.xml"))]
    )
    root = etree.fromstring(write(summary, patient))
    ids = [one.get("ID") for one in root.iter() if one.get("ID")]
    pointers = [one.get("value", "") for one in root.iter("{urn:hl7-org:v3}reference")]
    assert len(ids) == len(set(ids))
    assert {value.removeprefix("#") for value in pointers if value} <= set(ids)


# ---- the document itself ---------------------------------------------------------------------


def test_the_document_says_that_a_program_derived_it() -> None:
    document = parse_document(written(line("problem")))
    (author,) = document.authors
    assert (author.name, author.device) == (None, "Example Gateway")
    assert document.custodian == "Example Health Plan"
    assert (document.id, document.set_id, document.version) == (
        II("2.999.1.2", "derived-1"),
        II("2.999.1.3", "member-1"),
        "1",
    )
    assert "derived" in (document.title or "")


def test_the_same_summary_gives_the_same_bytes() -> None:
    assert written(line("problem")) == written(line("problem"))


def test_what_came_of_a_goal_is_written_as_something_that_happened() -> None:
    code = CD("104091002", "2.16.840.1.113883.6.96", "Blood count")
    outcome = replace(line("goal", code=code, value="12", unit="g/dL"), details={"outcome": True})
    assert [one.mood for one in entries(written(outcome))] == ["EVN"]
    assert [one.mood for one in entries(written(line("goal", code=code)))] == ["GOL"]


def test_the_marital_status_and_every_language_are_written() -> None:
    spoken = (Language("es", preferred=True), Language("en-US", preferred=False))
    married = CD("M", "2.16.840.1.113883.5.2", "Married")
    told = Patient(language="es", languages=spoken, marital_status=married)
    xml = write(Summary("2025-10-01"), told)
    assert_valid_clinical_document(xml)
    read = parse_document(xml).patient
    assert read.languages == spoken
    assert read.marital_status is not None and read.marital_status.code == "M"


def test_a_problem_typed_as_a_part_of_something_is_still_read_as_a_problem() -> None:
    """Some systems write a severity's code where the kind of problem belongs."""
    kind = {"code": "SEV", "system": "2.16.840.1.113883.5.4", "display": None}
    words = "Feels unwell"
    code = CD(None, original_text=words)
    spoken = line("problem", code=code, display=words, status=None, details={"type": kind})
    document = parse_document(written(spoken))
    assert document.issues == ()
    (entry,) = (one for part in document.sections for one in part.entries)
    assert (entry.kind, entry.text) == ("problem", words)
