"""The parameters of a stored query, as values (ITI TF-2: 3.18.4.1.2.3.5).

Each kind of parameter is read and written by one `Kind`; which query has which is in
`query_layout`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import InitVar, dataclass, field
from typing import Any, Final

from ihe.association import association_type
from ihe.dtm import utc_time
from ihe.ebrim import OBJECT_TYPES
from ihe.identifiers import HomeCommunityId, PatientId, UniqueId
from ihe.metadata import AssociationType, Availability, Code, ObjectType
from ihe.query_values import listed, quoted
from ihe.registry_response import ErrorCode, RegistryRefusal
from ihe.rim import STATUS, availability
from ihe.stored_query import ReturnType, TimeRange

Slots = Iterator[tuple[str, Iterable[str]]]
_LONGEST_VALUE: Final = 4096
"""Characters; a value that the schema lets through has 256."""
_MOST_OF_PATTERNS: Final = 16_384
"""Characters of all patterns together: each author of each document is compared with each."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """The slots of a query in order, their values already parsed.

    Names are compared without regard to case: partners differ in it.
    """

    slots: InitVar[Iterable[tuple[str, tuple[str, ...]]]]
    home: HomeCommunityId | None
    return_type: ReturnType
    _groups: dict[str, list[tuple[str, ...]]] = field(init=False, default_factory=dict)

    def __post_init__(self, slots: Iterable[tuple[str, tuple[str, ...]]]) -> None:
        for name, values in slots:
            if any(len(value) > _LONGEST_VALUE for value in values):
                raise RegistryRefusal(ErrorCode.REGISTRY_ERROR, "a value is too long to be one")
            if values:
                self._groups.setdefault(name.lower(), []).append(values)

    @property
    def names(self) -> Iterable[str]:
        """The slots that hold a value, in lower case."""
        return self._groups

    def groups(self, name: str) -> tuple[tuple[str, ...], ...]:
        """Each slot of that name: alternatives within one, all of them to be met."""
        return tuple(self._groups.get(name.lower(), ()))

    def alternatives(self, name: str) -> tuple[str, ...]:
        """The values of a slot that may stand there once."""
        groups = self.groups(name)
        if len(groups) > 1:
            raise RegistryRefusal(ErrorCode.STORED_QUERY_PARAMETER_NUMBER, f"{name} is repeated")
        return groups[0] if groups else ()

    def required(self, name: str) -> tuple[str, ...]:
        return self.alternatives(name) or _missing(name)

    def one(self, name: str) -> str | None:
        values = self.alternatives(name)
        if len(values) > 1:
            raise RegistryRefusal(
                ErrorCode.STORED_QUERY_PARAMETER_NUMBER, f"{name} takes one value"
            )
        return values[0] if values else None


@dataclass(frozen=True, slots=True)
class Kind:
    """How a parameter of one kind is read from its slots, and written into them.

    Most queries leave most parameters out: those are `absent`, and not read. One that is always
    read has none. Its slots' names are that of the parameter with one of the `endings`.
    """

    read: Callable[[Parameters, str], Any]
    write: Callable[[str, Any], Slots]
    absent: Any = None
    endings: tuple[str, ...] = ("",)


def _missing(name: str) -> tuple[str, ...]:
    raise RegistryRefusal(ErrorCode.STORED_QUERY_MISSING_PARAMETER, f"{name} is missing")


# ---- reading ---------------------------------------------------------------------------------


def _read_patient_id(given: Parameters, name: str) -> PatientId:
    text = given.one(name) or _missing(name)[0]
    try:
        return PatientId.parse(text)
    except ValueError:
        context = f"{name} is not of the form id^^^&oid&ISO"
        raise RegistryRefusal(ErrorCode.REGISTRY_ERROR, context) from None


def _read_statuses(given: Parameters, name: str) -> tuple[Availability, ...]:
    return tuple(known for each in given.required(name) if (known := availability(each)))


_ENTRY_TYPES: Final[dict[str, ObjectType]] = {urn: kind for kind, urn in OBJECT_TYPES.items()}


def _read_entry_types(given: Parameters, name: str) -> tuple[ObjectType, ...]:
    """The kinds asked for; only stable documents when nothing is said (3.18.4.1.2.3.6.2)."""
    values = tuple(each.lower() for each in given.alternatives(name))
    if not values:
        return ("stable",)
    return tuple(_ENTRY_TYPES[each] for each in values if each in _ENTRY_TYPES)


def _read_codes(given: Parameters, name: str) -> tuple[Code, ...]:
    return tuple(map(_read_code, given.alternatives(name)))


def _read_code_groups(given: Parameters, name: str) -> tuple[tuple[Code, ...], ...]:
    return tuple(tuple(map(_read_code, values)) for values in given.groups(name))


def _read_code(text: str) -> Code:
    value, _, scheme = (*text.split("^"), "", "")[:3]
    return Code(value, scheme or None)


def _read_times(given: Parameters, name: str) -> TimeRange:
    return TimeRange(_read_time(given, f"{name}From"), _read_time(given, f"{name}To"))


def _read_time(given: Parameters, name: str) -> str | None:
    text = given.one(name)
    time = None if text is None else utc_time(text)
    if text is not None and time is None:
        raise RegistryRefusal(ErrorCode.REGISTRY_ERROR, f"{name} is no time")
    return time


def _read_unique_ids(given: Parameters, name: str) -> tuple[UniqueId, ...]:
    return tuple(UniqueId(text) for text in given.alternatives(name) if len(text) <= 256)


def _read_patterns(given: Parameters, name: str) -> tuple[str, ...]:
    patterns = given.alternatives(name)
    if sum(map(len, patterns)) > _MOST_OF_PATTERNS:
        context = f"{name} lists more names than one query may"
        raise RegistryRefusal(ErrorCode.REGISTRY_ERROR, context)
    return patterns


def _read_one(given: Parameters, name: str) -> tuple[str, ...]:
    text = given.one(name)
    return () if text is None else (text,)


def _read_one_unique_id(given: Parameters, name: str) -> tuple[UniqueId, ...]:
    _read_one(given, name)
    return _read_unique_ids(given, name)


def _read_association_types(given: Parameters, name: str) -> tuple[AssociationType | str, ...]:
    return tuple(map(association_type, given.required(name)))


# ---- writing ---------------------------------------------------------------------------------


def _write_texts(name: str, values: Iterable[object]) -> Slots:
    yield name, listed(map(str, values))


def _write_one(name: str, values: Iterable[object]) -> Slots:
    yield name, tuple(quoted(str(value)) for value in values)


def _write_patient_id(name: str, patient: PatientId) -> Slots:
    yield from _write_one(name, (patient.cx,))


def _write_statuses(name: str, statuses: tuple[Availability, ...]) -> Slots:
    if not statuses:
        raise ValueError("a query that finds by patient names a status")
    yield from _write_texts(name, (STATUS + status for status in statuses))


def _write_entry_types(name: str, types: tuple[ObjectType, ...]) -> Slots:
    if not types:
        raise ValueError("a query for documents names an entry type")
    if types != ("stable",):
        yield from _write_texts(name, (OBJECT_TYPES[kind] for kind in types))


def _write_codes(name: str, codes: Iterable[Code]) -> Slots:
    yield from _write_texts(name, (f"{code.value}^^{code.scheme or ''}" for code in codes))


def _write_code_groups(name: str, groups: Iterable[tuple[Code, ...]]) -> Slots:
    for codes in groups:
        yield from _write_codes(name, codes)


def _write_text_groups(name: str, groups: Iterable[tuple[str, ...]]) -> Slots:
    for texts in groups:
        yield from _write_texts(name, texts)


def _write_times(name: str, times: TimeRange) -> Slots:
    yield f"{name}From", () if times.start is None else (times.start,)
    yield f"{name}To", () if times.end is None else (times.end,)


# ---- the kinds -------------------------------------------------------------------------------

PATIENT_ID: Final = Kind(_read_patient_id, _write_patient_id)
STATUSES: Final = Kind(_read_statuses, _write_statuses)
ENTRY_TYPES: Final = Kind(_read_entry_types, _write_entry_types, ("stable",))
CODES: Final = Kind(_read_codes, _write_codes, ())
CODE_GROUPS: Final = Kind(_read_code_groups, _write_code_groups, ())
TEXTS: Final = Kind(Parameters.alternatives, _write_texts, ())
PATTERNS: Final = Kind(_read_patterns, _write_texts, ())
REQUIRED_TEXTS: Final = Kind(Parameters.required, _write_texts)
TEXT_GROUPS: Final = Kind(Parameters.groups, _write_text_groups, ())
TIMES: Final = Kind(_read_times, _write_times, TimeRange(), ("From", "To"))
UNIQUE_IDS: Final = Kind(_read_unique_ids, _write_texts, ())
ONE: Final = Kind(_read_one, _write_one, ())
ONE_UNIQUE_ID: Final = Kind(_read_one_unique_id, _write_one, ())
ASSOCIATION_TYPES: Final = Kind(_read_association_types, _write_texts)
