"""Frozen values as JSON text and back, for what is kept whole and never searched.

Fields that hold their default are left out, and keys nobody knows any more are passed over: a
dataclass may gain fields with defaults without a migration.
"""

import dataclasses
import types
from collections.abc import Callable, Hashable, Mapping
from datetime import date, datetime
from functools import cache
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import orjson

T = TypeVar("T")
_Reader = Callable[[Any], Any]


def dump(value: object) -> str:
    """JSON text, the same for the same value."""
    return orjson.dumps(to_json(value), option=orjson.OPT_SORT_KEYS).decode()


def load(kind: type[T], text: str | bytes) -> T:
    """The value that `dump` wrote."""
    return cast(T, _reader(cast(Hashable, kind))(orjson.loads(text)))


def from_json(kind: type[T], data: Any) -> T:
    """The value that `to_json` wrote."""
    return cast(T, _reader(cast(Hashable, kind))(data))


def to_json(value: Any) -> Any:
    """Plain JSON values; dates and times become ISO 8601."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    data = {}
    for name, default in _fields(cast(Hashable, type(value))):
        item = getattr(value, name)
        if item != default:
            data[name] = to_json(item)
    return data


@cache
def _fields(kind: Hashable) -> tuple[tuple[str, Any], ...]:
    """Names with their defaults; a field without one has a default that equals nothing."""
    return tuple(
        (field.name, _default(field)) for field in dataclasses.fields(cast(type[Any], kind))
    )


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
        return lambda data: None if data is None else inner[0](data)
    if origin is tuple:
        item = _reader(arguments[0])
        return lambda data: tuple(item(element) for element in data)
    if kind is datetime:
        return datetime.fromisoformat
    if kind is date:
        return date.fromisoformat
    if origin is Literal or origin is not None or kind in (str, int, float, bool, Any):
        return lambda data: data
    return _new_type_reader(kind)


def _new_type_reader(kind: Any) -> _Reader:
    supertype = getattr(kind, "__supertype__", None)
    if supertype is None:
        raise TypeError(f"no codec for {kind!r}")
    return _reader(supertype)


def _dataclass_reader(kind: type[Any]) -> _Reader:
    hints = get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind)]
    readers: dict[str, _Reader] = {}

    def read(data: Mapping[str, Any]) -> Any:
        if not readers:  # not while it is made: a dataclass may hold itself
            readers.update({name: _reader(hints[name]) for name in names})
        return kind(**{key: readers[key](item) for key, item in data.items() if key in readers})

    return read
