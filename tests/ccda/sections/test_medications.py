from collections.abc import Callable

import pytest

from ccda.hl7v3 import TS
from ccda.model import Entry

ReadEntries = Callable[..., tuple[Entry, ...]]
EntriesOf = Callable[[str], list[Entry]]

MEDICATIONS = "10160-0"
ASPIRIN = (
    "<consumable><manufacturedProduct><manufacturedMaterial>"
    '<code code="1191" displayName="Aspirin"/>'
    "</manufacturedMaterial></manufacturedProduct></consumable>"
)


def administration(content: str, attributes: str = "") -> str:
    return (
        f'<substanceAdministration moodCode="EVN" {attributes}>{content}</substanceAdministration>'
    )


def test_the_code_is_the_drug(entries_of: EntriesOf) -> None:
    (lisinopril,) = entries_of("medication")
    assert lisinopril.code is not None and lisinopril.code.code == "314076"
    assert lisinopril.text == "Lisinopril 10 mg every 12 hours"
    assert (lisinopril.mood, lisinopril.status) == ("INT", "active")
    assert (lisinopril.start, lisinopril.end) == (TS("20230105"), TS(None, "NA"))


def test_how_and_why_it_is_taken_stands_in_the_details(entries_of: EntriesOf) -> None:
    details = entries_of("medication")[0].details
    assert details["dose"] == {"value": "1", "unit": "{tablet}"}
    assert details["route"]["display"] == "Oral"
    assert details["frequency"] == [
        {
            "period": {"value": "12", "unit": "h"},
            "institution_specified": "true",
            "operator": "A",
        }
    ]
    assert details["max_dose"]["denominator"] == {"value": "1", "unit": "d"}
    assert details["sig"] == "One tablet twice a day"
    assert details["indication"][0]["code"] == "59621000"
    assert details["precondition"][0]["display"] == "Headache"
    (order,) = details["supply"]
    assert (order["mood"], order["status"], order["relation"]) == ("INT", "completed", "REFR")
    assert (order["quantity"], order["repeat_number"]) == ({"value": "60"}, "3")
    assert details["manufacturer"] == "Tablet Works"


def test_a_rhythm_keeps_its_phase_and_whether_the_institution_chooses(
    read_entries: ReadEntries,
) -> None:
    times = (
        '<effectiveTime xsi:type="PIVL_TS" institutionSpecified="true" operator="A">'
        '<phase><low value="202401010800"/></phase><period value="8" unit="h"/></effectiveTime>'
    )
    (entry,) = read_entries(MEDICATIONS, administration(times + ASPIRIN))
    (rhythm,) = entry.details["frequency"]
    assert rhythm["phase"] == {"low": "2024-01-01T08:00"}
    assert (rhythm["period"]["value"], rhythm["institution_specified"]) == ("8", "true")


def test_a_dose_may_be_a_range_and_an_event_a_frequency(read_entries: ReadEntries) -> None:
    times = '<effectiveTime xsi:type="EIVL_TS" operator="A"><event code="HS"/></effectiveTime>'
    dose = '<doseQuantity><low value="1" unit="mg"/><high value="2" unit="mg"/></doseQuantity>'
    (entry,) = read_entries(MEDICATIONS, administration(times + dose + ASPIRIN))
    assert entry.details["frequency"] == [{"event": "HS", "operator": "A"}]
    assert entry.details["dose"]["high"] == {"value": "2", "unit": "mg"}
    assert (entry.start, entry.time) == (None, None)


def test_times_inside_an_expression_are_read(read_entries: ReadEntries) -> None:
    times = (
        '<effectiveTime xsi:type="SXPR_TS"><comp xsi:type="IVL_TS"><low value="2020"/></comp>'
        '<comp xsi:type="PIVL_TS"><period value="1" unit="d"/></comp></effectiveTime>'
    )
    (entry,) = read_entries(MEDICATIONS, administration(times + ASPIRIN))
    assert entry.start == TS("2020")
    assert entry.details["frequency"] == [{"period": {"value": "1", "unit": "d"}}]


def test_a_drug_may_have_only_a_name(read_entries: ReadEntries) -> None:
    named = ASPIRIN.replace(
        '<code code="1191" displayName="Aspirin"/>',
        '<code nullFlavor="UNK"/><name>Willow bark</name>',
    )
    (entry,) = read_entries(MEDICATIONS, administration(named))
    assert (entry.text, entry.no_information) == ("Willow bark", False)


def test_a_refused_drug_is_negated(read_entries: ReadEntries) -> None:
    (entry,) = read_entries(MEDICATIONS, administration(ASPIRIN, 'negationInd="true"'))
    assert (entry.negated, entry.no_information) == (True, False)


@pytest.mark.parametrize(
    ("code", "negation"),
    [
        ('<code nullFlavor="NA"/>', 'negationInd="true"'),
        ('<code code="410942007" displayName="Drug or medicament"/>', 'negationInd="true"'),
        ('<code code="182849000"/>', ""),
        ('<code code="x" displayName="No medication data is applicable"/>', ""),
        ("", ""),
    ],
)
def test_no_medications_is_a_marker(read_entries: ReadEntries, code: str, negation: str) -> None:
    marker = ASPIRIN.replace('<code code="1191" displayName="Aspirin"/>', code)
    (entry,) = read_entries(MEDICATIONS, administration(marker, negation))
    assert entry.no_information


def test_what_stands_inside_a_medication_is_no_other(read_entries: ReadEntries) -> None:
    inner = f'<entryRelationship typeCode="COMP">{administration(ASPIRIN)}</entryRelationship>'
    assert len(read_entries(MEDICATIONS, administration(ASPIRIN + inner))) == 1


@pytest.mark.parametrize("section", ["10183-2", "42346-7", "29549-3"])
def test_a_medication_inside_an_act_is_read(read_entries: ReadEntries, section: str) -> None:
    inner = f'<entryRelationship typeCode="SUBJ">{administration(ASPIRIN)}</entryRelationship>'
    assert [entry.kind for entry in read_entries(section, f"<act>{inner}</act>")] == ["medication"]


def test_a_supply_of_its_own_is_a_medication(read_entries: ReadEntries) -> None:
    supply = f'<supply moodCode="INT">{ASPIRIN.replace("consumable", "product")}</supply>'
    (entry,) = read_entries(MEDICATIONS, supply)
    assert entry.code is not None and entry.code.code == "1191"


def test_a_sig_in_its_own_statement_is_found(read_entries: ReadEntries) -> None:
    sig = administration(
        '<templateId root="2.16.840.1.113883.10.20.22.4.147"/><code code="76662-6"/>'
        "<text>After meals</text>"
    )
    holder = f'<entryRelationship typeCode="COMP">{sig}</entryRelationship>'
    (entry,) = read_entries(MEDICATIONS, administration(ASPIRIN + holder))
    assert entry.details["sig"] == "After meals"


def test_a_free_text_sig_is_known_by_its_code(read_entries: ReadEntries) -> None:
    sig = (
        '<entryRelationship typeCode="COMP"><substanceAdministration><code code="76662-6"/>'
        "<text>1 tablet daily</text></substanceAdministration></entryRelationship>"
    )
    (entry,) = read_entries(MEDICATIONS, administration(ASPIRIN + sig))
    assert entry.details["sig"] == "1 tablet daily"
