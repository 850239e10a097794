"""The demo's documents merged: every line that its EXPECTED.md promises, by name."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ccda import parse_document
from ccda.model import Kind
from ccda.safe_xml import parse_xml
from ccda.summary import Completeness, Summary, SummaryLine
from gateway.exchange.header_encounter import header_encounter
from gateway.exchange.summarize import summarize
from gateway.exchange.summary_text import summary_text
from gateway.model.document import Blob, Document, IndexedEntry, Source
from gateway.model.identity import DocumentId, MemberId, PartnerId, PlanId

FOLDER = Path(__file__).resolve().parents[3] / "gateway" / "demo" / "documents"
NDS, NCCD = "northfield_discharge_summary", "northfield_ccd"
LN1, LN2 = "lakeshore_progress_note_replaced", "lakeshore_progress_note"
LEYE, LCCD = "lakeshore_unstructured", "lakeshore_ccd"
ALL = (NDS, NCCD, LN1, LN2, LEYE, LCCD)
NOW = datetime(2025, 10, 1, tzinfo=UTC)

Indexed = tuple[Document, list[IndexedEntry]]


def read(name: str) -> Indexed:
    found = parse_document((FOLDER / f"{name}.xml").read_bytes())
    document = Document(
        id=DocumentId(name),
        plan=PlanId("demo"),
        state="filed",
        blob=Blob(name, 1, "", ""),
        source=Source("ITI-39", PartnerId(name.split("_")[0]), found.custodian),
        received=NOW,
        member=MemberId("m"),
        title=found.title,
        effective_time=found.effective_time.value if found.effective_time else None,
        set_id=str(found.set_id),
        version=int(found.version or 0),
        custodian=found.custodian,
    )
    entries = [entry for section in found.sections for entry in section.entries]
    return document, [IndexedEntry(document.id, n, None, entry) for n, entry in enumerate(entries)]


@pytest.fixture(scope="module")
def documents() -> dict[str, Indexed]:
    return {name: read(name) for name in ALL}


def summary_of(documents: dict[str, Indexed], *names: str) -> Summary:
    chosen = [documents[name] for name in names]
    pairs = [(document, entry) for document, entries in chosen for entry in entries]
    return summarize(pairs, as_of=NOW, documents=[document for document, _ in chosen])


@pytest.fixture(scope="module")
def summary(documents: dict[str, Indexed]) -> Summary:
    return summary_of(documents, *ALL)


def line(summary: Summary, kind: Kind, code: str, start: str | None = None) -> SummaryLine:
    """The one line of that code, whichever of its codes it is."""
    (found,) = [
        each
        for each in summary.section(kind).lines
        if each.code
        and code in {each.code.code, *(t.code for t in each.code.translations)}
        and (start is None or each.start == start)
    ]
    return found


def cited(line: SummaryLine) -> set[str]:
    return {source.document for source in line.sources if not source.superseded}


def values(line: SummaryLine) -> list[str | None]:
    return [point.value for point in line.trend]


# ---- problems --------------------------------------------------------------------------------


def test_type_2_diabetes_in_snomed_and_icd_10_is_one_problem(summary: Summary) -> None:
    found = line(summary, "problem", "44054006")
    assert found is line(summary, "problem", "E11.9")
    assert (found.status, found.start, found.conflict) == ("active", "2014-05", None)
    assert cited(found) == {NCCD, LN2, LCCD}


def test_hypertension_stays_two_lines_as_no_document_joins_its_codes(summary: Summary) -> None:
    snomed, icd = line(summary, "problem", "59621000"), line(summary, "problem", "I10")
    assert cited(snomed) == {NCCD}
    assert cited(icd) == {LN2, LCCD}
    assert (snomed.start, icd.start) == ("2016-09-12", "2016-09")


def test_hyperlipidemia_is_joined_by_a_code_that_is_only_a_translation(summary: Summary) -> None:
    found = line(summary, "problem", "E78.5")
    assert found is line(summary, "problem", "55822004")
    assert (found.status, found.start) == ("active", "2018-03-05")
    assert cited(found) == {NCCD, LN2, LCCD}


def test_osteoarthritis_keeps_its_year(summary: Summary) -> None:
    found = line(summary, "problem", "239873007")
    assert (found.status, found.start, cited(found)) == ("active", "2021", {NCCD})


def test_pneumonia_is_resolved_though_two_documents_once_called_it_active(summary: Summary) -> None:
    found = line(summary, "problem", "385093006")
    assert (found.status, found.start, found.end) == ("resolved", "2023-02-06", "2023-03-10")
    assert cited(found) == {NDS, NCCD}


def test_kidney_disease_of_list_and_visit_is_one_line(summary: Summary) -> None:
    found = line(summary, "problem", "N18.31")
    assert (found.status, found.start, len(found.sources)) == ("active", "2025-09-24", 2)


def test_retinopathy_is_absent(summary: Summary) -> None:
    found = line(summary, "problem", "4855003")
    assert (found.negated, found.status, cited(found)) == (True, "absent", {LCCD})


def test_atrial_fibrillation_was_withdrawn_by_the_corrected_note(summary: Summary) -> None:
    found = line(summary, "problem", "I48.91")
    assert found.withdrawn
    assert [source.document for source in found.sources] == [LN1]
    assert found is summary.section("problem").lines[-1]


def test_without_the_replaced_note_nobody_ever_fibrillated(documents: dict[str, Indexed]) -> None:
    found = summary_of(documents, *(name for name in ALL if name != LN1))
    assert not any(each.withdrawn for section in found.sections for each in section.lines)
    assert len(found.section("problem").lines) == 8


# ---- allergies -------------------------------------------------------------------------------


def test_penicillin_shows_the_dangerous_side_and_the_disagreement(summary: Summary) -> None:
    found = line(summary, "allergy", "7980")
    assert (found.status, found.start) == ("active", "1996")
    assert found.details["criticality"]["code"] == "CRITH"
    assert found.details["reaction"][0]["code"] == "39579001"
    assert cited(found) == {NDS, NCCD, LN2, LCCD}
    assert found.conflict == (
        "sources disagree: Lakeshore Medical Group says resolved, hives, mild, low criticality "
        "(2025-07-09); Northfield Health says active, anaphylaxis, severe, high criticality "
        "(2025-03-18)"
    )


def test_lakeshores_own_change_of_mind_is_no_conflict(documents: dict[str, Indexed]) -> None:
    found = line(summary_of(documents, LN1, LN2, LCCD), "allergy", "7980")
    assert (found.status, found.conflict) == ("resolved", None)


def test_latex_is_one_allergy_without_conflict(summary: Summary) -> None:
    found = line(summary, "allergy", "111088007")
    assert (found.status, found.start, found.conflict) == ("active", "2008", None)
    assert cited(found) == {NDS, NCCD, LN2, LCCD}


def test_lisinopril_is_an_intolerance(summary: Summary) -> None:
    found = line(summary, "allergy", "29046")
    assert (found.status, found.start, cited(found)) == ("active", "2025-05", {LN2, LCCD})
    assert found.details["type"]["code"] == "59037007"


def test_no_known_food_allergy_is_a_statement_of_its_own(summary: Summary) -> None:
    section = summary.section("allergy")
    assert len(section.lines) == 3
    assert [(word.text, {s.document for s in word.sources}) for word in section.nothing_known] == [
        ("No known food allergies", {LN1, LN2, LCCD})
    ]


# ---- medications -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "status", "start", "end", "sources"),
    [
        pytest.param(
            "861007", "active", "2014-06-02", None, {NDS, NCCD, LN2, LCCD}, id="metformin"
        ),
        pytest.param(
            "314076", "stopped", "2016-09-12", "2025-05-20", {NDS, NCCD, LN2, LCCD}, id="lisinopril"
        ),
        pytest.param("979492", "active", "2025-05-20", None, {LN2, LCCD}, id="losartan"),
        pytest.param(
            "617311", "active", "2018-03-05", None, {NDS, NCCD, LN2, LCCD}, id="atorvastatin"
        ),
        pytest.param("243670", "active", "2018-03-05", None, {NCCD}, id="aspirin"),
        pytest.param("745679", "active", "2023-02-10", None, {NDS, NCCD}, id="albuterol"),
        pytest.param("199885", "completed", "2023-02-08", "2023-02-13", {NDS}, id="levofloxacin"),
    ],
)
def test_each_drug_is_one_line(
    summary: Summary, code: str, status: str, start: str, end: str | None, sources: set[str]
) -> None:
    found = line(summary, "medication", code)
    assert (found.status, found.start, found.end) == (status, start, end)
    assert cited(found) == sources
    assert found.conflict is None


def test_what_is_taken_now_stands_before_what_was_stopped(summary: Summary) -> None:
    statuses = [each.status for each in summary.section("medication").lines]
    assert statuses == ["active"] * 5 + ["completed", "stopped"]


def test_albuterol_is_taken_as_needed(summary: Summary) -> None:
    assert line(summary, "medication", "745679").details["precondition"][0]["code"] == "56018004"


# ---- immunizations ---------------------------------------------------------------------------


def test_the_refused_vaccine_is_shown_with_its_reason(summary: Summary) -> None:
    found = line(summary, "immunization", "135", "2024-10-08")
    assert (found.negated, found.status, found.conflict) == (True, "refused", None)
    assert found.details["refusal_reason"]["code"] == "PATOBJ"


def test_the_same_vaccine_given_a_year_later_is_another_line(summary: Summary) -> None:
    found = line(summary, "immunization", "135", "2025-09-24")
    assert (found.negated, found.details["lot_number"]) == (False, "SYN-F25")


def test_one_pneumococcal_dose_told_by_two_keeps_its_lot(summary: Summary) -> None:
    found = line(summary, "immunization", "216")
    assert (found.start, found.details["lot_number"]) == ("2023-03-10", "SYN-P23")
    assert cited(found) == {NCCD, LCCD}


def test_two_doses_of_zoster_are_two_lines(summary: Summary) -> None:
    assert cited(line(summary, "immunization", "187", "2024-02-05")) == {LCCD}
    assert cited(line(summary, "immunization", "187", "2024-05-14")) == {LCCD}


def test_tdap_is_one_line(summary: Summary) -> None:
    assert line(summary, "immunization", "115").details["lot_number"] == "SYN-T19"
    assert len(summary.section("immunization").lines) == 6


# ---- results and vital signs -----------------------------------------------------------------


def test_hemoglobin_a1c_is_a_trend_of_five_from_eight_statements(summary: Summary) -> None:
    found = line(summary, "result", "4548-4")
    assert values(found) == ["7.9", "7.4", "7.6", "7.3", "6.9"]
    assert {point.unit for point in found.trend} == {"%"}
    assert len([source for source in found.sources if not source.superseded]) == 8
    assert found.conflict is None


def test_hemoglobin_in_two_units_is_one_trend(summary: Summary) -> None:
    found = line(summary, "result", "718-7")
    assert values(found) == ["12.4", "13.1", "12.8"]
    assert {point.unit for point in found.trend} == {"g/dL"}
    assert (found.trend[-1].written_value, found.trend[-1].written_unit) == ("128", "g/L")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param("59261-8", ["52"], id="A1c IFCC is a line of its own"),
        pytest.param("2160-0", ["0.96", "1.02", "1.14", "1.12"], id="creatinine"),
        pytest.param("98979-8", ["60", "53", "54"], id="eGFR"),
        pytest.param("2345-7", ["188", "154"], id="glucose by mass"),
        pytest.param("14749-6", ["7.2"], id="glucose by amount is a line of its own"),
        pytest.param("6690-2", ["14.2"], id="leukocytes"),
        pytest.param("13457-7", ["92"], id="LDL"),
        pytest.param("2823-3", ["4.6"], id="potassium"),
        pytest.param("9318-7", ["22"], id="urine albumin"),
        pytest.param("600-7", ["No growth after 5 days (final)"], id="blood culture, final"),
    ],
)
def test_each_test_is_one_line(summary: Summary, code: str, expected: list[str]) -> None:
    found = line(summary, "result", code)
    assert values(found) == expected
    assert found.conflict is None


def test_there_are_no_other_results(summary: Summary) -> None:
    assert len(summary.section("result").lines) == 12


@pytest.mark.parametrize(
    ("code", "unit", "expected"),
    [
        pytest.param("29463-7", "kg", ["84.6", "82.6", "81.2"], id="weight in one unit"),
        pytest.param("8302-2", "cm", ["163", "162.6", "162.6"], id="height in one unit"),
        pytest.param("8480-6", "mm[Hg]", ["128", "142", "136", "128"], id="systolic"),
        pytest.param("8462-4", "mm[Hg]", ["74", "86", "82", "78"], id="diastolic"),
        pytest.param("8867-4", "/min", ["78", "76", "74", "72"], id="heart rate"),
        pytest.param("39156-5", "kg/m2", ["31.8", "31.2", "30.7"], id="BMI"),
        pytest.param("59408-5", "%", ["95", "97"], id="oxygen saturation"),
        pytest.param("8310-5", "Cel", ["36.8"], id="temperature"),
        pytest.param("9279-1", "/min", ["16"], id="respiratory rate"),
    ],
)
def test_each_vital_sign_is_one_line(
    summary: Summary, code: str, unit: str, expected: list[str]
) -> None:
    found = line(summary, "vital_sign", code)
    assert values(found) == expected
    assert {point.unit for point in found.trend} == {unit}


# ---- the rest --------------------------------------------------------------------------------


def test_she_smoked_daily_and_does_no_longer(summary: Summary) -> None:
    found = line(summary, "social_history", "8517006")
    assert values(found) == ["Smokes tobacco daily", "Ex-smoker", "Ex-smoker", "Ex-smoker"]
    assert found.conflict is None


def test_tobacco_use_is_history(summary: Summary) -> None:
    found = line(summary, "social_history", "449868002")
    assert (found.start, found.end) == ("1978", "2023-02-06")
    assert found.details["question"]["code"] == "11367-0"


@pytest.mark.parametrize(
    ("code", "day", "sources"),
    [
        ("73761001", "2019-11-05", {NCCD, LCCD}),
        ("399208008", "2023-02-06", {NDS, NCCD}),
        ("308110009", "2025-06-12", {LCCD}),
        ("401191002", "2025-09-24", {LCCD}),
    ],
)
def test_each_procedure_is_one_line(
    summary: Summary, code: str, day: str, sources: set[str]
) -> None:
    found = line(summary, "procedure", code)
    assert (found.start, cited(found)) == (day, sources)


def test_each_visit_is_one_encounter(summary: Summary) -> None:
    days = [(each.start or "")[:10] for each in summary.section("encounter").lines]
    assert days == ["2025-09-24", "2025-06-12", "2025-05-20", "2025-03-18", "2023-02-06"]


def test_a_visit_in_a_header_is_the_visit_of_the_list(documents: dict[str, Indexed]) -> None:
    pairs = [(document, entry) for document, entries in documents.values() for entry in entries]
    for name, (document, entries) in documents.items():
        header = header_encounter(parse_document((FOLDER / f"{name}.xml").read_bytes()))
        if header is not None:
            pairs.append((document, IndexedEntry(document.id, len(entries), None, header)))
    found = summarize(pairs, as_of=NOW).section("encounter").lines
    assert {(each.start or "")[:10]: cited(each) for each in found} == {
        "2025-09-24": {LCCD},
        "2025-06-12": {LCCD, LEYE},
        "2025-05-20": {LCCD, LN2},
        "2025-03-18": {NCCD},
        "2023-02-06": {NCCD, NDS},
    }
    assert found[1].details["text"] == "Eye examination, 2025-06-12, Lakeshore Eye Center"


def test_the_path_of_a_header_encounter_selects_it() -> None:
    content = (FOLDER / f"{LEYE}.xml").read_bytes()
    header = header_encounter(parse_document(content))
    assert header is not None
    (element,) = parse_xml(content).getroottree().xpath(header.path)
    assert element.tag == "{urn:hl7-org:v3}encompassingEncounter"


def test_the_coverage_is_one_policy(summary: Summary) -> None:
    found = line(summary, "coverage", "PR")
    assert cited(found) == {NCCD, LN2, LCCD}
    assert found.details["member_ids"] == ["2.999.7300.5^DM-100045"]


def test_the_mothers_diabetes_is_not_the_patients(summary: Summary) -> None:
    found = line(summary, "family_history", "44054006")
    assert found.details["relative"]["display"] == "mother"


def test_what_is_planned_and_aimed_at_stands_apart(summary: Summary) -> None:
    assert len(summary.section("plan").lines) == 4
    assert line(summary, "goal", "4548-4").unit == "%"


def test_the_print_shows_trends_sources_conflicts_and_who_was_asked(summary: Summary) -> None:
    print_ = summary_text(
        summary,
        member={"name": "Rosalind June Sampleton", "member_id": "DM-100045"},
        completeness=[
            Completeness("Northfield Health", "matched", 2),
            Completeness("Far Community", "late", detail="no answer within 10 s"),
        ],
    )
    for expected in (
        "Rosalind June Sampleton · member DM-100045",
        "Hemoglobin A1c  7.9 → 7.4 → 7.6 → 7.3 → 6.9 %, high, 2023-02-07 to 2025-09-24  "
        "[A][B][D][F]",
        "Blood pressure  128/74 → 142/86 → 136/82 → 128/78 mmHg",
        "as written: 82.6 was 182 lb; 81.2 was 179 lb",
        "  ! penicillin G  active, since 1996, anaphylaxis, severe, high criticality  [A][B][D][F]",
        "losartan potassium 50 MG Oral Tablet  active, since 2025-05-20, 1 daily  [D][F]",
        "  – Influenza, high-dose, trivalent, PF  refused (Patient objection), 2024-10-08  [B]",
        "  × Unspecified atrial fibrillation",
        "mother: Type 2 diabetes mellitus",
        "No known food allergies  [D][F]",
        "Far Community      no answer in time",
        "[C]  2025-05-20  Lakeshore Medical Group  Progress Note (replaced)",
    ):
        assert expected in print_
    assert max(map(len, print_.split("\n"))) <= 110
