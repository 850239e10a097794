"""Documents in the manner of senders whose documents we have not seen: what must come out of each.

Written by hand from what the standard lets a sender do, and what systems are known to do with it.
A line is one entry: its kind, `not` or `nothing`, then codes, words, value, time and status.
"""

from collections.abc import Callable, Iterator

import pytest

from ccda import ClinicalDocument, parse_document
from ccda.hl7v3 import CD, TS
from ccda.model import Entry, Interval

Sample = Callable[[str], bytes]


@pytest.fixture
def manner(sample: Sample) -> Callable[[str], ClinicalDocument]:
    return lambda name: parse_document(sample(f"manners/{name}.xml"))


FACTS = {
    "concern_of_several_observations": """
        problem: I10 'Hypertension, essential' from 2019-12-01 (active)
        problem: 90560007 'Gout' from 2018 to 2019-02 (resolved)
        problem not: 73211009 'Diabetes mellitus' (active)
        problem nothing: (suspended)
    """,
    "prefix_on_everything": """
        vital_sign: 46680005 'Vital signs' at 2024-03-01 (completed)
        vital_sign: 85354-9 'Blood pressure panel' (completed)
        vital_sign: 8480-6 'Systolic' = 128 mm[Hg] at 2024-03-01T09:15-06:00 (completed)
        vital_sign: 'Body temperature' = 37,2 Cel (completed)
        vital_sign: 8302-2 'Body height' (completed)
    """,
    "medications_in_words": """
        medication: 'Warfarin 5 mg tablet' from 2024-01-01 (active)
        medication: 'Amoxicillin 500 mg' (aborted)
        medication: 860975 'Metformin 500 MG' to 2023-12-31 (suspended)
        medication nothing: (completed)
        medication not: 1191 'aspirin' (completed)
        medication: 314076 'lisinopril 10 MG' at 2024-02-20 (completed)
    """,
    "results_as_text": """
        result: 24323-8 'Panel' (completed)
        result: 600-7 'Blood culture' = No growth. Final report. at 2024-02-28 (completed)
        result: 11502-2 'Report' = e1xydGYxIE5vcm1hbH0= at 2024-02-28 (completed)
        result: 718-7 'Hemoglobin' = 12,9 g/dL at 2024-02-28 (completed)
        result: 5778-6 'Color' = Yellow cloudy at 2024-02-28 (completed)
        result: 5196-1 'HBsAg' = ..0.05 [IU]/mL at 2024-02-28 (completed)
        result: 13950-1 'Titer' = 1:64 at 2024-02-28 (completed)
        result: 2345-7 'Glucose' '98 mg/dL fasting' at 2024-02-28 (aborted)
        result: 4548-4 'HbA1c' = 6.1 at 2024-02-28 (completed)
        result not: 57698-3 'Lipid panel' (completed)
        result not: 2093-3 'Cholesterol' at 2024-02-28 (completed)
    """,
    "allergies_in_words": """
        allergy: 'Penicillin G' (active)
        allergy: 'Shellfish: hives' (active)
        allergy: 2670 'codeine' (aborted)
        allergy not: 1191 'aspirin' (active)
    """,
    "diagnosis_by_id": """
        problem: 195967001 'Asthma' (completed)
        encounter: 99213 'Office visit' from 2024-01-05T09:30:00-05:00 (completed)
    """,
    "sections_without_names": """
        problem: 195967001 'Asthma' (completed)
        medication: 860975 'metformin' (active)
    """,
    "two_record_targets": """
        social_history: 266919005 'Never smoker' at 2024-01-01 (completed)
    """,
    "names_instead_of_codes": """
        problem: I10
        problem: 'Back pain'
        problem: M54.5 'Low back pain'
        problem: 'Feels unwell'
        problem: 38341003 'Hypertension'
    """,
    "words_in_other_sections": """
        problem: 'Pneumonia, left lower lobe'
    """,
    "registry_immunizations": """
        immunization: 140 'Influenza' at 2023-10-10 (completed)
        immunization not: 140 'Influenza' at 2023-10-10 (completed)
        immunization: 'Tetanus booster (history)' (completed)
        immunization: 90688 from 2022 (completed)
    """,
}


def codes(code: CD | None) -> Iterator[tuple[str | None, str | None]]:
    """Every code with its name, the translations' and theirs too."""
    if code is not None:
        yield (code.code, code.display)
        for translation in code.translations:
            yield from codes(translation)


def words(entry: Entry) -> Iterator[str]:
    written = list(codes(entry.code))
    yield from dict.fromkeys(code.strip() for code, _ in written if code)
    own = None if entry.code is None else entry.code.display
    names = (own, entry.text) if own or entry.text else (name for _, name in written)
    yield from dict.fromkeys(f"'{name.strip()}'" for name in names if name)


def value(entry: Entry) -> str | None:
    found = entry.value
    if isinstance(found, Interval):
        found = f"{found.low or ''}..{found.high or ''}"
    return None if found is None else f"= {found} {entry.unit or ''}".strip()


def time(word: str, when: TS | None) -> str | None:
    return f"{word} {when.iso}" if when is not None and when.iso else None


def line(entry: Entry) -> str:
    # What is no statement at all is not denied either.
    void = " nothing" if entry.no_information else " not" if entry.negated else ""
    parts = (
        *words(entry),
        value(entry),
        time("at", entry.time),
        time("from", entry.start),
        time("to", entry.end),
        f"({entry.status})" if entry.status else None,
    )
    return " ".join((f"{entry.kind}{void}:", *(part for part in parts if part)))


@pytest.mark.parametrize("name", FACTS)
def test_what_a_document_says_comes_out(
    name: str, manner: Callable[[str], ClinicalDocument]
) -> None:
    entries = [entry for section in manner(name).sections for entry in section.entries]
    assert [line(entry) for entry in entries] == [
        expected.strip() for expected in FACTS[name].strip().splitlines()
    ]


def test_ten_ways_to_say_no_known_allergies_state_no_allergy(
    manner: Callable[[str], ClinicalDocument],
) -> None:
    (section,) = manner("no_known_allergies").sections
    assert [entry.no_information for entry in section.entries] == [True] * 10


def test_times_are_as_precise_as_written_and_none_is_made_up(
    manner: Callable[[str], ClinicalDocument],
) -> None:
    (section,) = manner("odd_times").sections
    times = [entry.time or entry.start for entry in section.entries]
    assert [None if when is None else when.iso for when in times] == [
        "2012-08-06T10:22:00.000-05:00", "2012", "2012-08", "00000000", "2012-08-06", "2012-08-06",
        None, None, "2012-08-06T10:22+00:00", "2012-08-06", "20121345", None,
    ]  # fmt: skip
    assert times[6] == TS(None, "UNK")


def test_a_document_about_two_people_says_so(manner: Callable[[str], ClinicalDocument]) -> None:
    document = manner("two_record_targets")
    assert [identifier.extension for identifier in document.patient.ids] == ["M-1"]
    assert "about several people" in document.issues[0].text


def test_where_a_sentence_stands_for_a_section_it_is_kept(
    manner: Callable[[str], ClinicalDocument],
) -> None:
    document = manner("sections_without_names")
    kept = [(section.title, section.text, section.null_flavor) for section in document.sections]
    assert kept == [
        ("Past and current", None, None),
        ("Remarks", None, None),
        (None, "Only words.", None),
        ("Allergies", "Not asked", "NI"),
    ]


def test_cells_that_span_keep_their_words_in_place(
    manner: Callable[[str], ClinicalDocument],
) -> None:
    course = manner("words_in_other_sections").sections[0]
    assert course.text == ("Course\nFinding\tDay\nPneumonia, left lower lobe\tx-ray\t1\nCT\t2")


def test_how_a_drug_is_taken_survives_odd_times(
    manner: Callable[[str], ClinicalDocument],
) -> None:
    warfarin, amoxicillin, metformin, *_ = manner("medications_in_words").sections[0].entries
    assert warfarin.details["sig"] == "one at bedtime"
    assert amoxicillin.details["dose"] == {"value": "500", "unit": "mg"}
    assert amoxicillin.details["frequency"][0]["period"] == {"value": "12", "unit": "h"}
    assert metformin.details["frequency"][0]["event"] == "ACD"


def test_a_refused_vaccine_has_its_reason(manner: Callable[[str], ClinicalDocument]) -> None:
    refused = manner("registry_immunizations").sections[0].entries[1]
    assert refused.details["refusal_reason"]["code"] == "PATOBJ"


def test_nothing_in_them_is_an_oddity_but_the_second_person(
    manner: Callable[[str], ClinicalDocument],
) -> None:
    for name in (*FACTS, "no_known_allergies", "odd_times"):
        issues = manner(name).issues
        assert len(issues) == (name == "two_record_targets"), (name, issues)
