"""What is never one line: another side, dose, directive, goal, or another thing asserted."""

from ccda.hl7v3 import CD
from tests.ccda.written import written
from tests.gateway.exchange.records import (
    ASTHMA,
    DIABETES,
    FLU,
    LISINOPRIL,
    LOINC,
    SNOMED,
    A,
    B,
    cited,
    entry,
    holding,
    lines,
    only,
)

LEFT = {"target_site": {"code": "61396006", "system": SNOMED, "display": "Left femur"}}
RIGHT = {"target_site": [{"code": "11207009", "system": SNOMED, "display": "Right femur"}]}
FRACTURE = CD("71620000", SNOMED, "Fracture of femur")
LATERALITY = CD("272741003", SNOMED, "Laterality")
ASSERTION = CD("ASSERTION", "2.16.840.1.113883.5.4")


def on_the(code: str, side: str) -> CD:
    qualifier = (LATERALITY, CD(code, SNOMED, side))
    return CD(FRACTURE.code, SNOMED, FRACTURE.display, qualifiers=(qualifier,))


def test_left_and_right_are_two_problems() -> None:
    found = lines(
        "problem",
        holding(A, entry("problem", FRACTURE, details=LEFT)),
        holding(B, entry("problem", FRACTURE, details=RIGHT)),
    )
    assert [cited(line) for line in found] == [["a"], ["b"]]


def test_a_side_that_only_one_tells_is_no_other_side() -> None:
    line = only(
        "problem",
        holding(A, entry("problem", FRACTURE, details=LEFT)),
        holding(B, entry("problem", FRACTURE)),
    )
    assert cited(line) == ["a", "b"]


def test_a_side_in_the_code_itself_is_told_and_kept_apart() -> None:
    found = lines(
        "problem",
        holding(A, entry("problem", on_the("7771000", "Left"))),
        holding(B, entry("problem", on_the("24028007", "Right"))),
    )
    told = {line.display for line in found}
    assert told == {"Fracture of femur (Left)", "Fracture of femur (Right)"}


def test_one_document_that_tells_two_doses_tells_two_courses() -> None:
    morning = {"dose": {"value": "10", "unit": "mg"}}
    evening = {"dose": {"value": "20", "unit": "mg"}}
    found = lines(
        "medication",
        holding(
            A,
            entry("medication", LISINOPRIL, start="2019", details=morning),
            entry("medication", LISINOPRIL, start="2019", details=evening),
        ),
        holding(B, entry("medication", LISINOPRIL, start="2019", details=evening)),
    )
    doses = {line.details["dose"]["value"]: cited(line) for line in found}
    assert doses == {"10": ["a"], "20": ["a", "b"]}


def test_two_doses_of_two_documents_are_one_course_and_a_conflict() -> None:
    line = only(
        "medication",
        holding(A, entry("medication", LISINOPRIL, details={"dose": {"value": "10"}})),
        holding(B, entry("medication", LISINOPRIL, details={"dose": {"value": "20"}})),
    )
    assert line.conflict is not None


def test_two_directives_of_one_question_are_two_lines() -> None:
    asked = CD("304251008", SNOMED, "Resuscitation")
    found = lines(
        "advance_directive",
        holding(
            A,
            entry("advance_directive", asked, value=CD("304253006", SNOMED, "Not to be")),
            entry("advance_directive", asked, value=CD("304252001", SNOMED, "To be")),
        ),
    )
    assert len(found) == 2


def test_two_targets_of_one_measure_are_two_goals() -> None:
    weight = CD("3141-9", LOINC, "Weight")
    found = lines(
        "goal",
        holding(A, entry("goal", weight, time="2020", value="80", unit="kg")),
        holding(B, entry("goal", weight, time="2020", value="70", unit="kg")),
    )
    assert sorted(str(line.value) for line in found) == ["70", "80"]


def test_an_assertion_is_about_what_is_asserted() -> None:
    """C-CDA R1.1 codes smoking and pregnancy alike as ASSERTION."""
    smoking = {"question": {"code": "ASSERTION", "display": None}}
    found = lines(
        "social_history",
        holding(
            A,
            entry("social_history", ASSERTION, value=ASTHMA, time="2020"),
            entry("social_history", ASSERTION, value=DIABETES, time="2020"),
            entry("social_history", CD("8517006", SNOMED, "Former"), time="2020", details=smoking),
        ),
    )
    assert sorted(line.display for line in found) == sorted(
        (ASTHMA.display or "", DIABETES.display or "", "Former")
    )


def test_a_smoking_status_is_one_question_in_each_release() -> None:
    old = {"question": {"code": "ASSERTION", "display": None}}
    new = {"question": {"code": "72166-2", "system": LOINC, "display": "Tobacco"}}
    former = CD("8517006", SNOMED, "Former")
    line = only(
        "social_history",
        holding(A, entry("social_history", former, time="2020", details=old)),
        holding(B, entry("social_history", former, time="2021", details=new)),
    )
    assert cited(line) == ["a", "b"]


_PROBLEM = """<ClinicalDocument xmlns="urn:hl7-org:v3"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><id root="2.999.1"/>
<code code="34133-9"/><effectiveTime value="20240301"/><recordTarget/><component><structuredBody>
<component><section><code code="11450-4" codeSystem="2.16.840.1.113883.6.1"/><text/><entry>
<act classCode="ACT" moodCode="EVN"><code code="CONC"/><statusCode code="active"/>
<entryRelationship typeCode="SUBJ"><observation classCode="OBS" moodCode="EVN">
<templateId root="2.16.840.1.113883.10.20.22.4.4"/><code code="64572001"/>
<value xsi:type="CD" code="71620000" codeSystem="2.16.840.1.113883.6.96"><qualifier>
<name code="272741003" codeSystem="2.16.840.1.113883.6.96"/>
<value code="7771000" codeSystem="2.16.840.1.113883.6.96" displayName="Left"/></qualifier></value>
</observation></entryRelationship></act></entry></section></component></structuredBody></component>
</ClinicalDocument>"""


def test_the_side_in_a_code_is_written_and_read_back() -> None:
    again = written("one", [("a", _PROBLEM.encode())])
    (line,) = again.again.section("problem").lines
    assert line.code is not None
    ((_, value),) = line.code.qualifiers
    assert value is not None and value.code == "7771000"


def test_two_lots_of_one_document_are_two_doses_of_a_vaccine() -> None:
    found = lines(
        "immunization",
        holding(
            A,
            entry("immunization", FLU, time="2020", details={"lot_number": "L1"}),
            entry("immunization", FLU, time="20201015", details={"lot_number": "L2"}),
        ),
    )
    assert len(found) == 2


def test_a_laboratorys_own_code_is_another_test_in_another_specimen() -> None:
    glucose = CD("GLU", "2.999.4", "Glucose")
    blood = {"panel": True, "specimen": {"code": "122555007", "system": SNOMED}}
    liquor = {"panel": True, "specimen": {"code": "258450006", "system": SNOMED}}
    measured = [
        entry("result", CD("P"), path="/*/a", details=blood),
        entry("result", glucose, path="/*/a/b", parent=0, value="90", unit="mg/dL"),
        entry("result", CD("P"), path="/*/c", details=liquor),
        entry("result", glucose, path="/*/c/d", parent=2, value="40", unit="mg/dL"),
    ]
    assert sorted(str(line.value) for line in lines("result", holding(A, *measured))) == [
        "40",
        "90",
    ]


def test_a_condition_that_names_its_relative_is_not_that_of_another() -> None:
    def of(whose: str) -> dict[str, object]:
        return {"subject": {"relationship": {"code": whose, "display": whose}}}

    found = lines(
        "family_history",
        holding(
            A,
            entry("family_history", ASTHMA, details=of("MTH")),
            entry("family_history", ASTHMA, details=of("FTH")),
        ),
    )
    assert sorted(line.details["relative"]["code"] for line in found) == ["FTH", "MTH"]
