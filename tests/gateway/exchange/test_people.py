"""Whose it is: another person's is never the member's, nor one relative's another's."""

from typing import Any

from ccda.hl7v3 import CD
from ccda.model import Entry
from ccda.summary import SummaryLine
from gateway.exchange.summary_text import summary_text
from tests.ccda.fhir.conftest import document_xml, section
from tests.ccda.written import written
from tests.gateway.exchange.records import (
    ASTHMA,
    DIABETES,
    PENICILLIN,
    SNOMED,
    WEIGHT,
    A,
    B,
    Pairs,
    cited,
    entry,
    holding,
    lines,
    merged,
)

ROLE = "2.16.840.1.113883.5.111"
CHILD = {
    "class_code": "PRS",
    "relationship": {"code": "NCHILD", "system": ROLE, "display": "natural child"},
}


def weighed(value: str, time: str, subject: dict[str, Any] | None = None, **told: Any) -> Entry:
    details = {"subject": subject} if subject else {}
    return entry("vital_sign", WEIGHT, value=value, unit="kg", time=time, details=details, **told)


def values(line: SummaryLine) -> list[str | None]:
    return [point.value for point in line.trend]


# ---- not the member --------------------------------------------------------------------------


def test_a_newborns_weight_is_a_line_of_its_own_and_says_so() -> None:
    found = lines(
        "vital_sign",
        holding(A, weighed("70", "20240101"), weighed("3.2", "20240102", CHILD)),
        holding(B, weighed("3.2", "20240102", CHILD)),
    )
    told = {line.display: (values(line), cited(line)) for line in found}
    assert told == {
        "Body weight": (["70"], ["a"]),
        "Body weight (natural child)": (["3.2"], ["a", "b"]),
    }


def test_whom_a_panel_is_about_its_members_are_about() -> None:
    panel = entry(
        "vital_sign",
        CD("74728-7", "2.16.840.1.113883.6.1"),
        details={"panel": True, "subject": CHILD},
        path="/*/*[1]",
    )
    inside = weighed("3.2", "20240102", path="/*/*[1]/*[2]", parent=0)
    (line,) = lines("vital_sign", holding(A, panel, inside))
    assert line.display == "Body weight (natural child)"
    assert line.details["subject"] == CHILD


def test_one_id_joins_no_two_people() -> None:
    own = weighed("70", "20240101", id_="1")
    found = lines("vital_sign", holding(A, own), holding(B, weighed("3", "2024", CHILD, id_="1")))
    assert sorted(cited(line) for line in found) == [["a"], ["b"]]


def test_twins_are_two_people() -> None:
    one, other = ({**CHILD, "ids": [f"2.999.7^{number}"]} for number in ("1", "2"))
    given = [weighed("3.2", "20240102", one), weighed("2.9", "20240102", other)]
    assert [values(line) for line in lines("vital_sign", holding(A, *given))] == [["3.2"], ["2.9"]]


def test_a_subject_that_is_the_member_is_no_other() -> None:
    own = {"class_code": "PRS", "relationship": {"code": "ONESELF", "system": ROLE}}
    found = lines(
        "vital_sign", holding(A, weighed("70", "20240101", own), weighed("71", "20240201"))
    )
    assert [(line.display, values(line)) for line in found] == [("Body weight", ["70", "71"])]


def test_that_a_mother_has_it_neither_confirms_nor_contradicts_the_member() -> None:
    mother = {"relationship": {"code": "MTH", "system": ROLE, "display": "Mother"}}
    found = lines(
        "problem",
        holding(A, entry("problem", DIABETES, details={"subject": mother})),
        holding(B, entry("problem", DIABETES, negated=True)),
    )
    assert {line.display: line.conflict for line in found} == {
        "Type 2 diabetes mellitus": None,
        "Type 2 diabetes mellitus (Mother)": None,
    }


def test_that_a_newborn_has_no_allergies_contradicts_none_of_the_members() -> None:
    none = entry(
        "allergy",
        None,
        negated=True,
        no_information=True,
        text="No known allergies",
        details={"type": {"code": "419199007"}, "subject": CHILD},
    )
    section = merged(holding(A, entry("allergy", PENICILLIN)), holding(B, none)).section("allergy")
    assert [line.conflict for line in section.lines] == [None]
    assert [word.text for word in section.nothing_known] == ["No known allergies (natural child)"]


def test_the_printed_summary_names_the_other_person_too() -> None:
    details = {"subject": CHILD, "question": {"code": "1", "display": "Fed by"}}
    fed = entry("social_history", CD("2", SNOMED, "breast"), time="2024", details=details)
    said = entry("note", CD("3", SNOMED, "Note"), time="2024", text="Thrives", details=details)
    text = summary_text(merged(holding(A, fed, said)), member={})
    assert "Fed by (natural child)" in text
    assert "Thrives (natural child)" in text


# ---- relatives -------------------------------------------------------------------------------


def relative(code: str, display: str, *, negated: bool = False, **person: Any) -> list[Entry]:
    """An organizer of the relative, with asthma in it."""
    place = person.pop("place", "1")
    relation = CD(code, ROLE, display)
    details = {"relative": True, "subject": person} if person else {"relative": True}
    path = f"/*/*[{place}]"
    return [
        entry("family_history", relation, details=details, path=path),
        entry("family_history", ASTHMA, path=f"{path}/*[2]", parent=0, negated=negated),
    ]


def asthmatic(*pairs: Pairs) -> list[list[str]]:
    return sorted(cited(line) for line in lines("family_history", *pairs))


def test_two_brothers_of_one_document_are_two() -> None:
    by_place = holding(A, *relative("BRO", "Brother"), *relative("BRO", "Brother", place="2"))
    assert asthmatic(by_place) == [["a"], ["a"]]


def test_brothers_are_told_apart_by_id_or_birth_in_two_documents() -> None:
    for one, other in (
        ({"ids": ["2.999.7^1"]}, {"ids": ["2.999.7^2"]}),
        ({"birth_time": "1950-01-02"}, {"birth_time": "1960"}),
    ):
        pairs = (
            holding(A, *relative("BRO", "Brother", **one)),
            holding(B, *relative("BRO", "Brother", **other)),
        )
        assert asthmatic(*pairs) == [["a"], ["b"]]


def test_one_brother_told_by_two_is_one() -> None:
    pairs = (
        holding(A, *relative("BRO", "Brother", birth_time="1950-01-02", ids=["2.999.7^1"])),
        holding(B, *relative("BRO", "brother", birth_time="1950", ids=["2.999.8^5"])),
    )
    assert asthmatic(*pairs) == [["a", "b"]]


def test_there_is_one_mother_however_she_is_written() -> None:
    pairs = (
        holding(A, *relative("MTH", "Mother"), *relative("MTH", "Mother", place="2")),
        holding(B, *relative("MTH", "mother", ids=["2.999.7^1"])),
    )
    assert asthmatic(*pairs) == [["a", "a", "b"]]


def test_a_relative_without_a_code_is_known_by_name() -> None:
    uncoded = [
        entry("family_history", ASTHMA, details={"relative": {"code": None, "display": "MOTHER"}})
    ]
    assert asthmatic(holding(A, *relative("MTH", "Mother")), holding(B, *uncoded)) == [["a", "b"]]


def test_that_the_mother_has_it_and_has_it_not_is_a_conflict() -> None:
    found = lines(
        "family_history",
        holding(A, *relative("MTH", "Mother")),
        holding(B, *relative("MTH", "mother", negated=True)),
    )
    assert len(found) == 2
    assert all(line.conflict for line in found)


def test_father_and_mother_are_two() -> None:
    pairs = holding(A, *relative("MTH", "Mother")), holding(B, *relative("FTH", "Father"))
    assert asthmatic(*pairs) == [["a"], ["b"]]


def test_a_relative_of_whom_nothing_is_told_is_written_as_one_and_not_as_a_disease() -> None:
    father = (
        '<organizer moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.45"/>'
        '<statusCode code="completed"/><subject><relatedSubject classCode="PRS"><code code="FTH" '
        'codeSystem="2.16.840.1.113883.5.111" displayName="Father"/></relatedSubject></subject>'
        "</organizer>"
    )
    made = written("one", [("a", document_xml(section("10157-6", father)))])
    (line,) = made.summary.section("family_history").lines
    assert line.display == "Father"
    read = [e for s in made.read.sections for e in s.entries if e.kind == "family_history"]
    assert [(one.details["relative"], one.value) for one in read] == [(True, None)]
