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


def brother(number: int, born: str) -> str:
    return (
        "<organizer><subject><relatedSubject><code code='BRO'/><subject>"
        f'<sdtc:id root="2.999" extension="b{number}"/><birthTime value="{born}"/></subject>'
        "</relatedSubject></subject><component><observation>"
        '<value xsi:type="CD" code="22298006"/></observation></component></organizer>'
    )


def test_two_brothers_are_told_apart_by_each_of_their_conditions(
    read_entries: ReadEntries,
) -> None:
    entries = read_entries("10157-6", brother(1, "1950"), brother(2, "19600102"))
    told = [
        (entry.details["relative_ids"], entry.details["relative_birth_time"])
        for entry in entries
        if entry.parent is not None
    ]
    assert told == [(["2.999^b1"], "1950"), (["2.999^b2"], "1960-01-02")]


def test_a_condition_that_names_its_relative_itself_tells_the_same(
    read_entries: ReadEntries,
) -> None:
    (entry,) = read_entries(
        "10157-6",
        '<observation><value xsi:type="CD" code="22298006"/><subject><relatedSubject>'
        '<code code="BRO"/><subject><sdtc:id root="2.999" extension="b1"/></subject>'
        "</relatedSubject></subject></observation>",
    )
    assert entry.details["relative_ids"] == ["2.999^b1"]
    assert entry.details["subject"]["relationship"]["code"] == "BRO"
