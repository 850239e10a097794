"""Vital signs: the panel, the blood pressure of two numbers, and what no profile admits."""

from typing import Any

from tests.ccda.fhir.conftest import Convert

VITAL_SIGNS = "8716-3"


def vital(
    code: str, value: str, *, time: str = "202401011015-0500", status: str = "completed"
) -> str:
    return (
        '<observation moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.27"/>'
        f'<code code="{code}" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="{status}"/>'
        f'<effectiveTime value="{time}"/>{value}</observation>'
    )


def pressure(number: int, unit: str = "mm[Hg]") -> str:
    return f'<value xsi:type="PQ" value="{number}" unit="{unit}"/>'


def panel(*vitals: str) -> str:
    held = "".join(f"<component>{one}</component>" for one in vitals)
    return (
        '<organizer moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.26"/>'
        f'<code code="74728-7"/><statusCode code="completed"/>{held}</organizer>'
    )


def coded(observations: list[Any], code: str) -> Any:
    (found,) = [one for one in observations if one["code"]["coding"][0]["code"] == code]
    return found


def test_a_systolic_and_a_diastolic_of_one_organizer_are_one_blood_pressure(
    convert: Convert,
) -> None:
    given = panel(vital("8480-6", pressure(120)), vital("8462-4", pressure(80)))
    found = convert(VITAL_SIGNS, given)["Observation"]
    assert len(found) == 2
    both = coded(found, "85354-9")
    assert [one["valueQuantity"]["value"] for one in both["component"]] == [120, 80]
    assert both["effectiveDateTime"] == "2024-01-01T10:15:00-05:00"
    assert coded(found, "85353-1")["hasMember"] == [{"reference": f"urn:uuid:{both['id']}"}]


def test_a_systolic_alone_stays_alone(convert: Convert) -> None:
    found = convert(VITAL_SIGNS, panel(vital("8480-6", pressure(120))))["Observation"]
    assert coded(found, "8480-6")["valueQuantity"]["value"] == 120


def test_pressures_of_two_times_are_not_one(convert: Convert) -> None:
    given = panel(
        vital("8480-6", pressure(120)), vital("8462-4", pressure(80), time="202401021015-0500")
    )
    found = convert(VITAL_SIGNS, given)["Observation"]
    assert coded(found, "8480-6")
    assert coded(found, "8462-4")


def test_a_pressure_entered_in_error_is_not_one_with_one_that_stands(convert: Convert) -> None:
    given = panel(vital("8480-6", pressure(120)), vital("8462-4", pressure(80), status="nullified"))
    found = convert(VITAL_SIGNS, given)["Observation"]
    assert coded(found, "8480-6")["status"] == "final"
    assert coded(found, "8462-4")["status"] == "entered-in-error"


def test_pounds_are_ucum_however_they_are_written(convert: Convert) -> None:
    given = vital("29463-7", '<value xsi:type="PQ" value="180" unit="lbs"/>')
    (found,) = convert(VITAL_SIGNS, given)["Observation"]
    assert (found["valueQuantity"]["unit"], found["valueQuantity"]["code"]) == ("lbs", "[lb_av]")


def test_a_value_that_the_profile_does_not_admit_stands_in_a_note(convert: Convert) -> None:
    given = vital("8867-4", '<value xsi:type="PQ" value="72"/>')
    (found,) = convert(VITAL_SIGNS, given)["Observation"]
    assert "valueQuantity" not in found
    assert found["dataAbsentReason"]["coding"][0]["code"] == "as-text"
    assert found["note"] == [{"text": "Value as written: 72"}]


def test_a_year_is_the_period_in_which_it_was_measured(convert: Convert) -> None:
    given = vital("29463-7", '<value xsi:type="PQ" value="80" unit="kg"/>', time="2012")
    (found,) = convert(VITAL_SIGNS, given)["Observation"]
    assert found["effectivePeriod"] == {"start": "2012", "end": "2012"}
