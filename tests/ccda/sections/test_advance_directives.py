from collections.abc import Callable

from ccda.hl7v3 import CD, TS
from ccda.model import Entry

EntriesOf = Callable[[str], list[Entry]]
ReadEntries = Callable[..., tuple[Entry, ...]]


def test_an_advance_directive_names_who_verified_it(entries_of: EntriesOf) -> None:
    (directive,) = entries_of("advance_directive")
    assert isinstance(directive.value, CD)
    assert directive.value.display == "Not for resuscitation"
    assert directive.end == TS(None, "NA")
    assert directive.details["parties"] == [{"type": "VRF", "name": "Grace Okafor"}]


def test_a_party_of_a_directive_can_be_reached(read_entries: ReadEntries) -> None:
    party = (
        '<participant typeCode="VRF"><time value="20110201"/><participantRole>'
        '<telecom value="tel:1"/><playingEntity><name>Ann</name></playingEntity>'
        "</participantRole></participant>"
    )
    (entry,) = read_entries("42348-3", f'<observation><code code="1"/>{party}</observation>')
    assert entry.details["parties"] == [
        {"type": "VRF", "name": "Ann", "time": "2011-02-01", "telecom": [{"value": "tel:1"}]}
    ]
    assert "participant" not in entry.details
