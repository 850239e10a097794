from collections.abc import Callable

from ccda.hl7v3 import TS
from ccda.model import Entry

ReadEntries = Callable[..., tuple[Entry, ...]]
EntriesOf = Callable[[str], list[Entry]]


def test_a_procedure_has_three_forms(entries_of: EntriesOf) -> None:
    procedures = entries_of("procedure")
    forms = [procedure.details["statement"] for procedure in procedures]
    assert forms == ["procedure", "observation", "act"]
    assert [procedure.negated for procedure in procedures] == [False, False, True]
    assert (procedures[1].value, procedures[1].unit) == ("4", "min")


def test_a_procedure_names_site_and_performer(entries_of: EntriesOf) -> None:
    colonoscopy = entries_of("procedure")[0]
    assert colonoscopy.time == TS("201806")
    assert colonoscopy.details["target_site"][0]["display"] == "Colon"
    assert colonoscopy.details["performer"] == [
        {"name": "Grace Okafor", "ids": ["2.16.840.1.113883.4.6^1234567893"]}
    ]


def test_a_refused_procedure_keeps_its_reason(read_entries: ReadEntries) -> None:
    (entry,) = read_entries(
        "47519-4",
        '<procedure negationInd="true"><code code="73761001"/><entryRelationship typeCode="RSON">'
        '<observation><value xsi:type="CD" code="105480006" displayName="Refusal"/></observation>'
        "</entryRelationship></procedure>",
    )
    assert (entry.negated, entry.no_information) == (True, False)
    assert entry.details["indication"][0]["code"] == "105480006"


def test_a_procedure_with_a_device_names_it(read_entries: ReadEntries) -> None:
    (entry,) = read_entries(
        "47519-4",
        '<procedure><code code="1"/><participant typeCode="DEV"><participantRole>'
        '<id root="1.2" extension="UDI"/><playingDevice><code code="9" displayName="Stent"/>'
        "</playingDevice></participantRole></participant></procedure>",
    )
    (device,) = entry.details["device"]
    assert (device["code"]["display"], device["ids"]) == ("Stent", ["1.2^UDI"])


def test_an_encounter_is_followed_by_its_diagnoses(entries_of: EntriesOf) -> None:
    (visit,) = entries_of("encounter")
    diagnosis = entries_of("problem")[1]
    assert diagnosis.code is not None and diagnosis.code.display == "Pneumonia"
    assert diagnosis.parent == 0
    assert (visit.start, visit.end) == (TS("20240312"), TS("20240312"))


def test_an_encounter_names_place_and_disposition(entries_of: EntriesOf) -> None:
    (visit,) = entries_of("encounter")
    assert visit.details["location"]["name"] == "Elm Clinic East"
    assert visit.details["discharge_disposition"]["display"] == "Home"


def test_a_note_in_a_procedures_section_is_a_note(read_entries: ReadEntries) -> None:
    note = (
        '<act><templateId root="2.16.840.1.113883.10.20.22.4.202"/><code code="34109-9"/>'
        "<text>All well</text></act>"
    )
    entries = read_entries("47519-4", note, '<procedure><code code="1"/></procedure>')
    assert [entry.kind for entry in entries] == ["note", "procedure"]
    assert entries[0].text == "All well"


def test_a_note_inside_an_encounter_names_it_as_parent(read_entries: ReadEntries) -> None:
    note = (
        '<act><templateId root="2.16.840.1.113883.10.20.22.4.202"/><code code="34109-9"/>'
        "<text>Seen</text></act>"
    )
    entries = read_entries(
        "46240-8",
        f'<encounter><code code="1"/><entryRelationship typeCode="COMP">{note}'
        "</entryRelationship></encounter>",
    )
    assert [(entry.kind, entry.parent) for entry in entries] == [("encounter", None), ("note", 0)]


def test_an_encounter_inside_another_describes_it(read_entries: ReadEntries) -> None:
    follow_up = '<encounter><code code="2"/></encounter>'
    inner = f'<entryRelationship typeCode="COMP">{follow_up}</entryRelationship>'
    entries = read_entries("46240-8", f'<encounter><code code="1"/>{inner}</encounter>')
    assert [entry.code and entry.code.code for entry in entries] == ["1"]
