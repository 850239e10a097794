"""What holds of every summary, whatever the documents say."""

import random
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from ccda.hl7v3 import CD
from gateway.exchange.summarize import summarize
from gateway.model.document import IndexedEntry
from tests.gateway.exchange.records import (
    A1C,
    ASTHMA,
    BOTH,
    DIABETES,
    DIABETES_ICD,
    GLUCOSE,
    NOW,
    PENICILLIN,
    SNOMED,
    WEIGHT,
    B,
    C,
    Pairs,
    document,
    entry,
    holding,
)

codes = st.sampled_from(
    [None, DIABETES, DIABETES_ICD, BOTH, ASTHMA, PENICILLIN, A1C, GLUCOSE,
     CD(None, null_flavor="OTH", original_text="Asthma"), CD("x", None, "Asthma")]
)  # fmt: skip
times = st.sampled_from([None, "2023", "202303", "20230318", "202303180915-0500", "20240101"])
entries = st.builds(
    entry,
    st.sampled_from(["problem", "allergy", "medication", "immunization", "result", "encounter"]),
    codes,
    start=times,
    end=times,
    time=times,
    status=st.sampled_from(["active", "completed", "resolved", "aborted", None]),
    value=st.sampled_from([None, "7", "7.0", "126", "text"]),
    unit=st.sampled_from([None, "%", "mg/dL", "mmol/L"]),
    text=st.sampled_from([None, "Asthma", "No known allergies"]),
    negated=st.booleans(),
    no_information=st.sampled_from([False, False, False, True]),
    id_=st.sampled_from([None, None, "1", "2"]),
    recorded=st.sampled_from([None, "2022", "20240501"]),
)
old_a = document("a1", "20220101", partner="a", set_id="s", version=1)
new_a = document("a2", "20230101", partner="a", set_id="s", version=2)
records = st.lists(st.tuples(st.sampled_from([old_a, new_a, B, C]), entries), max_size=14).map(
    lambda drawn: [
        (where, IndexedEntry(where.id, ordinal, None, one))
        for ordinal, (where, one) in enumerate(drawn)
    ]
)


@given(records, st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_the_order_of_documents_changes_nothing(pairs: Pairs, chance: random.Random) -> None:
    shuffled = list(pairs)
    chance.shuffle(shuffled)
    assert summarize(pairs, as_of=NOW) == summarize(shuffled, as_of=NOW)


@given(records)
@settings(max_examples=300, deadline=None)
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
@settings(max_examples=200, deadline=None)
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
