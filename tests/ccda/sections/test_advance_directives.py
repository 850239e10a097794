from collections.abc import Callable

from ccda.hl7v3 import CD, TS
from ccda.model import Entry

EntriesOf = Callable[[str], list[Entry]]


def test_an_advance_directive_names_who_verified_it(entries_of: EntriesOf) -> None:
    (directive,) = entries_of("advance_directive")
    assert isinstance(directive.value, CD)
    assert directive.value.display == "Not for resuscitation"
    assert directive.end == TS(None, "NA")
    assert directive.details["parties"] == [{"type": "VRF", "name": "Grace Okafor"}]
