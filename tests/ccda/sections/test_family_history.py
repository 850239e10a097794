from collections.abc import Callable

from ccda.model import Entry

ReadEntries = Callable[..., tuple[Entry, ...]]
EntriesOf = Callable[[str], list[Entry]]


def test_a_relative_is_the_parent_of_the_conditions(entries_of: EntriesOf) -> None:
    father, infarction = entries_of("family_history")
    assert father.code is not None and father.code.code == "FTH"
    assert father.details["relative"] is True
    assert father.details["deceased"] == "true"
    assert father.details["birth_time"] == "1930"
    assert infarction.code is not None and infarction.code.display == "Myocardial infarction"
    assert infarction.parent == 0
    assert infarction.details["age"] == {"value": "57", "unit": "a"}
    assert infarction.details["cause_of_death"] is True


def test_a_negated_family_history_is_negated(read_entries: ReadEntries) -> None:
    (entry,) = read_entries(
        "10157-6",
        '<observation negationInd="true"><value xsi:type="CD" code="22298006"/></observation>',
    )
    assert (entry.negated, entry.no_information) == (True, False)
