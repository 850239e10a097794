"""Which exchanges are disclosures that a member is accounted for (45 CFR 164.528). Pure.

Nothing is decided when an exchange is recorded: this is computed when somebody asks, from the
record's facts and these rules, whose version every accounting names (DECISIONS 18). What is not
plainly excluded is listed: an accounting may say too much, never too little. So a purpose that
nobody stated, and one that is only partly treatment, payment or operations, is listed.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, timedelta
from typing import Final, cast, get_args

from gateway.model.disclosure import FINDING, Exclusion, Finding, FindingKind
from gateway.model.exchange import Exchange, RecordedExchange
from gateway.model.identity import DocumentId

RULES: Final = "45 CFR 164.528, rules 3"
"""Rules 1 listed also what was never sent, and left out what was told to who asked for more. Rules
2 named what our requests fetched as if it had left, and left out lists of the summary alone."""
YEARS: Final = 6
"""45 CFR 164.528(a)(1): the six years before the day on which the accounting is asked for."""

TREATMENT: Final = Exclusion("treatment", "45 CFR 164.528(a)(1)(i)")
PAYMENT: Final = Exclusion("payment", "45 CFR 164.528(a)(1)(i)")
OPERATIONS: Final = Exclusion("health care operations", "45 CFR 164.528(a)(1)(i)")
INDIVIDUAL: Final = Exclusion("to the individual", "45 CFR 164.528(a)(1)(ii)")
AUTHORISED: Final = Exclusion("authorised by the individual", "45 CFR 164.528(a)(1)(iv)")
INVOLVED: Final = Exclusion(
    "facility directory, or persons involved in care", "45 CFR 164.528(a)(1)(v)"
)
_BY_PURPOSE: Final[Mapping[str, Exclusion]] = {
    "TREATMENT": TREATMENT,
    "EMERGENCY": TREATMENT,
    "T-TREAT": TREATMENT,
    "T-TRTMNT": TREATMENT,
    "PAYMENT": PAYMENT,
    "COVERAGE": PAYMENT,
    "T-PYMNT": PAYMENT,
    "OPERATIONS": OPERATIONS,
    "REQUEST": INDIVIDUAL,
    "T-IAS": INDIVIDUAL,
    "DIRECTORY": INVOLVED,
    "FAMILY": INVOLVED,
    "PRESENT": INVOLVED,
    "DISASTER": INVOLVED,
}
_OPERATIONS: Final = "T-HCO"
"""TEFCA's finer codes of operations all begin so."""
EXCLUSIONS: Final = (TREATMENT, PAYMENT, OPERATIONS, INDIVIDUAL, AUTHORISED, INVOLVED)

_FOUND: Final[Mapping[FindingKind, str]] = {
    "misdirected": "misdirected: it went to somebody for whom it was not meant",
    "impermissible": "impermissible: it should not have been made",
    "authorised": "authorised by the individual",
}
_ASKED: Final[Mapping[str, str]] = {
    "ITI-55": "name, birth date, gender, address, telephone numbers and the plan's member number, "
    "to ask whether the recipient knows the member",
    "ITI-56": "that the plan asks which communities know a patient whom the recipient knows",
    "ITI-38": "that the plan asks for the documents of a patient whom the recipient knows",
    "ITI-39": "that the plan asks for the documents of a patient whom the recipient knows",
}
_ANSWERED: Final = ("success", "partial")
_SENT: Final = ("DIRECT-SEND", "ITI-41", "ITI-80")
_NOTHING_FITS: Final = "no document that fits is offered to this partner"
"""The reason in the record of a list that is empty though nothing was withheld."""


class NoSuchWindow(Exception):
    """There can be no accounting of those days; the text says why."""


# ---- what left -------------------------------------------------------------------------------


def what_left(exchange: Exchange) -> str | None:
    """What of its member the exchange told somebody outside, in words; None if nothing.

    A question of ours tells who it is about whatever the answer is, once it has left. An answer of
    ours tells something only if it names documents or a member; the record of one that broke off
    follows one that is counted already (DECISIONS 16). A list may name none of our documents and
    still the member, with the summary that is made once it is retrieved (`may_list_nothing`).
    """
    if exchange.direction == "out":
        if _never_left(exchange):
            return None
        if exchange.transaction in _SENT:
            return _documents(exchange) or "a message about the member"
        return _ASKED.get(exchange.transaction)
    if exchange.outcome not in _ANSWERED:
        return None
    match exchange.transaction:
        case "ITI-55" if exchange.member is not None:
            return "name, birth date, gender, address and telephone numbers, and the member's id"
        case "ITI-56" if exchange.member is not None:
            return "which other communities know the member, and the member's ids there"
        case "ITI-38" if exchange.documents:
            return f"a list of what is known of {_documents(exchange)}"
        case "ITI-38" if exchange.member is not None and exchange.reason != _NOTHING_FITS:
            return "the member's id, and that a summary of the member can be had"
        case "ITI-39" if exchange.documents:
            return _documents(exchange)
        case _:
            return None


def may_list_nothing(exchange: Exchange) -> bool:
    """Whether its record does not say if the list of an answer was empty: it names no document,
    and that some were withheld."""
    is_list = (exchange.direction, exchange.transaction) == ("in", "ITI-38")
    return is_list and not exchange.documents and exchange.reason is not None


def documents_that_left(exchange: Exchange) -> tuple[DocumentId, ...]:
    """Those of an answer of ours, or of what we sent; what a request of ours fetched came in."""
    is_sent = exchange.direction == "in" or exchange.transaction in _SENT
    return exchange.documents if is_sent else ()


def _never_left(exchange: Exchange) -> bool:
    """Whether it ended before there was an envelope to send, which its record would name: nobody
    could be asked so, or no rule let it go."""
    return exchange.outcome in ("failed", "refused") and exchange.request_hash is None


def is_certain(exchange: Exchange, broken: Collection[object]) -> bool:
    """Whether it surely left: a question without an answer may have, or an answer that broke off,
    of which `broken` are (DECISIONS 16)."""
    return exchange.outcome in (*_ANSWERED, "refused") and _thread(exchange) not in broken


def broken_answers(exchanges: Iterable[Exchange]) -> frozenset[object]:
    """The answers of ours that a second record says did not arrive, or not whole."""
    return frozenset(
        _thread(one)
        for one in exchanges
        if one.direction == "in" and one.outcome == "failed" and one.message_id is not None
    )


def _thread(exchange: Exchange) -> object:
    return exchange.direction, exchange.transaction, exchange.partner, exchange.message_id


def _documents(exchange: Exchange) -> str | None:
    number = len(exchange.documents)
    return None if number == 0 else "1 document" if number == 1 else f"{number} documents"


# ---- what is accounted for -------------------------------------------------------------------


def exclusion(purpose: str | None, finding: Finding | None) -> Exclusion | None:
    """Why the member is not accounted for it; None if the member is.

    What was found out later goes before the purpose: a misdirected payment is no payment.
    """
    if finding is not None:
        return AUTHORISED if finding.kind == "authorised" else None
    code = (purpose or "").upper()
    if code == _OPERATIONS or code.startswith(f"{_OPERATIONS}-"):
        return OPERATIONS
    return _BY_PURPOSE.get(code)


def basis(purpose: str | None, finding: Finding | None) -> str:
    """Why it was disclosed (45 CFR 164.528(b)(2)(iv)), and what was found out about it."""
    stated = "no purpose was stated" if purpose is None else f"purpose of use {purpose}"
    return stated if finding is None else f"{stated}; {_FOUND[finding.kind]}"


def window(asked: date, since: date | None, until: date | None) -> tuple[date, date]:
    """First and last day of the accounting: never more than six years back, never the future.

    Raises:
        NoSuchWindow: no day is within; an accounting of none would say that nothing was disclosed.
    """
    try:
        earliest = asked.replace(year=asked.year - YEARS)
    except ValueError:  # 29 February
        earliest = asked.replace(year=asked.year - YEARS, day=28)
    first, last = max(since or earliest, earliest), min(until or asked, asked)
    if since is not None and until is not None and since > until:
        raise NoSuchWindow("the first day is after the last")
    if first > asked:
        raise NoSuchWindow("the first day has not come yet")
    if last < earliest:
        raise NoSuchWindow(f"an accounting reaches back {YEARS} years, to {earliest}")
    return first, last


def after(day: date) -> date:
    """The day on which a window that ends with `day` is over."""
    return day + timedelta(days=1)


# ---- what was found out later ----------------------------------------------------------------

KINDS: Final[tuple[FindingKind, ...]] = get_args(FindingKind)


def link_to(sequence: int) -> str:
    """How a finding names the record that it is about, as its message id."""
    return f"record {sequence}"


def read_findings(records: Iterable[RecordedExchange]) -> dict[int, Finding]:
    """The last finding about each record, by that record's sequence."""
    found: dict[int, Finding] = {}
    for record in sorted(records, key=lambda one: one.sequence):
        told = record.exchange
        name, _, number = (told.message_id or "").partition(" ")
        if told.transaction == FINDING and name == "record" and number.isdecimal():
            about = int(number)
            kind = cast(FindingKind, told.reason)
            found[about] = Finding(kind, about, record.sequence, told.time)
    return found
