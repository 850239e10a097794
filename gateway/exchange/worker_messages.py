"""What goes through the pipe between `workers` and a worker process."""

import os
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Self, TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Leaving(Generic[Value]):
    """What a function returns that has found content for a later run: the caller gets `value`, and
    the content `Aside`."""

    value: Value
    content: bytes


class Aside:
    """Bytes in a file that has no name and lies in memory alone, between one run and the next.

    Whoever opens it with our process' help reads it: no copy of it goes through a pipe, and none is
    held here.
    """

    def __init__(self, file: int) -> None:
        self._file = file
        self._is_open = True

    @classmethod
    def of(cls, content: bytes) -> "Aside":
        file = os.memfd_create("content")
        waiting = memoryview(content)
        while waiting:
            waiting = waiting[os.write(file, waiting) :]
        return cls(file)

    def fileno(self) -> int:
        return self._file

    def read(self) -> bytes:
        return os.pread(self._file, os.fstat(self._file).st_size, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._is_open:
            self._is_open = False
            os.close(self._file)

    def __del__(self) -> None:
        """Whoever was to have it may have been stopped meanwhile."""
        self.__exit__()


@dataclass(frozen=True, slots=True)
class Terms:
    """What a run may have, and what it is given: seconds of the processor, bytes of answers that
    the other end has to hold, and whether content comes, in pieces or as a file."""

    cpu_seconds: float | None
    answer_bytes: int | None
    content: Literal["pieces", "file"] | None


@dataclass(frozen=True, slots=True)
class Ready:
    """The process has started and set its limits."""


@dataclass(frozen=True, slots=True)
class Returned:
    value: Any


@dataclass(frozen=True, slots=True)
class Raised:
    """An exception taken apart: pickle would call its constructor with the wrong arguments."""

    kind: type[Exception]
    args: tuple[Any, ...]
    state: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unusable:
    reason: Literal["memory", "size", "error"]
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Yielded:
    """One of the things that the function gives before it returns."""

    value: Any


@dataclass(frozen=True, slots=True)
class Left:
    """`value` was returned, and the file in memory of an `Aside` follows."""

    value: Any


Answer = Returned | Left | Raised | Unusable


def rebuild(raised: Raised) -> Exception:
    """The exception as it was raised, its attributes included."""
    error = raised.kind.__new__(raised.kind)
    error.args = raised.args
    error.__dict__.update(raised.state)
    return error
