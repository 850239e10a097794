"""Merging: each fact once, every source named, no disagreement hidden, in any order the same."""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccda.hl7v3 import CD, II, TS
from ccda.model import Author, Entry, Interval, Kind
from ccda.summary import (
    SECTION_KEYS,
    Completeness,
    Summary,
    SummaryLine,
    summary_json,
)
from gateway.exchange.summarize import member_json, summarize
from gateway.model.document import Blob, Document, IndexedEntry, Source
from gateway.model.identity import DocumentId, MemberId, PartnerId, PlanId
from gateway.model.member import Member
from ihe.xcpd import Demographics

SNOMED = "2.16.840.1.113883.6.96"
ICD10 = "2.16.840.1.113883.6.90"
RXNORM = "2.16.840.1.113883.6.88"
LOINC = "2.16.840.1.113883.6.1"
CVX = "2.16.840.1.113883.12.292"
NOW = datetime(2026, 3, 1, tzinfo=UTC)

Pairs = list[tuple[Document, IndexedEntry]]


def document(
    name: str,
    time: str = "20250101",
    *,
    partner: str | None = None,
    set_id: str | None = None,
    version: int | None = None,
    superseded_by: str | None = None,
) -> Document:
    partner = partner or name
    return Document(
        id=DocumentId(name),
        plan=PlanId("p"),
        state="filed",
        blob=Blob(name, 1, "", ""),
        source=Source("ITI-39", PartnerId(partner), partner.title()),
        received=NOW,
        member=MemberId("m"),
        title=f"Document {name}",
        effective_time=time,
        set_id=set_id,
        version=version,
        superseded_by=DocumentId(superseded_by) if superseded_by else None,
    )


def entry(
    kind: Kind,
    code: CD | None,
    *,
    start: str | None = None,
    end: str | None = None,
    time: str | None = None,
    status: str | None = "active",
    value: str | CD | Interval | None = None,
    unit: str | None = None,
    text: str | None = None,
    negated: bool = False,
    no_information: bool = False,
    id_: str | None = None,
    recorded: str | None = None,
    details: Mapping[str, Any] | None = None,
    path: str | None = None,
    parent: int | None = None,
) -> Entry:
    return Entry(
        kind=kind,
        path=path or "/*",
        code=code,
        start=TS(start) if start else None,
        end=TS(end) if end else None,
        time=TS(time) if time else None,
        status=status,
        value=value,
        unit=unit,
        text=text,
        negated=negated,
        no_information=no_information,
        ids=(II("2.999.1", id_),) if id_ else (),
        authors=(Author(time=TS(recorded)),) if recorded else (),
        details=details or {},
        parent=parent,
    )


def holding(where: Document, *entries: Entry) -> Pairs:
    return [
        (where, IndexedEntry(where.id, ordinal, None, one)) for ordinal, one in enumerate(entries)
    ]


def merged(*pairs: Pairs, documents: Sequence[Document] = ()) -> Summary:
    return summarize([one for some in pairs for one in some], as_of=NOW, documents=documents)


def lines(kind: Kind, *pairs: Pairs) -> tuple[SummaryLine, ...]:
    return merged(*pairs).section(kind).lines


def only(kind: Kind, *pairs: Pairs) -> SummaryLine:
    (line,) = lines(kind, *pairs)
    return line


def cited(line: SummaryLine) -> list[str]:
    return sorted(source.document for source in line.sources)


DIABETES = CD("44054006", SNOMED, "Type 2 diabetes mellitus")
DIABETES_ICD = CD("E11.9", ICD10, "Type 2 diabetes without complications")
BOTH = CD("44054006", SNOMED, "Type 2 diabetes mellitus", translations=(DIABETES_ICD,))
ASTHMA = CD("195967001", SNOMED, "Asthma")
PENICILLIN = CD("7980", RXNORM, "Penicillin G")
LISINOPRIL = CD("314076", RXNORM, "lisinopril 10 MG")
A1C = CD("4548-4", LOINC, "Hemoglobin A1c")
GLUCOSE = CD("2345-7", LOINC, "Glucose")
WEIGHT = CD("29463-7", LOINC, "Body weight")
FLU = CD("135", CVX, "Influenza, high-dose")

A, B, C = document("a", "20230101"), document("b", "20240101"), document("c", "20250101")


# ---- what is one fact ------------------------------------------------------------------------


def test_a_shared_translation_joins_snomed_and_icd_10() -> None:
    line = only(
        "problem",
        holding(A, entry("problem", BOTH, start="201405")),
        holding(B, entry("problem", DIABETES_ICD, start="2014")),
    )
    assert cited(line) == ["a", "b"]
    assert line.start == "2014-05"
    assert line.code is not None
    assert {line.code.code, *(code.code for code in line.code.translations)} == {
        "44054006",
        "E11.9",
    }


def test_two_codes_without_a_translation_stay_two_lines() -> None:
    found = lines(
        "problem",
        holding(A, entry("problem", DIABETES)),
        holding(B, entry("problem", DIABETES_ICD)),
    )
    assert len(found) == 2


def test_a_translation_in_another_document_is_evidence_and_is_named() -> None:
    found = merged(
        holding(A, entry("problem", DIABETES)),
        holding(B, entry("problem", DIABETES_ICD)),
        holding(C, entry("family_history", BOTH)),
    )
    (line,) = found.section("problem").lines
    assert cited(line) == ["a", "b"]
    assert [source.joined_by for source in line.sources] == [None, "translation in document c"]


def test_a_broad_code_does_not_join_two_diseases_of_one_system() -> None:
    broad = CD("R69", ICD10, "Illness")
    one, other = (CD(c.code, SNOMED, c.display, translations=(broad,)) for c in (DIABETES, ASTHMA))
    found = lines(
        "problem",
        holding(A, entry("problem", one), entry("problem", other)),
        holding(B, entry("problem", broad)),
    )
    assert len(found) == 2
    assert sorted(len(line.sources) for line in found) == [1, 2]


def test_the_same_statement_id_joins_what_codes_do_not() -> None:
    line = only(
        "problem",
        holding(A, entry("problem", DIABETES, id_="7")),
        holding(document("a2", partner="a"), entry("problem", DIABETES_ICD, id_="7")),
    )
    assert line.sources[1].joined_by == "same statement id"


def test_an_id_that_two_organizations_give_to_two_codes_joins_nothing() -> None:
    found = lines(
        "allergy",
        holding(A, entry("allergy", PENICILLIN, id_="7")),
        holding(B, entry("allergy", CD("102263004", SNOMED, "Eggs"), id_="7")),
    )
    assert len(found) == 2


def test_an_id_that_a_sender_uses_for_everything_joins_nothing() -> None:
    asthma_icd = CD("J45", ICD10, "Asthma, by ICD")
    found = lines(
        "problem",
        holding(A, entry("problem", DIABETES, id_="1"), entry("problem", asthma_icd, id_="1")),
        holding(document("a2", partner="a"), entry("problem", DIABETES_ICD, id_="1")),
    )
    assert len(found) == 3


def test_two_strengths_that_share_an_ingredient_stay_two_drugs() -> None:
    ingredient = CD("6918", RXNORM, "metoprolol")
    strong, weak = (
        CD(code, RXNORM, f"metoprolol {code}", translations=(ingredient,))
        for code in ("866514", "866924")
    )
    found = lines(
        "medication",
        holding(A, entry("medication", strong)),
        holding(B, entry("medication", weak)),
    )
    assert len(found) == 2


def test_a_name_gives_a_home_only_to_what_has_no_code() -> None:
    uncoded = entry("problem", None, text="Type 2 Diabetes Mellitus")
    named = CD("E11.9", ICD10, "Type 2 diabetes mellitus")
    assert len(lines("problem", holding(A, entry("problem", DIABETES)), holding(B, uncoded))) == 1
    assert (
        len(
            lines(
                "problem",
                holding(A, entry("problem", DIABETES)),
                holding(B, entry("problem", named)),
            )
        )
        == 2
    )


def test_an_illness_that_came_back_is_a_second_line() -> None:
    found = lines(
        "problem",
        holding(A, entry("problem", ASTHMA, start="2015", end="2016", status="resolved")),
        holding(B, entry("problem", ASTHMA, start="2021")),
    )
    assert [line.status for line in found] == ["active", "resolved"]


def test_two_doses_on_two_days_are_two_lines_and_one_dose_twice_told_is_one() -> None:
    found = lines(
        "immunization",
        holding(
            A,
            entry("immunization", FLU, time="20240205", status="completed"),
            entry("immunization", FLU, time="20240514", status="completed"),
        ),
        holding(
            B,
            entry(
                "immunization",
                CD("135", "2.16.840.1.113883.6.59"),
                time="202405140900-0500",
                status="completed",
                details={"lot_number": "L1"},
            ),
        ),
    )
    assert [line.start for line in found] == ["2024-05-14T09:00-05:00", "2024-02-05"]
    assert [len(line.sources) for line in found] == [2, 1]
    assert found[0].details["lot_number"] == "L1"


# ---- who speaks for a line -------------------------------------------------------------------


def test_the_later_statement_says_that_a_drug_was_stopped() -> None:
    line = only(
        "medication",
        holding(A, entry("medication", LISINOPRIL, start="20160912")),
        holding(B, entry("medication", LISINOPRIL, end="20231120", status="aborted")),
    )
    assert (line.status, line.start, line.end) == ("stopped", "2016-09-12", "2023-11-20")
    assert line.conflict is None
    assert [source.document for source in line.sources] == ["b", "a"]


def test_the_authors_time_counts_more_than_the_documents() -> None:
    line = only(
        "medication",
        holding(A, entry("medication", LISINOPRIL, status="aborted", recorded="20221201")),
        holding(C, entry("medication", LISINOPRIL, recorded="20220101")),
    )
    assert line.status == "stopped"


def test_a_drug_past_its_own_end_date_is_not_active() -> None:
    past = holding(A, entry("medication", LISINOPRIL, start="20230208", end="20230213"))
    assert only("medication", past).status == "completed"
    running = holding(A, entry("medication", LISINOPRIL, end="20300101", status="completed"))
    assert only("medication", running).status == "active"


def test_a_resolved_problem_is_not_revived_by_a_visit_it_was_treated_at() -> None:
    visit = CD("308335008", SNOMED, "Visit")
    line = only(
        "problem",
        holding(A, entry("problem", ASTHMA, status="resolved", recorded="20220601")),
        holding(
            C,
            entry("encounter", visit, start="20210101", path="/*/*[1]"),
            entry("problem", ASTHMA, path="/*/*[1]/*[4]", parent=0),
        ),
    )
    assert line.status == "resolved"


# ---- disagreement ----------------------------------------------------------------------------


def severe(status: str = "active") -> Entry:
    return entry("allergy", PENICILLIN, status=status, details={"criticality": {"code": "CRITH"}})


def test_an_allergy_on_which_organizations_disagree_shows_the_dangerous_side() -> None:
    line = only(
        "allergy",
        holding(A, severe()),
        holding(C, entry("allergy", PENICILLIN, status="resolved")),
    )
    assert line.status == "active"
    assert line.conflict == (
        "sources disagree: C says resolved (2025-01-01); "
        "A says active, high criticality (2023-01-01)"
    )


def test_a_change_of_mind_within_one_organization_is_no_conflict() -> None:
    line = only(
        "allergy",
        holding(document("a", "20230101", partner="x"), severe()),
        holding(document("b", "20240101", partner="x"), severe("resolved")),
    )
    assert (line.status, line.conflict) == ("resolved", None)


def test_yes_and_no_never_merge_and_both_lines_say_so() -> None:
    found = lines(
        "problem",
        holding(A, entry("problem", DIABETES)),
        holding(B, entry("problem", DIABETES, negated=True)),
    )
    assert [(line.negated, line.status) for line in found] == [(False, "active"), (True, "absent")]
    assert {line.conflict for line in found} == {
        "sources disagree: A (2023-01-01) says it is so; B (2024-01-01) that it is not"
    }


def test_a_refused_vaccine_is_shown_with_its_reason_and_conflicts_with_no_other_day() -> None:
    reason = {"code": "PATOBJ", "display": "Patient objection"}
    found = lines(
        "immunization",
        holding(
            A,
            entry(
                "immunization",
                FLU,
                time="20241008",
                negated=True,
                status="completed",
                details={"refusal_reason": reason},
            ),
        ),
        holding(B, entry("immunization", FLU, time="20250924", status="completed")),
    )
    given_, refused = found
    assert (refused.negated, refused.status, refused.conflict) == (True, "refused", None)
    assert refused.details["refusal_reason"] == reason
    assert (given_.negated, given_.conflict) == (False, None)


def test_a_vaccine_given_and_refused_on_one_day_is_a_conflict() -> None:
    found = lines(
        "immunization",
        holding(A, entry("immunization", FLU, time="20241008", negated=True)),
        holding(B, entry("immunization", FLU, time="20241008")),
    )
    assert all(line.conflict and "was not" in line.conflict for line in found)


def no_known(type_code: str, text: str) -> Entry:
    return entry(
        "allergy",
        CD(None, null_flavor="NA"),
        negated=True,
        no_information=True,
        text=text,
        details={"type": {"code": type_code}},
    )


def test_no_known_allergies_is_no_line_but_contradicts_another_organizations() -> None:
    section = merged(
        holding(A, severe()), holding(B, no_known("419199007", "No known allergies"))
    ).section("allergy")
    (line,) = section.lines
    assert line.conflict is not None
    assert "none is known" in line.conflict
    assert [word.text for word in section.nothing_known] == ["No known allergies"]


def test_no_known_food_allergy_says_nothing_of_a_drug() -> None:
    section = merged(
        holding(A, severe()), holding(B, no_known("414285001", "No known food allergies."))
    ).section("allergy")
    assert section.lines[0].conflict is None
    assert [word.text for word in section.nothing_known] == ["No known food allergies"]


def test_a_section_where_all_say_none_known_shows_that() -> None:
    section = merged(holding(A, no_known("419199007", "No known allergies"))).section("allergy")
    assert section.lines == ()
    assert section.nothing_known[0].sources[0].document == "a"


def test_that_nothing_was_recorded_is_silence() -> None:
    silent = entry("problem", CD(None, null_flavor="NI"), no_information=True, text="Unknown")
    assert merged(holding(A, silent)).sections == ()


def test_two_doses_stated_at_once_are_a_conflict() -> None:
    line = only(
        "medication",
        holding(A, entry("medication", LISINOPRIL, details={"dose": {"value": "1"}})),
        holding(B, entry("medication", LISINOPRIL, details={"dose": {"value": "2"}})),
    )
    assert line.conflict == ("sources state different doses: B 2 (2024-01-01); A 1 (2023-01-01)")


def test_a_dose_is_never_borrowed_from_another_statement() -> None:
    line = only(
        "medication",
        holding(A, entry("medication", LISINOPRIL, details={"dose": {"value": "1"}, "route": 1})),
        holding(B, entry("medication", LISINOPRIL, status="aborted")),
    )
    assert line.details == {"route": 1}


# ---- corrections -----------------------------------------------------------------------------


def test_what_a_newer_version_dropped_is_withdrawn() -> None:
    old, new = (document(f"v{n}", "20250101", partner="x", set_id="s", version=n) for n in (1, 2))
    found = lines(
        "problem",
        holding(old, entry("problem", DIABETES), entry("problem", ASTHMA)),
        holding(new, entry("problem", DIABETES)),
    )
    assert [(line.display, line.withdrawn) for line in found] == [
        ("Type 2 diabetes mellitus", False),
        ("Asthma", True),
    ]
    assert [source.superseded for source in found[0].sources] == [False, True]


def test_a_newer_version_without_any_entry_withdraws_all() -> None:
    old = document("v1", set_id="s", version=1, partner="x")
    new = document("v2", set_id="s", version=2, partner="x")
    found = merged(holding(old, entry("problem", ASTHMA)), documents=[old, new])
    assert found.section("problem").lines[0].withdrawn


def test_a_replaced_document_counts_as_superseded() -> None:
    old = document("v1", superseded_by="v2")
    assert only("problem", holding(old, entry("problem", ASTHMA))).withdrawn


def test_the_same_set_id_of_another_organization_supersedes_nothing() -> None:
    one = document("a", set_id="s", version=1)
    other = document("b", set_id="s", version=2)
    found = lines(
        "problem",
        holding(one, entry("problem", ASTHMA)),
        holding(other, entry("problem", DIABETES)),
    )
    assert not any(line.withdrawn for line in found)


def test_a_withdrawn_statement_is_no_party_to_a_conflict() -> None:
    found = lines(
        "problem",
        holding(document("a", superseded_by="x"), entry("problem", ASTHMA, negated=True)),
        holding(B, entry("problem", ASTHMA)),
    )
    assert [line.conflict for line in found] == [None, None]


# ---- trends ----------------------------------------------------------------------------------


def measured(code: CD, value: str, unit: str | None, time: str, id_: str | None = None) -> Entry:
    kind: Kind = "vital_sign" if code is WEIGHT else "result"
    return entry(kind, code, value=value, unit=unit, time=time, status="completed", id_=id_)


def points(line: SummaryLine) -> list[tuple[str | None, str | None]]:
    return [(point.value, point.unit) for point in line.trend]


def test_one_test_over_time_is_one_line_in_order() -> None:
    line = only(
        "result",
        holding(B, measured(A1C, "7.1", "%", "20231201"), measured(A1C, "7.9", "%", "20220301")),
        holding(A, measured(A1C, "7.4", "%", "20221101")),
    )
    assert points(line) == [("7.9", "%"), ("7.4", "%"), ("7.1", "%")]
    assert (line.value, line.unit, line.start) == ("7.1", "%", "2023-12-01")


def test_one_result_told_twice_is_one_point() -> None:
    line = only(
        "result",
        holding(A, measured(A1C, "7.6", "%", "202303180915-0500")),
        holding(B, measured(A1C, "7.60", "%", "20230318")),
        holding(C, measured(A1C, "7.6", "%", "202303181415+0000")),
    )
    assert len(line.trend) == 1
    assert {source.document for source in line.trend[0].sources} == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("code", "one", "other", "shown"),
    [
        (A1C, ("7.0", "%"), ("53", "mmol/mol"), "%"),
        (GLUCOSE, ("126", "mg/dL"), ("7.0", "mmol/L"), "mg/dL"),
        (WEIGHT, ("82.6", "kg"), ("182", "[lb_av]"), "kg"),
        (WEIGHT, ("82.6", "kg"), ("182", "lbs"), "kg"),
        (CD("718-7", LOINC), ("12.8", "g/dL"), ("128", "g/L"), "g/dL"),
        (CD("8310-5", LOINC), ("37.0", "Cel"), ("98.6", "[degF]"), "Cel"),
        (CD("8302-2", LOINC), ("163", "cm"), ("64", "[in_i]"), "cm"),
    ],
)
def test_one_result_in_two_units_is_one_point(
    code: CD, one: tuple[str, str], other: tuple[str, str], shown: str
) -> None:
    pairs = [holding(d, measured(code, *m, "20230318")) for d, m in ((A, one), (B, other))]
    line = only("vital_sign" if code is WEIGHT else "result", *pairs)
    assert points(line) == [(one[0], shown)]


def test_a_unit_without_a_safe_way_is_left_as_it_is() -> None:
    line = only(
        "result",
        holding(A, measured(CD("1-1", LOINC), "5", "mmol/L", "20230101")),
        holding(B, measured(CD("1-1", LOINC), "90", "mg/dL", "20240101")),
    )
    assert points(line) == [("5", "mmol/L"), ("90", "mg/dL")]


def test_a_converted_value_keeps_what_was_written() -> None:
    line = only(
        "vital_sign",
        holding(A, measured(WEIGHT, "84.6", "kg", "20230101")),
        holding(B, measured(WEIGHT, "182", "[lb_av]", "20240101")),
    )
    newest = line.trend[-1]
    assert (newest.value, newest.unit) == ("82.6", "kg")
    assert (newest.written_value, newest.written_unit) == ("182", "[lb_av]")


def test_a_final_result_replaces_the_preliminary_one_of_the_same_id() -> None:
    culture = CD("600-7", LOINC, "Blood culture")
    line = only(
        "result",
        holding(A, measured(culture, "No growth (preliminary)", None, "20230206", "R1")),
        holding(B, measured(culture, "No growth (final)", None, "20230206", "R1")),
    )
    assert points(line) == [("No growth (final)", None)]
    assert line.conflict is None


def test_different_values_at_one_moment_are_a_conflict() -> None:
    line = only(
        "result",
        holding(A, measured(A1C, "7.6", "%", "20230318")),
        holding(B, measured(A1C, "9.6", "%", "20230318")),
    )
    assert line.conflict == "at the same time A says 7.6 %, B says 9.6 %"
    assert len(line.trend) == 2


def test_a_panel_that_only_groups_is_no_line_of_its_own() -> None:
    panel = entry("result", A1C, status="completed", details={"panel": True}, path="/*/*[2]")
    member = entry("result", A1C, value="7", unit="%", time="2023", path="/*/*[2]/*[5]", parent=0)
    assert len(only("result", holding(A, panel, member)).sources) == 1
    assert len(lines("result", holding(A, panel))) == 1


def test_a_change_of_smoking_status_is_history_and_no_conflict() -> None:
    def asked(code: str, name: str, time: str) -> Entry:
        question = {"code": "72166-2", "system": LOINC, "display": "Smoking status"}
        return entry(
            "social_history", CD(code, SNOMED, name), time=time, details={"question": question}
        )

    line = only(
        "social_history",
        holding(B, asked("8517006", "Ex-smoker", "2024")),
        holding(A, asked("449868002", "Smokes daily", "2023")),
    )
    assert (line.display, line.conflict) == ("Ex-smoker", None)
    assert [point.value for point in line.trend] == ["Smokes daily", "Ex-smoker"]


def test_a_relatives_disease_names_the_relative() -> None:
    mother = entry(
        "family_history",
        CD("MTH", None, "mother"),
        details={"relative": True},
        path="/*/*[3]",
    )
    disease = entry("family_history", DIABETES, path="/*/*[3]/*[6]", parent=0)
    line = only("family_history", holding(A, mother, disease))
    assert line.details["relative"]["display"] == "mother"


# ---- the whole -------------------------------------------------------------------------------


def test_what_holds_today_stands_first_and_newest_first() -> None:
    found = lines(
        "problem",
        holding(
            A,
            entry("problem", CD("1", SNOMED, "old"), start="2001"),
            entry("problem", CD("2", SNOMED, "gone"), start="2020", status="resolved"),
            entry("problem", CD("3", SNOMED, "not"), start="2022", negated=True),
            entry("problem", CD("4", SNOMED, "new"), start="2015"),
            entry("problem", CD("5", SNOMED, "undated")),
        ),
    )
    assert [line.display for line in found] == ["new", "old", "undated", "gone", "not"]


def test_documents_are_lettered_oldest_first() -> None:
    found = merged(holding(C, entry("problem", ASTHMA)), documents=[B, A])
    assert [(one.letter, one.id) for one in found.documents] == [("A", "a"), ("B", "b"), ("C", "c")]


def test_the_json_has_every_section_and_the_fixed_keys() -> None:
    found = merged(holding(A, entry("problem", BOTH)), holding(B, no_known("419199007", "NKA")))
    member = Member(MemberId("m"), PlanId("p"), "100", Demographics())
    form = summary_json(
        found, member=member_json(member), completeness=[Completeness("X", "late", 0, 1)]
    )
    assert list(form["sections"]) == list(SECTION_KEYS.values())
    (line,) = form["sections"]["problems"]
    assert {
        "code", "display", "status", "start", "value", "unit", "negated", "conflict", "withdrawn",
        "sources",
    } <= line.keys()  # fmt: skip
    assert {"document", "partner", "entry", "path", "time"} <= line["sources"][0].keys()
    assert form["completeness"][0]["outcome"] == "late"
    assert form["as_of"] == NOW.isoformat()
    assert form["member"]["member_id"] == "100"
    assert form["nothing_known"]["allergies"][0]["text"] == "NKA"


codes = st.sampled_from(
    [None, DIABETES, DIABETES_ICD, BOTH, ASTHMA, PENICILLIN, A1C, GLUCOSE,
     CD(None, null_flavor="OTH", original_text="Asthma"), CD("x", None, "Asthma")]
)  # fmt: skip
times = st.sampled_from([None, "2023", "202303", "20230318", "202303180915-0500", "20240101"])
entries = st.builds(
    entry,
    st.sampled_from(["problem", "allergy", "medication", "immunization", "result", "encounter"]),
    codes,
    start=times,
    end=times,
    time=times,
    status=st.sampled_from(["active", "completed", "resolved", "aborted", None]),
    value=st.sampled_from([None, "7", "7.0", "126", "text"]),
    unit=st.sampled_from([None, "%", "mg/dL", "mmol/L"]),
    text=st.sampled_from([None, "Asthma", "No known allergies"]),
    negated=st.booleans(),
    no_information=st.sampled_from([False, False, False, True]),
    id_=st.sampled_from([None, None, "1", "2"]),
    recorded=st.sampled_from([None, "2022", "20240501"]),
)
old_a = document("a1", "20220101", partner="a", set_id="s", version=1)
new_a = document("a2", "20230101", partner="a", set_id="s", version=2)
records = st.lists(st.tuples(st.sampled_from([old_a, new_a, B, C]), entries), max_size=14).map(
    lambda drawn: [
        (where, IndexedEntry(where.id, ordinal, None, one))
        for ordinal, (where, one) in enumerate(drawn)
    ]
)


@given(records, st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_the_order_of_documents_changes_nothing(pairs: Pairs, chance: random.Random) -> None:
    shuffled = list(pairs)
    chance.shuffle(shuffled)
    assert summarize(pairs, as_of=NOW) == summarize(shuffled, as_of=NOW)


@given(records)
@settings(max_examples=300, deadline=None)
def test_no_entry_is_lost_or_told_twice(pairs: Pairs) -> None:
    found = summarize(pairs, as_of=NOW)
    told = sorted(
        (source.document, source.entry)
        for section in found.sections
        for line in section.lines
        for source in line.sources
    )
    facts = sorted((d.id, item.ordinal) for d, item in pairs if not item.entry.no_information)
    assert told == facts


@given(records)
@settings(max_examples=200, deadline=None)
def test_no_line_mixes_yes_and_no(pairs: Pairs) -> None:
    negated = {(d.id, item.ordinal): item.entry.negated for d, item in pairs}
    for section in summarize(pairs, as_of=NOW).sections:
        for line in section.lines:
            assert {negated[s.document, s.entry] for s in line.sources} == {line.negated}  # type: ignore[index]
