from collections.abc import Callable
from typing import Any

import pytest

from ccda.hl7v3 import CD, TS
from ccda.model import Entry, Interval

ReadEntries = Callable[..., tuple[Entry, ...]]
EntriesOf = Callable[[str], list[Entry]]


def observation(content: str) -> str:
    return f'<observation moodCode="EVN"><code code="718-7"/>{content}</observation>'


def test_a_panel_is_the_parent_of_its_parts(entries_of: EntriesOf) -> None:
    panel, hemoglobin, antigen = entries_of("result")
    assert panel.code is not None and panel.code.code == "58410-2"
    assert panel.details["panel"] is True
    assert panel.details["specimen"]["display"] == "Blood specimen"
    assert (panel.parent, hemoglobin.parent, antigen.parent) == (None, 0, 0)


def test_a_result_has_value_unit_range_and_interpretation(entries_of: EntriesOf) -> None:
    hemoglobin = entries_of("result")[1]
    assert (hemoglobin.value, hemoglobin.unit) == ("7.20", "g/dL")
    assert hemoglobin.time == TS("20240311083000-0500")
    assert [form["code"] for form in hemoglobin.details["interpretation"]] == ["LL"]
    assert hemoglobin.details["reference_range"] == [
        {"value": {"low": "12.0", "high": "15.5", "unit": "g/dL"}, "text": "12.0 to 15.5 g/dL"}
    ]


def test_a_coded_result_is_a_code(entries_of: EntriesOf) -> None:
    value = entries_of("result")[2].value
    assert isinstance(value, CD) and value.display == "Negative"


def test_vital_signs_have_their_own_kind(entries_of: EntriesOf) -> None:
    panel, systolic = entries_of("vital_sign")
    assert (systolic.value, systolic.unit, systolic.parent) == ("142", "mm[Hg]", 0)
    assert panel.details["panel"] is True


@pytest.mark.parametrize(
    ("written", "value", "unit"),
    [
        ('<value xsi:type="PQ" value="7.20" unit="g/dL"/>', "7.20", "g/dL"),
        ('<value xsi:type="INT" value="3"/>', "3", None),
        ('<value xsi:type="ST">Trace</value>', "Trace", None),
        ('<value xsi:type="ST" value="Trace"/>', "Trace", None),
        ('<value xsi:type="ED"><reference value="#t"/></value>', "See report", None),
        ('<value xsi:type="CO" code="1" displayName="+"/>', CD("1", display="+"), None),
        ('<value xsi:type="TS" value="20240101"/>', "2024-01-01", None),
        ('<value xsi:type="BL" value="true"/>', "true", None),
        (
            '<value xsi:type="IVL_PQ"><low value="1" unit="g"/><high value="2" unit="g"/></value>',
            Interval("1", "2"),
            "g",
        ),
        ('<value xsi:type="IVL_PQ"><high value="5" unit="g"/></value>', Interval(None, "5"), "g"),
        ('<value xsi:type="IVL_PQ"><center value="5" unit="g"/></value>', "5", "g"),
        (
            '<value xsi:type="IVL_TS"><low value="2020"/></value>',
            Interval("2020", None),
            None,
        ),
        (
            '<value xsi:type="RTO"><numerator value="1"/><denominator value="128"/></value>',
            "1:128",
            None,
        ),
        (
            '<value xsi:type="RTO_PQ_PQ"><numerator value="5" unit="mg"/>'
            '<denominator value="1" unit="mL"/></value>',
            "5 mg : 1 mL",
            None,
        ),
        ('<value xsi:type="hl7:PQ" xmlns:hl7="urn:hl7-org:v3" value="1"/>', "1", None),
        ('<value xsi:type="NEVER_HEARD_OF" value="1" unit="g"/>', "1", "g"),
        ('<value xsi:type="NEVER_HEARD_OF" code="1"/>', CD("1"), None),
        ('<value xsi:type="NEVER_HEARD_OF">words</value>', "words", None),
        ('<value value="1" unit="g"/>', "1", "g"),
        ('<value><low value="1"/></value>', Interval("1", None), None),
        ('<value xsi:type="PQ" nullFlavor="UNK"/>', None, None),
        (
            '<value xsi:type="PQ" nullFlavor="OTH"><translation value="9" unit="X"/></value>',
            "9",
            "X",
        ),
        ('<value xsi:type="CD" nullFlavor="UNK"/>', None, None),
        ("", None, None),
    ],
)
def test_a_value_of_any_type_is_read(
    read_entries: ReadEntries, written: str, value: Any, unit: str | None
) -> None:
    (entry,) = read_entries(
        "30954-2", observation(written), text='<content ID="t">See report</content>'
    )
    assert (entry.value, entry.unit) == (value, unit)


def test_why_there_is_no_value_is_kept(read_entries: ReadEntries) -> None:
    (entry,) = read_entries("30954-2", observation('<value xsi:type="PQ" nullFlavor="NAV"/>'))
    assert entry.details["value_null_flavor"] == "NAV"


def test_a_bound_that_is_not_included_is_said(read_entries: ReadEntries) -> None:
    value = '<value xsi:type="IVL_PQ"><high value="5" inclusive="false"/></value>'
    (entry,) = read_entries("30954-2", observation(value))
    assert entry.details["exclusive"] == ["high"]


def test_a_comment_is_a_detail_and_no_result(read_entries: ReadEntries) -> None:
    comment = (
        '<entryRelationship typeCode="SUBJ"><act>'
        '<templateId root="2.16.840.1.113883.10.20.22.4.64"/><text>Haemolysed</text></act>'
        "</entryRelationship>"
    )
    (entry,) = read_entries("30954-2", observation(comment))
    assert entry.details["comment"] == ["Haemolysed"]


def test_an_observation_without_a_panel_is_read(read_entries: ReadEntries) -> None:
    (entry,) = read_entries("8716-3", observation('<value xsi:type="PQ" value="1"/>'))
    assert (entry.kind, entry.parent) == ("vital_sign", None)


def test_a_panel_without_a_code_groups_and_is_no_marker(read_entries: ReadEntries) -> None:
    (panel, _) = read_entries(
        "30954-2", f"<organizer><component>{observation('')}</component></organizer>"
    )
    assert (panel.code, panel.no_information) == (None, False)


def test_an_empty_panel_says_nothing(read_entries: ReadEntries) -> None:
    (panel,) = read_entries("30954-2", "<organizer/>")
    assert panel.no_information


def test_parents_count_within_the_section(read_entries: ReadEntries) -> None:
    panel = f"<organizer><component>{observation('')}</component></organizer>"
    entries = read_entries("30954-2", panel, panel)
    assert [entry.parent for entry in entries] == [None, 0, None, 2]


def test_two_panels_in_one_entry_keep_their_own_parts(read_entries: ReadEntries) -> None:
    panel = (
        '<entryRelationship typeCode="COMP"><organizer><component>'
        f"{observation('')}</component></organizer></entryRelationship>"
    )
    entries = read_entries("30954-2", f"<act>{panel}{panel}</act>")
    assert [entry.parent for entry in entries] == [None, 0, None, 2]


CT = (
    '<observation><code code="24627-2" displayName="CT"><originalText>CT of chest</originalText>'
    '</code><text><reference value="#r1"/></text>{}</observation>'
)


@pytest.mark.parametrize(
    ("words", "value", "content"),
    [
        ("No mass", "", "No mass"),
        ("No mass", '<value xsi:type="ST">No mass</value>', None),
        ("CT of chest", "", None),
        ("ct", "", None),
    ],
)
def test_the_text_of_what_is_named_by_its_code_is_kept(
    read_entries: ReadEntries, words: str, value: str, content: str | None
) -> None:
    text = f'<paragraph ID="r1">{words}</paragraph>'
    (entry,) = read_entries("30954-2", CT.format(value), text=text)
    assert entry.text == "CT of chest"
    assert entry.details.get("content") == content


def test_a_bound_that_is_not_in_the_reference_range_is_told(read_entries: ReadEntries) -> None:
    (entry,) = read_entries(
        "30954-2",
        '<observation><code code="1"/><referenceRange><observationRange><value xsi:type="IVL_PQ">'
        '<low value="4" unit="%"/><high value="6" unit="%" inclusive="false"/></value>'
        "</observationRange></referenceRange></observation>",
    )
    assert entry.details["reference_range"] == [
        {"value": {"low": "4", "high": "6", "unit": "%"}, "exclusive": ["high"]}
    ]


def test_a_range_that_is_said_not_to_be_one_is_told_as_denied(read_entries: ReadEntries) -> None:
    ranges = "".join(
        f'<referenceRange><observationRange {denied}><value xsi:type="IVL_PQ">'
        f'<low value="{low}" unit="%"/></value></observationRange></referenceRange>'
        for low, denied in (("4", 'negationInd="true"'), ("5", 'negationInd="false"'))
    )
    (entry,) = read_entries("30954-2", f'<observation><code code="1"/>{ranges}</observation>')
    assert entry.details["reference_range"] == [
        {"value": {"low": "4", "unit": "%"}, "negated": True},
        {"value": {"low": "5", "unit": "%"}},
    ]
