from collections.abc import Callable

from ccda.hl7v3 import TS
from ccda.model import Entry

ReadEntries = Callable[..., tuple[Entry, ...]]
EntriesOf = Callable[[str], list[Entry]]


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


def test_an_encounter_inside_another_describes_it(read_entries: ReadEntries) -> None:
    follow_up = '<encounter><code code="2"/></encounter>'
    inner = f'<entryRelationship typeCode="COMP">{follow_up}</entryRelationship>'
    entries = read_entries("46240-8", f'<encounter><code code="1"/>{inner}</encounter>')
    assert [entry.code and entry.code.code for entry in entries] == ["1"]
