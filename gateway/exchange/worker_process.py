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
from collections.abc import Callable, Generator, Iterable
from dataclasses import fields, is_dataclass
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle, send_handle
from operator import attrgetter
from typing import Any, Final

from lxml import etree

from ccda.errors import CcdaError
from direct.errors import DirectError
from gateway.exchange.worker_messages import (
    Answer,
    Aside,
    Leaving,
    Left,
    Raised,
    Ready,
    Returned,
    Terms,
    Unusable,
    Yielded,
)
from ihe.errors import IheError

OWN_ERRORS: tuple[type[Exception], ...] = (CcdaError, IheError, DirectError)
"""What our libraries raise by contract: these cross the pipe as they are."""


OUT_OF_MEMORY: Final = 77
"""The exit code of a process that could not even hold its job, or say so."""


def serve(
    *,
    file: int,
    memory_limit_bytes: int,
    alarm_seconds: float,
    modules: Iterable[str],
) -> None:
    """Runs what comes in until the other end is gone: a job, its `Terms`, and its content if it has
    one. Out goes, as often as it yields and once more, what it had of the processor, and then what
    it says."""
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
                terms = pipe.recv()
                signal.setitimer(signal.ITIMER_REAL, alarm_seconds)
                signal.setitimer(signal.ITIMER_PROF, terms.cpu_seconds or 0)
                _Run(pipe, terms).answer(job)
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


class _Run:
    """One job, from its terms to its answer."""

    def __init__(self, pipe: Connection, terms: Terms) -> None:
        self._pipe = pipe
        self._began = time.process_time()
        self._content = _CONTENT[terms.content](pipe)
        self._left_bytes = sys.maxsize if terms.answer_bytes is None else terms.answer_bytes

    def answer(self, job: bytes) -> None:
        try:
            said = self._run(job)
            if isinstance(said, Returned) and isinstance(said.value, Leaving):
                self._leave(said.value)
            else:
                self._say(said)
        except MemoryError:
            self._say(Unusable("memory"))
        except _TooMuchSaid:
            self._say(Unusable("size"))
        except Exception as error:  # what cannot be pickled has no one type
            self._say(Unusable("error", type(error).__name__))

    def _run(self, job: bytes) -> Answer:
        try:
            function, args, kwargs = pickle.loads(job)  # noqa: S301  # from our own parent
            result = function(*self._content, *args, **kwargs)
            if not isinstance(result, Generator):
                return Returned(result)
            for value in result:
                self._say(Yielded(value), is_held=not isinstance(value, bytes))
            return Returned(None)
        except (MemoryError, _TooMuchSaid):
            raise
        except OWN_ERRORS as error:
            if _is_want_of_memory(error):
                return Unusable("memory")
            return Raised(type(error), error.args, dict(error.__dict__))
        except Exception as error:  # the door of this process: the parent must hear of everything
            return Unusable("error", type(error).__name__)

    def _leave(self, leaving: Leaving[Any]) -> None:
        with Aside.of(leaving.content) as aside:
            self._say(Left(leaving.value))
            send_handle(self._pipe, aside.fileno(), None)

    def _say(self, said: Answer | Yielded, *, is_held: bool = True) -> None:
        """Bytes that are yielded are passed on by the other end, and not held there."""
        pickled = _pickled(said)
        if is_held and isinstance(said, Returned | Left | Yielded):
            self._left_bytes -= len(pickled)
            if self._left_bytes < 0:
                raise _TooMuchSaid
        self._pipe.send(time.process_time() - self._began)
        self._pipe.send_bytes(pickled)


class _TooMuchSaid(Exception):
    """The other end has no room for it."""


def _in_pieces(pipe: Connection) -> tuple[bytes]:
    """What comes until an empty piece."""
    whole = io.BytesIO()  # its value is its buffer, and no second copy
    while piece := pipe.recv_bytes():
        whole.write(piece)
    return (whole.getvalue(),)


def _from_file(pipe: Connection) -> tuple[bytes]:
    with Aside(recv_handle(pipe)) as aside:
        return (aside.read(),)


_CONTENT: Final[dict[str | None, Callable[[Connection], tuple[bytes, ...]]]] = {
    "pieces": _in_pieces,
    "file": _from_file,
    None: lambda _pipe: (),
}


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


def _pickled(answer: Answer | Yielded) -> bytes:
    buffer = io.BytesIO()
    _Pickler(buffer, pickle.HIGHEST_PROTOCOL).dump(answer)
    return buffer.getvalue()


def _is_want_of_memory(error: BaseException | None) -> bool:
    """libxml2 reports a failed allocation as if the XML were broken; the XML is not to blame."""
    while error is not None:
        if isinstance(error, etree.XMLSyntaxError) and error.code == etree.ErrorTypes.ERR_NO_MEMORY:
            return True
        error = error.__cause__ or error.__context__
    return False
