"""Results: reports with their tests, and a value as what its type says it is."""

from typing import Any

import pytest

from tests.ccda.fhir.conftest import Convert

RESULTS = "30954-2"
PERCENT = {"unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}


def result(
    value: str,
    *,
    status: str = "completed",
    content: str = "",
    attributes: str = "",
    time: str = "20240101",
) -> str:
    return (
        f'<observation moodCode="EVN" {attributes}>'
        '<templateId root="2.16.840.1.113883.10.20.22.4.2"/>'
        '<code code="718-7" codeSystem="2.16.840.1.113883.6.1" displayName="Hemoglobin"/>'
        f'<statusCode code="{status}"/><effectiveTime value="{time}"/>{value}{content}'
        "</observation>"
    )


def panel(*tests: str, content: str = "") -> str:
    held = "".join(f"<component>{test}</component>" for test in tests)
    return (
        '<organizer moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.1"/>'
        '<code code="58410-2" codeSystem="2.16.840.1.113883.6.1" displayName="CBC"/>'
        f'<statusCode code="completed"/>{content}{held}</organizer>'
    )


def value_of(observation: Any) -> dict[str, Any]:
    return {name: part for name, part in observation.items() if name.startswith("value")}


def test_a_panel_is_a_report_of_its_tests(convert: Convert) -> None:
    found = convert(RESULTS, panel(result('<value xsi:type="PQ" value="7.2" unit="g/dL"/>')))
    (report,), (test,) = found["DiagnosticReport"], found["Observation"]
    assert report["result"] == [{"reference": f"urn:uuid:{test['id']}"}]
    assert report["status"] == "final"
    assert report["effectiveDateTime"] == "2024-01-01"


def test_a_panel_lasts_from_its_first_test_to_its_last_wherever_they_were_made(
    convert: Convert,
) -> None:
    value = '<value xsi:type="PQ" value="7.2" unit="g/dL"/>'
    late, early = "20240101230000-0500", "20240102010000+0000"
    given = panel(result(value, time=late), result(value, time=early))
    (report,) = convert(RESULTS, given)["DiagnosticReport"]
    assert report["effectivePeriod"] == {
        "start": "2024-01-02T01:00:00+00:00", "end": "2024-01-01T23:00:00-05:00",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (
            '<value xsi:type="PQ" value="7.2" unit="g/dL"/>',
            {"valueQuantity": {"value": 7.2, "unit": "g/dL",
                               "system": "http://unitsofmeasure.org", "code": "g/dL"}},
        ),
        (
            '<value xsi:type="PQ" value="7.2" unit="wobbles"/>',
            {"valueQuantity": {"value": 7.2, "unit": "wobbles"}},
        ),
        ('<value xsi:type="ST">no growth</value>', {"valueString": "no growth"}),
        ('<value xsi:type="ST">0012</value>', {"valueString": "0012"}),
        ('<value xsi:type="ST">+3</value>', {"valueString": "+3"}),
        ('<value xsi:type="ST">1E5</value>', {"valueString": "1E5"}),
        ('<value xsi:type="ST">-0.5</value>', {"valueQuantity": {"value": -0.5}}),
        (f'<value xsi:type="INT" value="{"5" * 5000}"/>', {"valueString": "5" * 5000}),
        ('<value xsi:type="PQ" value="1e999" unit="mg"/>', {"valueString": "1e999 mg"}),
        ('<value xsi:type="INT" value="3"/>', {"valueQuantity": {"value": 3}}),
        ('<value xsi:type="TS" value="20240102"/>', {"valueDateTime": "2024-01-02"}),
        (
            '<value xsi:type="IVL_PQ"><low value="1" unit="%"/><high value="2" unit="%"/></value>',
            {"valueRange": {
                "low": {"value": 1, **PERCENT},
                "high": {"value": 2, **PERCENT},
            }},
        ),
    ],
)  # fmt: skip
def test_a_value_is_what_its_type_says(
    convert: Convert, written: str, expected: dict[str, Any]
) -> None:
    (found,) = convert(RESULTS, result(written))["Observation"]
    assert value_of(found) == expected


@pytest.mark.parametrize(
    ("bound", "comparator"),
    [
        ('<low value="5"/>', ">="), ('<low value="5" inclusive="false"/>', ">"),
        ('<high value="5"/>', "<="), ('<high value="5" inclusive="false"/>', "<"),
    ],
)  # fmt: skip
def test_one_bound_is_a_comparator(convert: Convert, bound: str, comparator: str) -> None:
    (found,) = convert(RESULTS, result(f'<value xsi:type="IVL_PQ">{bound}</value>'))["Observation"]
    assert found["valueQuantity"] == {"value": 5, "comparator": comparator}


def test_a_value_that_is_not_there_says_why(convert: Convert) -> None:
    given = result('<value xsi:type="PQ" nullFlavor="NASK"/>')
    (found,) = convert(RESULTS, given)["Observation"]
    assert found["dataAbsentReason"]["coding"][0]["code"] == "not-asked"
    assert value_of(found) == {}


def test_an_enclosed_file_is_an_attachment(convert: Convert) -> None:
    given = result(
        '<value xsi:type="ED" mediaType="image/png" representation="B64">iVBORw==</value>'
    )
    (found,) = convert(RESULTS, given)["Observation"]
    assert found["extension"][0]["valueAttachment"] == {
        "contentType": "image/png", "data": "iVBORw==",
    }  # fmt: skip


def test_only_a_normal_range_is_a_reference_range(convert: Convert) -> None:
    def ranged(low: int, meaning: str) -> str:
        return (
            '<referenceRange><observationRange><value xsi:type="IVL_PQ">'
            f'<low value="{low}" unit="g/dL"/></value>{meaning}</observationRange></referenceRange>'
        )

    ranges = (
        ranged(1, '<interpretationCode code="L"/>')
        + ranged(2, '<interpretationCode code="N"/>')
        + ranged(3, "")
    )
    given = result('<value xsi:type="PQ" value="7" unit="g/dL"/>', content=ranges)
    (found,) = convert(RESULTS, given)["Observation"]
    assert [one["low"]["value"] for one in found["referenceRange"]] == [2, 3]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("completed", "final"),
        ("active", "registered"),
        ("aborted", "cancelled"),
        ("odd", "unknown"),
    ],
)
def test_a_status_is_one_of_fhirs(convert: Convert, status: str, expected: str) -> None:
    given = result('<value xsi:type="PQ" value="7"/>', status=status)
    assert convert(RESULTS, given)["Observation"][0]["status"] == expected


def test_a_finding_that_was_denied_is_never_told_as_found(convert: Convert) -> None:
    given = result(
        '<value xsi:type="CD" code="1" displayName="Blasts"/>', attributes='negationInd="true"'
    )
    (found,) = convert(RESULTS, given)["Observation"]
    assert value_of(found) == {"valueString": "Not: Blasts"}


@pytest.mark.parametrize(
    ("code", "service", "category"),
    [
        ('code="71046" codeSystem="2.16.840.1.113883.6.12"', "RAD", "imaging"),
        ('code="80053" codeSystem="2.16.840.1.113883.6.12"', "LAB", "laboratory"),
        ('code="113014" codeSystem="1.2.840.10008.2.16.4"', "RAD", "imaging"),
    ],
)
def test_the_tests_of_a_panel_are_of_its_service(
    convert: Convert, code: str, service: str, category: str
) -> None:
    given = panel(result("")).replace('code="58410-2" codeSystem="2.16.840.1.113883.6.1"', code)
    found = convert(RESULTS, given)
    (report,), (test,) = found["DiagnosticReport"], found["Observation"]
    assert report["category"][0]["coding"][0]["code"] == service
    assert test["category"][0]["coding"][0]["code"] == category


def test_a_bound_that_is_not_in_the_reference_range_is_said_in_words(convert: Convert) -> None:
    """FHIR R4: Range, both bounds lie in it."""
    given = result(
        '<value xsi:type="PQ" value="7" unit="%"/>',
        content='<referenceRange><observationRange><value xsi:type="IVL_PQ"><low value="4" '
        'unit="%"/><high value="6" unit="%" inclusive="false"/></value></observationRange>'
        "</referenceRange>",
    )
    (found,) = convert(RESULTS, given)["Observation"]
    (told,) = found["referenceRange"]
    assert told["text"] == ">= 4 and < 6 %"
    assert "high" not in told
    assert told["low"]["value"] == 4


def test_a_range_that_is_said_not_to_be_one_is_no_reference_range(convert: Convert) -> None:
    ranges = "".join(
        f'<referenceRange><observationRange {denied}><value xsi:type="IVL_PQ">'
        f'<low value="{low}" unit="g/dL"/></value></observationRange></referenceRange>'
        for low, denied in (("4", 'negationInd="true"'), ("12", ""))
    )
    given = result('<value xsi:type="PQ" value="7" unit="g/dL"/>', content=ranges)
    (found,) = convert(RESULTS, given)["Observation"]
    assert [one["low"]["value"] for one in found["referenceRange"]] == [12]
