from collections.abc import Callable

import pytest

from ccda.hl7v3 import CD
from ccda.model import Entry

ReadEntries = Callable[..., tuple[Entry, ...]]
EntriesOf = Callable[[str], list[Entry]]


def test_the_code_of_a_smoking_status_is_its_value(entries_of: EntriesOf) -> None:
    smoking = entries_of("social_history")[0]
    assert smoking.code is not None and smoking.code.display == "Former smoker"
    assert smoking.value is None
    assert smoking.details["question"]["code"] == "72166-2"


def test_other_social_history_is_question_and_answer(entries_of: EntriesOf) -> None:
    alcohol = entries_of("social_history")[1]
    assert alcohol.code is not None and alcohol.code.display == "Alcohol consumption"
    assert alcohol.value == "2 a week"


@pytest.mark.parametrize(
    "known",
    [
        '<code code="229819007"/>',
        '<templateId root="2.16.840.1.113883.10.20.22.4.85"/><code code="ASSERTION"/>',
    ],
)
def test_a_smoking_status_is_known_by_code_or_template(
    read_entries: ReadEntries, known: str
) -> None:
    (entry,) = read_entries(
        "29762-2", f'<observation>{known}<value xsi:type="CD" code="77176002"/></observation>'
    )
    assert entry.code == CD("77176002")


def test_a_number_of_packs_stays_a_value(read_entries: ReadEntries) -> None:
    (entry,) = read_entries(
        "29762-2",
        '<observation><code code="401201003"/>'
        '<value xsi:type="PQ" value="20" unit="{pack}"/></observation>',
    )
    assert entry.code == CD("401201003")
    assert (entry.value, entry.unit) == ("20", "{pack}")


@pytest.mark.parametrize("code", ["63640-7", "8663-7", "401201003", "72166-2"])
@pytest.mark.parametrize("template", ["38", "85"])
@pytest.mark.parametrize("value", ['xsi:type="INT" value="20"', 'xsi:type="ST"'])
def test_how_much_is_smoked_is_no_smoking_status(
    read_entries: ReadEntries, code: str, template: str, value: str
) -> None:
    (entry,) = read_entries(
        "29762-2",
        f'<observation><templateId root="2.16.840.1.113883.10.20.22.4.{template}"/>'
        f'<code code="{code}"/><value {value}>20</value></observation>',
    )
    assert (entry.code, entry.value) == (CD(code), "20")
    assert "question" not in entry.details


def test_how_much_is_smoked_may_be_a_code(read_entries: ReadEntries) -> None:
    (entry,) = read_entries(
        "29762-2",
        '<observation><code code="63640-7"/><value xsi:type="CD" code="1"/></observation>',
    )
    assert (entry.code, entry.value) == (CD("63640-7"), CD("1"))


def test_a_smoking_status_without_an_answer_is_a_marker_by_its_words(
    read_entries: ReadEntries,
) -> None:
    (entry,) = read_entries(
        "29762-2",
        '<observation><templateId root="2.16.840.1.113883.10.20.22.4.78"/><code code="ASSERTION"/>'
        "<text>No smoking status data is applicable</text>"
        '<value xsi:type="CD" nullFlavor="UNK"/></observation>',
    )
    assert entry.no_information
