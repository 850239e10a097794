"""Frozen values as JSON text and back, for what is kept whole and never searched.

Fields that hold their default are left out, and keys nobody knows any more are passed over: a
dataclass may gain fields with defaults without a migration.
"""

import dataclasses
import types
from collections.abc import Callable, Hashable, Mapping
from datetime import date, datetime
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, Final, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import orjson

T = TypeVar("T")
_Reader = Callable[[Any], Any]
_AS_GIVEN: Final = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS


def dump(value: object) -> str:
    """JSON text, the same for the same value."""
    return orjson.dumps(value, default=_opened, option=_AS_GIVEN).decode()


def load(kind: type[T], text: str | bytes) -> T:
    """The value that `dump` wrote."""
    return cast(T, _reader(cast(Hashable, kind))(orjson.loads(text)))


@lru_cache(maxsize=4096)
def load_known(kind: type[T], text: str) -> T:
    """As `load`, for the little that every exchange reads: the rules, never a person.

    The text is the key, so a changed row is read anew, whichever process has changed it. The value
    is handed out again and must not hold anything that can be changed.
    """
    return load(kind, text)


def from_json(kind: type[T], data: Any) -> T:
    """The value that `dump` wrote, its text already parsed."""
    return cast(T, _reader(cast(Hashable, kind))(data))


def _opened(value: Any) -> dict[str, Any]:
    """What is no JSON value, one level deep: a dataclass' fields that do not hold their default."""
    kind = type(value)
    fields = _FIELDS.get(kind)
    if fields is None:
        if isinstance(value, Mapping):
            return dict(value)
        fields = _FIELDS[kind] = _fields(kind)
    names, defaults, items = fields
    return {
        name: item
        for name, default, item in zip(names, defaults, items(value), strict=True)
        if item is not default and item != default
    }


_Fields = tuple[tuple[str, ...], tuple[Any, ...], Callable[[Any], tuple[Any, ...]]]
"""Names, defaults, and what gives all values at once."""
_FIELDS: Final[dict[type, _Fields]] = {}


def _fields(kind: type) -> _Fields:
    """A field without a default has one that equals nothing."""
    fields = dataclasses.fields(kind)
    names = tuple(field.name for field in fields)
    # Of a single name the getter gives the value itself.
    items = attrgetter(*names) if len(names) > 1 else lambda value: (getattr(value, names[0]),)
    return names, tuple(map(_default, fields)), items


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return object()


@cache
def _reader(kind: Hashable) -> _Reader:
    """How a value of that type is read; made once a type."""
    if dataclasses.is_dataclass(kind):
        return _dataclass_reader(cast(type[Any], kind))
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        inner = [_reader(argument) for argument in arguments if argument is not type(None)]
        if len(inner) != 1:
            raise TypeError("a union of several kinds needs a codec of its own")
        (only,) = inner
        return only if only is _as_it_is else lambda data: None if data is None else only(data)
    if origin is tuple:
        item = _reader(arguments[0])
        return lambda data: tuple(map(item, data))
    if kind is datetime:
        return datetime.fromisoformat
    if kind is date:
        return date.fromisoformat
    if origin is Literal or origin is not None or kind in (str, int, float, bool, Any):
        return _as_it_is
    return _new_type_reader(kind)


def _as_it_is(data: Any) -> Any:
    return data


def _new_type_reader(kind: Any) -> _Reader:
    supertype = getattr(kind, "__supertype__", None)
    if supertype is None:
        raise TypeError(f"no codec for {kind!r}")
    return _reader(supertype)


def _dataclass_reader(kind: type[Any]) -> _Reader:
    hints = get_type_hints(kind)
    names = frozenset(field.name for field in dataclasses.fields(kind))
    readers: dict[str, _Reader] | None = None

    def read(data: Mapping[str, Any]) -> Any:
        nonlocal readers
        if readers is None:  # not while it is made: a dataclass may hold itself
            found = {name: _reader(hints[name]) for name in names}
            readers = {name: reader for name, reader in found.items() if reader is not _as_it_is}
        known = data if data.keys() <= names else {k: data[k] for k in data.keys() & names}
        if not readers:
            return kind(**known)
        return kind(
            **{key: readers[key](item) if key in readers else item for key, item in known.items()}
        )

    return read
