"""A person asked for: what is stated first and says nothing hides nothing."""

import pytest

from ccda.hl7v3 import NAMESPACE, TS
from ccda.safe_xml import Element, parse_xml
from ihe.demographics import read_parameters
from ihe.namespaces import XSI


def asked(name: str, *values: str) -> Element:
    return parse_xml(
        f'<parameterList xmlns="{NAMESPACE}" xmlns:xsi="{XSI}"><{name}>{"".join(values)}</{name}>'
        "</parameterList>".encode()
    )


def born(*values: str) -> TS | None:
    return read_parameters(asked("livingSubjectBirthTime", *values)).birth_time


@pytest.mark.parametrize(
    "empty",
    ["<value/>", '<value nullFlavor="UNK"/>', '<value xsi:type="IVL_TS" nullFlavor="UNK"/>'],
)
def test_an_empty_birth_time_before_the_real_one_hides_it_not(empty: str) -> None:
    assert born(empty, '<value value="19580314"/>') == TS("19580314")


@pytest.mark.parametrize(
    "empty",
    [
        "<value/>",
        '<value code=""/>',
        '<value xsi:type="CE" nullFlavor="UNK"/>',
        '<value nullFlavor="UNK" codeSystem="2.16.840.1.113883.5.1"/>',
    ],
)
def test_an_empty_gender_before_the_real_one_hides_it_not(empty: str) -> None:
    parameters = asked("livingSubjectAdministrativeGender", empty, '<value code="F"/>')
    assert read_parameters(parameters).gender == "F"


@pytest.mark.parametrize(
    "low, high",
    [
        ("19580314000000", "19580314235959"),
        ("19580314000000-0600", "19580314235959-0600"),
        ("1958-03-14T00:00:00", "1958-03-14T23:59:59"),
        ("19580314", "195803142359"),
    ],
)
def test_a_day_written_as_an_interval_is_that_day(low: str, high: str) -> None:
    assert born(f'<value><low value="{low}"/><high value="{high}"/></value>') == TS("19580314")


@pytest.mark.parametrize("high", ["19580315", "1958", ""])
def test_a_longer_interval_states_no_date(high: str) -> None:
    assert born(f'<value><low value="19580314"/><high value="{high}"/></value>') == TS(None)
