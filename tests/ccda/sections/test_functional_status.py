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
