"""The other end of `workers`: a process that runs one function at a time until its pipe closes."""

import importlib
import io
import os
import pickle
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from multiprocessing.connection import Connection
from operator import attrgetter
from typing import Any, Final, Literal

from lxml import etree

from ccda.errors import CcdaError
from direct.errors import DirectError
from ihe.errors import IheError

OWN_ERRORS: tuple[type[Exception], ...] = (CcdaError, IheError, DirectError)
"""What our libraries raise by contract: these cross the pipe as they are."""


OUT_OF_MEMORY: Final = 77
"""The exit code of a process that could not even hold its job, or say so."""


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
    reason: Literal["memory", "error"]
    detail: str | None = None


Answer = Returned | Raised | Unusable


def rebuild(raised: Raised) -> Exception:
    """The exception as it was raised, its attributes included."""
    error = raised.kind.__new__(raised.kind)
    error.args = raised.args
    error.__dict__.update(raised.state)
    return error


def serve(
    *,
    file: int,
    memory_limit_bytes: int,
    alarm_seconds: float,
    modules: Iterable[str],
) -> None:
    """Runs what comes in until the other end is gone: a job, then the seconds of the processor that
    it may have; out goes what it had of them, then its answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    # The parent's kill comes first; this one stands in when the parent is gone, and the kernel
    # keeps it even while a C function holds the interpreter.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for module in modules:
        importlib.import_module(module)
    # Private writable memory; address space would also count what is only reserved.
    resource.setrlimit(resource.RLIMIT_DATA, (memory_limit_bytes, memory_limit_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold PHI
    with Connection(file) as pipe:
        pipe.send(Ready())
        try:
            while True:
                job = pipe.recv_bytes()
                signal.setitimer(signal.ITIMER_REAL, alarm_seconds)
                signal.setitimer(signal.ITIMER_PROF, pipe.recv() or 0)
                began = time.process_time()
                answer = _answer(job)
                pipe.send(time.process_time() - began)
                pipe.send_bytes(answer)
                signal.setitimer(signal.ITIMER_PROF, 0)
                signal.setitimer(signal.ITIMER_REAL, 0)
        except EOFError:
            return
        except MemoryError:
            os._exit(OUT_OF_MEMORY)


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


def _answer(job: bytes) -> bytes:
    try:
        return _pickled(_run(job))
    except MemoryError:
        return _pickled(Unusable("memory"))
    except Exception as error:  # what cannot be pickled has no one type
        return _pickled(Unusable("error", type(error).__name__))


class _Pickler(pickle.Pickler):
    """Frozen dataclasses by their constructor: a document goes 2.5 times as fast as by default."""

    def reducer_override(self, value: Any) -> Any:
        values = _values_of(type(value))  # type: ignore[arg-type]  # classes are hashable
        return NotImplemented if values is None else (type(value), values(value))


@cache
def _values_of(kind: type[Any]) -> Callable[[object], tuple[Any, ...]] | None:
    if not is_dataclass(kind):
        return None
    given = fields(kind)
    if len(given) < 2 or not all(each.init and not each.kw_only for each in given):
        return None
    return attrgetter(*(each.name for each in given))


def _pickled(answer: Answer) -> bytes:
    buffer = io.BytesIO()
    _Pickler(buffer, pickle.HIGHEST_PROTOCOL).dump(answer)
    return buffer.getvalue()


def _run(job: bytes) -> Answer:
    try:
        function, args, kwargs = pickle.loads(job)  # noqa: S301  # from our own parent
        return Returned(function(*args, **kwargs))
    except MemoryError:
        return Unusable("memory")
    except OWN_ERRORS as error:
        if _is_want_of_memory(error):
            return Unusable("memory")
        return Raised(type(error), error.args, dict(error.__dict__))
    except Exception as error:  # the door of this process: the parent must hear of everything
        return Unusable("error", type(error).__name__)


def _is_want_of_memory(error: BaseException | None) -> bool:
    """libxml2 reports a failed allocation as if the XML were broken; the XML is not to blame."""
    while error is not None:
        if isinstance(error, etree.XMLSyntaxError) and error.code == etree.ErrorTypes.ERR_NO_MEMORY:
            return True
        error = error.__cause__ or error.__context__
    return False
