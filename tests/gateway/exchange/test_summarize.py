"""Merging: each fact once, every source named, no disagreement hidden."""

from ccda.hl7v3 import CD
from ccda.model import Entry
from ccda.summary import SECTION_KEYS, Completeness, summary_json
from gateway.exchange.summarize import member_json
from gateway.model.identity import MemberId, PlanId
from gateway.model.member import Member
from ihe.xcpd import Demographics
from tests.gateway.exchange.records import (
    ASTHMA,
    BOTH,
    DIABETES,
    DIABETES_ICD,
    FLU,
    ICD10,
    LISINOPRIL,
    NOW,
    PENICILLIN,
    RXNORM,
    SNOMED,
    A,
    B,
    C,
    cited,
    document,
    entry,
    holding,
    lines,
    merged,
    only,
)

# ---- what is one fact ------------------------------------------------------------------------


def test_a_course_that_begins_on_the_day_another_ended_is_the_next_one() -> None:
    """A refill; a chain of them would else be joined by twos, in an order nobody can tell."""
    found = lines(
        "medication",
        holding(A, entry("medication", LISINOPRIL, start="20200101", end="20200131")),
        holding(B, entry("medication", LISINOPRIL, start="20200131", end="20200301")),
        holding(C, entry("medication", LISINOPRIL, start="20200301")),
    )
    assert sorted(line.start or "" for line in found) == ["2020-01-01", "2020-01-31", "2020-03-01"]


def test_an_end_known_to_the_year_may_be_that_of_a_course_begun_in_it() -> None:
    line = only(
        "medication",
        holding(A, entry("medication", LISINOPRIL, start="2019", end="2020")),
        holding(B, entry("medication", LISINOPRIL, start="2020")),
    )
    assert cited(line) == ["a", "b"]


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


def test_two_findings_under_one_code_on_one_day_stay_two_lines() -> None:
    cognition = CD("75275-8", "2.16.840.1.113883.6.1")
    intact, aggressive = CD("11163003", SNOMED), CD("61372001", SNOMED)
    stated = [
        entry("mental_status", cognition, time="20130311", value=value)
        for value in (intact, aggressive)
    ]
    found = lines("mental_status", holding(A, *stated), holding(B, *stated))
    assert sorted(str(line.value.code) for line in found if isinstance(line.value, CD)) == [
        "11163003", "61372001",
    ]  # fmt: skip
    assert [cited(line) for line in found] == [["a", "b"], ["a", "b"]]


def test_who_says_no_value_takes_none_back() -> None:
    goal, value = CD("1", SNOMED), CD("2", SNOMED)
    line = only(
        "goal",
        holding(A, entry("goal", goal, time="20130311", value=value)),
        holding(B, entry("goal", goal, time="20130311")),
    )
    assert line.value == value


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


def test_one_instant_is_one_visit_though_the_month_turned_on_one_clock_alone() -> None:
    visit = CD("308335008", SNOMED, "visit")
    line = only(
        "encounter",
        holding(A, entry("encounter", visit, time="202401312330-0500")),
        holding(B, entry("encounter", visit, time="202402010430+0000")),
    )
    assert (cited(line), line.start) == (["a", "b"], "2024-01-31T23:30-05:00")


def test_an_order_is_no_proof_that_it_was_done() -> None:
    knee = CD("609588000", SNOMED, "Total knee replacement")
    found = lines(
        "procedure",
        holding(A, entry("procedure", knee, time="20240110", mood="INT")),
        holding(B, entry("procedure", knee, time="20240110", mood="EVN")),
    )
    assert sorted((line.mood, cited(line)) for line in found) == [("EVN", ["b"]), ("INT", ["a"])]


def test_the_mood_of_a_line_is_that_of_who_speaks_for_it() -> None:
    order = entry("medication", LISINOPRIL, mood="INT")
    taken = entry("medication", LISINOPRIL, mood="EVN")
    assert only("medication", holding(A, order), holding(B, taken)).mood == "EVN"


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
    assert (
        line.conflict == "sources disagree: A says stopped (2022-12-01); C says active (2022-01-01)"
    )


def test_an_older_list_that_still_has_a_stopped_drug_is_no_conflict() -> None:
    line = only(
        "medication",
        holding(A, entry("medication", LISINOPRIL)),
        holding(C, entry("medication", LISINOPRIL, status="aborted")),
    )
    assert (line.status, line.conflict) == ("stopped", None)


def test_what_goes_on_after_another_wrote_its_end_is_a_conflict() -> None:
    line = only(
        "problem",
        holding(A, entry("problem", ASTHMA, status="resolved")),
        holding(C, entry("problem", ASTHMA)),
    )
    assert line.status == "active"
    assert line.conflict == (
        "sources disagree: C says active (2025-01-01); A says resolved (2023-01-01)"
    )


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


def test_a_denial_meets_every_code_that_a_fact_is_told_by() -> None:
    later = document("a later", "20230601", partner="a")
    found = lines(
        "problem",
        holding(A, entry("problem", DIABETES_ICD, id_="1")),
        holding(later, entry("problem", DIABETES, id_="1")),
        holding(B, entry("problem", DIABETES, negated=True)),
        holding(C, entry("problem", DIABETES_ICD, negated=True)),
    )
    assert [(line.negated, len(line.sources)) for line in found] == [
        (False, 2),
        (True, 1),
        (True, 1),
    ]
    assert all(line.conflict for line in found)


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
