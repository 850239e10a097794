"""What is ordered, or aimed at, is told as such: it was not done, measured or found."""

import pytest

from ccda import parse_document
from ccda.fhir import document_bundle, summary_bundle
from ccda.model import Kind
from gateway.exchange.summary_text import summary_text
from tests.ccda.fhir.conftest import by_type, document_xml, section
from tests.ccda.written import written
from tests.gateway.exchange.records import (
    A1C,
    FLU,
    LISINOPRIL,
    WEIGHT,
    A,
    B,
    entry,
    holding,
    lines,
    merged,
)

MEASURED = """<observation classCode="OBS" moodCode="{mood}">
<templateId root="2.16.840.1.113883.10.20.22.4.2"/>
<code code="4548-4" codeSystem="2.16.840.1.113883.6.1" displayName="HbA1c"/>
<statusCode code="active"/><effectiveTime value="20300101"/>
<value xsi:type="PQ" value="6.5" unit="%"/></observation>"""


@pytest.mark.parametrize(("kind", "code"), [("result", A1C), ("vital_sign", WEIGHT)])
@pytest.mark.parametrize("mood", ["RQO", "GOL"])
def test_a_value_to_be_reached_is_no_point_among_those_measured(
    kind: Kind, code: object, mood: str
) -> None:
    is_so = entry(kind, code, value="9.1", unit="%", time="20240101")  # type: ignore[arg-type]
    aim = entry(kind, code, value="6.5", unit="%", time="20300101", mood=mood)  # type: ignore[arg-type]
    found = {line.mood: line.value for line in lines(kind, holding(A, is_so), holding(B, aim))}
    assert found == {None: "9.1", mood: "6.5"}


@pytest.mark.parametrize(
    ("kind", "mood", "word"),
    [("procedure", "RQO", "ordered"), ("encounter", "APT", "appointment"),
     ("result", "GOL", "goal"), ("immunization", "INT", "intended")],
)  # fmt: skip
def test_what_has_not_happened_is_printed_so(kind: Kind, mood: str, word: str) -> None:
    told = merged(holding(A, entry(kind, FLU, time="20300101", mood=mood)))
    assert f"Influenza, high-dose  {word}, " in summary_text(told, member={})
    done = merged(holding(A, entry(kind, FLU, time="20200101", mood="EVN")))
    assert word not in summary_text(done, member={})


def test_a_drug_that_is_prescribed_is_one_that_is_taken() -> None:
    told = merged(holding(A, entry("medication", LISINOPRIL, start="20200101", mood="INT")))
    assert "intended" not in summary_text(told, member={})


@pytest.mark.parametrize(("mood", "type_name"), [("GOL", "Goal"), ("RQO", "ServiceRequest")])
@pytest.mark.parametrize("code", ["30954-2", "8716-3"])
def test_it_is_no_observation_in_fhir(code: str, mood: str, type_name: str) -> None:
    xml = document_xml(section(code, MEASURED.format(mood=mood)))
    made = written("one", [("a", xml)])
    for bundle in (
        document_bundle(parse_document(xml), document_id="a"),
        summary_bundle(made.summary, member_id="m", patient=made.read.patient),
    ):
        found = by_type(bundle)
        assert len(found[type_name]) == 1
        assert "Observation" not in found


@pytest.mark.parametrize("mood", ["GOL", "RQO"])
@pytest.mark.parametrize("code", ["30954-2", "8716-3"])
def test_it_keeps_its_mood_in_a_written_document(code: str, mood: str) -> None:
    made = written("one", [("a", document_xml(section(code, MEASURED.format(mood=mood))))])
    read = [e for s in made.read.sections for e in s.entries if e.value == "6.5"]
    assert [one.mood for one in read] == [mood]
