"""What holds of every summary, whatever the documents say."""

import random

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
    B,
    C,
    Pairs,
    document,
    entry,
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
