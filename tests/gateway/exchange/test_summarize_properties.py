"""What holds of every summary, whatever the documents say."""

import random
import time
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ccda.hl7v3 import CD
from ccda.model import Entry, Kind
from gateway.exchange.summarize import summarize
from gateway.model.document import Document, IndexedEntry
from gateway.model.identity import DocumentId
from tests.gateway.exchange.records import (
    A1C,
    ASTHMA,
    BOTH,
    DIABETES,
    DIABETES_ICD,
    GLUCOSE,
    NOW,
    PENICILLIN,
    RXNORM,
    SNOMED,
    WEIGHT,
    B,
    C,
    Pairs,
    copied,
    document,
    entry,
    holding,
    reached,
    without_sources,
)

brand = CD("617318", RXNORM, "Lipitor 20 MG", translations=(CD("617310", RXNORM, "atorvastatin"),))
generic = CD("617310", RXNORM, "atorvastatin 20 MG Oral Tablet")
codes = st.sampled_from(
    [None, brand, generic, DIABETES, DIABETES_ICD, BOTH, ASTHMA, PENICILLIN, A1C, GLUCOSE,
     CD(None, null_flavor="OTH", original_text="Asthma"), CD("x", None, "Asthma")]
)  # fmt: skip
moments = ["2023", "202303", "20230318", "202303180915-0500", "202303181415+0000", "20240101"]
times = st.sampled_from([None, *moments])
kinds: list[Kind] = [
    "problem", "allergy", "medication", "immunization", "result", "encounter", "device",
    "care_team", "family_history", "procedure",
]  # fmt: skip
details = st.sampled_from(
    [{}, {}, {"lot_number": "A"}, {"performer": [{"name": "Dr. Ada Fictional", "ids": []}]},
     {"performer": [{"name": "Ada Fictional", "ids": ["2.16.840.1.113883.4.6^1"]}]},
     {"device": [{"ids": ["2.16.840.1.113883.3.3719^U1"]}]}]
)  # fmt: skip
said = st.fixed_dictionaries(
    {
        "start": times,
        "end": times,
        "status": st.sampled_from(["active", "completed", "resolved", "aborted", None]),
        "value": st.sampled_from([None, "7", "7.0", "126", "text"]),
        "unit": st.sampled_from([None, "%", "mg/dL", "mmol/L"]),
        "text": st.sampled_from([None, "Asthma", "No known allergies"]),
        "negated": st.booleans(),
        "no_information": st.sampled_from([False, False, False, True]),
        "recorded": st.sampled_from([None, "2022", "20240501"]),
        "mood": st.sampled_from([None, "EVN", "EVN", "RQO"]),
        "details": details,
    }
)


def told(kind: Kind, code: CD | None, time: str | None, id_: str | None, rest: Any) -> Entry:
    return entry(kind, code, time=time, id_=id_, **rest)


entries = st.builds(
    told, st.sampled_from(kinds), codes, times, st.sampled_from([None, None, "1", "2"]), said
)
# One document tells of one event once: to part it makes two of what has neither time nor id.
dated_entries = st.builds(
    told, st.sampled_from(kinds), codes, st.sampled_from(moments), st.none(), said
)
old_a = document("a1", "20220101", partner="a", set_id="s", version=1)
new_a = document("a2", "20230101", partner="a", set_id="s", version=2)
DOCUMENTS = [old_a, new_a, B, C]


def numbered(drawn: list[tuple[Document, Entry]]) -> Pairs:
    return [
        (where, IndexedEntry(where.id, ordinal, None, one))
        for ordinal, (where, one) in enumerate(drawn)
    ]


records = st.lists(st.tuples(st.sampled_from(DOCUMENTS), entries), max_size=14).map(numbered)
dated = st.lists(st.tuples(st.sampled_from(DOCUMENTS), dated_entries), max_size=14).map(numbered)


@given(records, st.randoms(use_true_random=False))
@settings(max_examples=120)
def test_the_order_of_documents_changes_nothing(pairs: Pairs, chance: random.Random) -> None:
    shuffled = list(pairs)
    chance.shuffle(shuffled)
    assert summarize(pairs, as_of=NOW) == summarize(shuffled, as_of=NOW)


@given(records)
@settings(max_examples=120)
def test_no_entry_is_lost_or_told_twice(pairs: Pairs) -> None:
    found = summarize(pairs, as_of=NOW)
    told = sorted(
        (source.document, source.entry)
        for section in found.sections
        for line in section.lines
        for source in line.sources
    )
    facts = sorted((d.id, item.ordinal) for d, item in pairs if not item.entry.no_information)
    assert told == facts


@given(records)
@settings(max_examples=80)
def test_what_is_told_twice_is_merged_once(pairs: Pairs) -> None:
    assert summarize([*pairs, *pairs], as_of=NOW) == summarize(pairs, as_of=NOW)


@given(records)
@settings(max_examples=80)
def test_every_denial_that_stands_is_reached_and_so_is_every_fact(pairs: Pairs) -> None:
    silent = {
        (where.id, item.ordinal)
        for where, item in pairs
        if item.entry.no_information
        and (where is old_a or not (item.entry.negated or item.entry.text == "No known allergies"))
    }
    found = reached(summarize(pairs, as_of=NOW, documents=DOCUMENTS))
    assert found | silent == {(where.id, item.ordinal) for where, item in pairs}


@given(records, st.sampled_from([new_a, B, C]))
@settings(max_examples=120)
def test_a_copy_of_a_document_changes_nothing_but_sources(pairs: Pairs, which: Document) -> None:
    once = summarize(pairs, as_of=NOW)
    twice = summarize([*pairs, *copied(pairs, which)], as_of=NOW)
    assert without_sources(twice) == without_sources(once)


@given(dated, st.sampled_from([new_a, B, C]), st.integers(0, 14))
@settings(max_examples=120)
def test_a_document_in_two_parts_gives_the_same_lines(
    pairs: Pairs, which: Document, at: int
) -> None:
    first, second = (
        replace(
            which, id=DocumentId(which.id + part), blob=replace(which.blob, sha256=which.id + part)
        )
        for part in (".1", ".2")
    )

    def part(item: IndexedEntry) -> Document:
        return first if item.ordinal < at else second

    parted = [
        (part(item), replace(item, document=part(item).id)) if where is which else (where, item)
        for where, item in pairs
    ]
    whole = summarize(pairs, as_of=NOW, documents=DOCUMENTS)
    assert without_sources(summarize(parted, as_of=NOW, documents=DOCUMENTS)) == without_sources(
        whole
    )


@given(records)
@settings(max_examples=80)
def test_no_line_mixes_yes_and_no(pairs: Pairs) -> None:
    negated = {(d.id, item.ordinal): item.entry.negated for d, item in pairs}
    for section in summarize(pairs, as_of=NOW).sections:
        for line in section.lines:
            assert {negated[s.document, s.entry] for s in line.sources} == {line.negated}  # type: ignore[index]


def test_a_record_of_many_years_is_merged_in_seconds() -> None:
    """Two thousand weights and a thousand visits: what compares all with all takes minutes."""
    chance = random.Random(3)

    def moment() -> str:
        month, day, hour = chance.randint(1, 12), chance.randint(1, 28), chance.randint(10, 23)
        return f"20{chance.randint(10, 24)}{month:02}{day:02}{hour}15-0500"

    visit = CD("308335008", SNOMED, "visit", translations=(CD("AMB", "2.16.840.1.113883.5.4"),))
    pairs: Pairs = []
    for number in range(20):
        entries = [entry("vital_sign", WEIGHT, value="80", time=moment()) for _ in range(100)]
        entries += [entry("encounter", visit, start=moment()) for _ in range(50)]
        pairs += holding(document(f"d{number}"), *entries)
    started = time.process_time()
    found = summarize(pairs, as_of=NOW)
    assert time.process_time() - started < 10
    assert len(found.section("vital_sign").lines) == 1
    assert len(found.section("encounter").lines) > 900
