"""Which records an AuditEvent search asks for (IHE ITI-81 Retrieve ATNA Audit Event). Pure.

Values come as FHIR R4 3.1.1 writes them: dates with a prefix and any precision, tokens as `code` or
`system|code`, several with a comma between where any will do. A parameter given twice must hold
twice. Parameters that are not known are refused, never passed over: whoever searches an audit log
must not take more for what he asked for.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Final, get_args

from gateway.exchange.atna_acts import ACTS, DIRECT
from gateway.exchange.fhir_audit import (
    IHE_EVENTS,
    OUTCOMES,
    Json,
    Observer,
    event_type,
    kind_of,
    subtypes,
)
from gateway.model.exchange import Among, Direction, Exchange, Outcome
from gateway.model.identity import PartnerId

_MOST: Final = 1000
_USUAL: Final = 100
_MOST_ASKED: Final = 50
"""Parameters, and values of one: each is compared with every kind of event there is."""
_DATE: Final = re.compile(
    r"(eq|ge|gt|le|lt|sa|eb)?(\d{4})(?:-(\d\d)(?:-(\d\d)"
    r"(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6})\d*)?)?(Z|[+-]\d\d:\d\d)?)?)?)?"
)
_TRANSACTIONS: Final = (*sorted({name for _, name in IHE_EVENTS}), *sorted({*ACTS, *DIRECT}))
_JSON: Final = ("json", "application/json", "application/fhir+json")


class BadSearch(Exception):
    """The search cannot be understood; `code` is of FHIR's issue types, `parameter` the culprit.

    The value itself stays out: it may name a person.
    """

    def __init__(self, parameter: str, why: str, code: str = "value") -> None:
        super().__init__(why)
        self.parameter = parameter
        self.why = why
        self.code = code


@dataclass(frozen=True, slots=True)
class Token:
    """`code` with any system, or of that one; an empty system is none at all."""

    code: str
    system: str | None = None

    def fits(self, code: str, system: str) -> bool:
        return self.code == code and self.system in (None, system)


AnyOf = frozenset[Token]


@dataclass(frozen=True, slots=True)
class AuditSearch:
    """What is asked for. Of each name there may be several, all of which must hold.

    A `count` of 0 asks how many there are (FHIR R4 3.1.1.5.4).
    """

    since: datetime | None
    until: datetime | None
    among: tuple[Among, ...] | None
    outcomes: tuple[Outcome, ...] | None
    patients: tuple[AnyOf, ...]
    entities: tuple[AnyOf, ...]
    agents: tuple[AnyOf, ...]
    sources: tuple[AnyOf, ...]
    count: int
    order: str


def read_search(criteria: Iterable[tuple[str, str]], observer: Observer) -> AuditSearch:
    """What these parameters ask for.

    Raises:
        BadSearch: one is not known, not understood, or there is no date.
    """
    given: dict[str, list[str]] = {name: [] for name in PARAMETERS}
    for number, (name, value) in enumerate(criteria):
        if number == _MOST_ASKED:
            why = f"A search may have up to {_MOST_ASKED} parameters."
            raise BadSearch("", why, "too-costly")
        if name not in given:
            raise BadSearch("", "A search parameter is not known here.", "not-supported")
        given[name].append(value)
    for value in given["_format"]:
        if value not in _JSON:
            raise BadSearch("_format", "Only JSON is written here.", "not-supported")
    since, until = _span(given["date"])
    return AuditSearch(
        since=since,
        until=until,
        among=_among(given, observer),
        outcomes=_outcomes(given["outcome"]),
        patients=_tokens("patient.identifier", given),
        entities=_tokens("entity.identifier", given),
        agents=(*_tokens("agent.identifier", given), *_tokens("agent", given)),
        sources=(*_tokens("source.identifier", given), *_tokens("source", given)),
        count=_count(given["_count"]),
        order=_order(given["_sort"]),
    )


PARAMETERS: Final = {
    "date": "When it was recorded: ge and le, or any other prefix. At least one is required.",
    "patient.identifier": "The member, as `system|value`: by our own id or the plan's number.",
    "entity.identifier": "A document, a message, or as `system|value` a member.",
    "agent.identifier": "Who took part: a partner, a person, or an address.",
    "agent": "The same, by its identifier.",
    "source.identifier": "Who recorded it: this gateway.",
    "source": "The same, by its identifier.",
    "type": "The type of event, as 110112 or rest.",
    "subtype": "Its subtype, as ITI-38 or read.",
    "action": "C, R, U, D or E.",
    "outcome": "0, 4, 8 or 12.",
    "_count": "How many a page, 1000 at most; 0 for how many there are in all.",
    "_sort": "date or -date; else as they were recorded, the newest first.",
    "_format": "json.",
}
"""What may be asked by, and what it means."""
OF_PATIENTS: Final = frozenset({"patient.identifier", "entity.identifier"})
"""Those whose value may be a member's number."""


# ---- dates -----------------------------------------------------------------------------------


def _span(values: Sequence[str]) -> tuple[datetime | None, datetime | None]:
    if not values:
        raise BadSearch("date", "A date is required, as date=ge2026-01-01.", "required")
    since: datetime | None = None
    until: datetime | None = None
    for value in values:
        prefix, first, after = _date(value)
        if prefix in ("ge", "eq"):
            since = max(since or first, first)
        if prefix in ("gt", "sa"):
            since = max(since or after, after)
        if prefix in ("le", "eq"):
            until = min(until or after, after)
        if prefix in ("lt", "eb"):
            until = min(until or first, first)
    return since, until


def _date(value: str) -> tuple[str, datetime, datetime]:
    """Its prefix, its first moment, and the first one after it (FHIR R4 3.1.1.4.6)."""
    found = _DATE.fullmatch(value)
    if found is None:
        raise BadSearch("date", "A date is written as ge2026-01-31 or ge2026-01-31T12:00:00Z.")
    prefix, year, month, day, hour, minute, second, part, zone = found.groups()
    try:
        first = datetime.fromisoformat(
            f"{year}-{month or '01'}-{day or '01'}T{hour or '00'}:{minute or '00'}"
            f":{second or '00'}.{(part or '').ljust(6, '0')}{(zone or 'Z').replace('Z', '+00:00')}"
        ).astimezone(UTC)
        return prefix or "eq", first, _after(first, month, day, hour, second, part)
    except (ValueError, OverflowError):
        raise BadSearch("date", "There is no such date.") from None


def _after(
    first: datetime,
    month: str | None,
    day: str | None,
    hour: str | None,
    second: str | None,
    part: str | None,
) -> datetime:
    if month is None:
        return first.replace(year=first.year + 1)
    if day is None:
        return (first + timedelta(days=31)).replace(day=1)
    if hour is None:
        return first + timedelta(days=1)
    if second is None:
        return first + timedelta(minutes=1)
    if part is None:
        return first + timedelta(seconds=1)
    return first + timedelta(microseconds=10 ** (6 - len(part)))


# ---- tokens ----------------------------------------------------------------------------------


def _tokens(name: str, given: dict[str, list[str]]) -> tuple[AnyOf, ...]:
    return tuple(frozenset(_values(name, value)) for value in given[name])


def _values(name: str, text: str) -> Iterator[Token]:
    if text.count(",") >= _MOST_ASKED:
        why = f"A parameter may have up to {_MOST_ASKED} values."
        raise BadSearch(name, why, "too-costly")
    return (_token(name, one) for one in text.split(","))


def _token(name: str, text: str) -> Token:
    system, bar, code = text.rpartition("|")
    if not code or not code.isprintable() or len(text) > 500:
        raise BadSearch(name, "It is written as value or system|value.")
    return Token(code, system if bar else None)


def _outcomes(values: Sequence[str]) -> tuple[Outcome, ...] | None:
    if not values:
        return None
    wanted = set(OUTCOMES)
    for value in values:
        codes = {token.code for token in _values("outcome", value)}
        if not codes <= {"0", "4", "8", "12"}:
            raise BadSearch("outcome", "An outcome is 0, 4, 8 or 12.")
        wanted &= {outcome for outcome, code in OUTCOMES.items() if code in codes}
    return tuple(sorted(wanted))


def _count(values: Sequence[str]) -> int:
    if not values:
        return _USUAL
    if len(values) > 1 or not re.fullmatch(r"[0-9]{1,9}", values[0]):
        raise BadSearch("_count", "It is one number.")
    return min(int(values[0]), _MOST)


def _order(values: Sequence[str]) -> str:
    if len(values) > 1 or not set(values) <= {"", "date", "-date"}:
        raise BadSearch("_sort", "It is date or -date.", "not-supported")
    return values[0] if values else ""


# ---- kinds of event --------------------------------------------------------------------------


def _among(given: dict[str, list[str]], observer: Observer) -> tuple[Among, ...] | None:
    """Which records have an event of that type, subtype and action: found by writing them."""
    types, kinds = _tokens("type", given), _tokens("subtype", given)
    actions = _tokens("action", given)
    if not (types or kinds or actions):
        return None
    if any(token.code == "disclose" for one in kinds for token in one):
        raise BadSearch("subtype", "Disclosures are not searched for by this.", "not-supported")
    if any(token.code not in tuple("CRUDE") for one in actions for token in one):
        raise BadSearch("action", "An action is C, R, U, D or E.")
    found = []
    for direction, is_refused, is_stranger in product(
        get_args(Direction), (False, True), (False, True)
    ):
        if is_stranger and (direction == "out" or not is_refused):
            continue
        names = tuple(
            name
            for name in _TRANSACTIONS
            if _fits(
                _example(direction, name, is_refused, is_stranger), types, kinds, actions, observer
            )
        )
        if names:
            found.append(Among(direction, is_refused, is_stranger, names))
    return tuple(found)


def _example(direction: Direction, name: str, is_refused: bool, is_stranger: bool) -> Exchange:
    outcome: Outcome = "refused" if is_refused else "success"
    partner = None if is_stranger else PartnerId("somebody")
    return Exchange(datetime.min, direction, name, outcome, partner=partner)


def _fits(
    told: Exchange,
    types: tuple[AnyOf, ...],
    kinds: tuple[AnyOf, ...],
    actions: tuple[AnyOf, ...],
    observer: Observer,
) -> bool:
    kind = kind_of(told)
    action = [{"code": kind.action, "system": "http://hl7.org/fhir/audit-event-action"}]
    return (
        _each(types, [event_type(kind, observer)])
        and _each(kinds, list(subtypes(told, kind, observer)))
        and _each(actions, action)
    )


def _each(wanted: tuple[AnyOf, ...], codings: list[Json]) -> bool:
    fitting = {Token(one["code"], system) for one in codings for system in (None, one["system"])}
    return all(not tokens.isdisjoint(fitting) for tokens in wanted)
