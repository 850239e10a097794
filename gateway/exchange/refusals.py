"""Who was refused, by which rule, and how often: an auditor's table of the log. Pure.

A refusal's rule is the sentence that stands in its record, which is the rule's own (DECISIONS 11:
what the partner heard may say less). Documents that a rule kept out of an answer which succeeded
are counted too, by the rule that kept them out.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from gateway.model.exchange import Exchange, RecordedExchange

COLUMNS: Final = ("month", "who", "transaction", "rule", "refused", "documents")
"""`refused` counts exchanges, `documents` what was kept out of exchanges that succeeded."""
_KEPT_OUT: Final = re.compile(r"(\d+) not given: (.+?)(?= \d+ not given: |$)")
Line = tuple[str, str, str, str]


def refusal_rows(records: Iterable[RecordedExchange]) -> list[tuple[object, ...]]:
    """A line for each month, partner or person, transaction and rule, sorted so."""
    refused: Counter[Line] = Counter()
    documents: Counter[Line] = Counter()
    for record in records:
        told = record.exchange
        for rule, number, is_whole in _refusals(told):
            line = (f"{told.time:%Y-%m}", _who(told), told.transaction, rule)
            if is_whole:
                refused[line] += told.count
            documents[line] += number
    return [
        (*line, refused[line], documents[line])
        for line in sorted(refused.keys() | documents.keys())
    ]


def _refusals(told: Exchange) -> Iterator[tuple[str, int, bool]]:
    """Each rule that refused, how many documents it kept out, and whether it refused all."""
    withheld = kept_out(told.reason)
    is_whole = told.outcome == "refused"
    for number, rule in withheld:
        yield rule, number, is_whole
    if is_whole and not withheld:
        yield told.reason or "not stated", 0, True


def kept_out(reason: str | None) -> tuple[tuple[int, str], ...]:
    """How many documents each rule kept out, by a record's reason (`refusals_in_words`)."""
    return tuple((int(number), rule) for number, rule in _KEPT_OUT.findall(reason or ""))


def _who(told: Exchange) -> str:
    """The partner that is known, else the person, else what the wire shows."""
    return told.partner or told.person or told.peer or "unknown"
