from collections.abc import Callable

from ccda.hl7v3 import CD
from ccda.model import Entry

EntriesOf = Callable[[str], list[Entry]]


def test_a_functional_finding_is_question_and_answer(entries_of: EntriesOf) -> None:
    (walking,) = entries_of("functional_status")
    assert isinstance(walking.value, CD) and walking.value.code == "105504002"


def test_a_mental_finding_names_its_group(entries_of: EntriesOf) -> None:
    group, memory = entries_of("mental_status")
    assert group.details["panel"] is True
    assert isinstance(memory.value, CD) and memory.parent == 0


def test_an_aid_is_known_by_the_device_that_it_is(
    read_entries: Callable[..., tuple[Entry, ...]],
) -> None:
    (wheelchair,) = read_entries(
        "47420-5",
        '<supply moodCode="EVN"><participant typeCode="PRD"><participantRole><playingDevice>'
        '<code code="58938008" displayName="Wheelchair"/></playingDevice></participantRole>'
        "</participant></supply>",
    )
    assert wheelchair.code is not None and wheelchair.code.code == "58938008"
    assert not wheelchair.no_information
