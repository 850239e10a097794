"""A process that may compute and nothing else: what is read touches no file and no network.

Two seals, since neither sees all: Python's audit hook hears what Python code does (PEP 578), and
the kernel's filter hears what libxml2 does in C (seccomp(2), Linux). Neither can be taken off
again, so the hook is told when to listen, and the filter is for a process of its own.
"""

import codecs
import ctypes
import importlib
import platform
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

OUTSIDE: Final = (
    "open", "os.", "socket.", "subprocess.", "shutil.", "tempfile.", "urllib.", "http.", "ftplib.",
    "smtplib.", "ssl.", "sqlite3.", "ctypes.", "mmap.", "signal.", "import", "exec", "compile",
)  # fmt: skip
ENCODINGS: Final = (
    "utf-8 utf-8-sig utf-16 utf-16-le utf-16-be utf-32 utf-32-le utf-32-be latin-1 cp1252 utf-7 "
    "cp037"
).split()
"""Python reads an encoding's code from disk when it is first used: before a seal, not behind it."""

_listening = threading.local()


class TouchedTheOutside(BaseException):
    """Not an Exception: no door between entries may swallow it."""


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if getattr(_listening, "now", False) and event.startswith(OUTSIDE):
        _listening.now = False
        raise TouchedTheOutside(event)


sys.addaudithook(_hear)


@contextmanager
def nothing_outside() -> Iterator[None]:
    """Any file, connection, process or import attempted in here by Python code is an error."""
    _load_what_is_read_late()
    _listening.now = True
    try:
        yield
    finally:
        _listening.now = False


def _load_what_is_read_late() -> None:
    """What Python reads from disk at the first use only."""
    for name in ENCODINGS:
        codecs.lookup(name)
    importlib.import_module("_strptime")


# ---- the kernel's filter ---------------------------------------------------------------------

# linux/filter.h, linux/seccomp.h, linux/audit.h; the numbers of system calls by machine.
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_LOAD, _JUMP_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _KILL_PROCESS = 0x7FFF0000, 0x80000000
_MACHINES: Final = {
    # open creat openat openat2 socket connect execve execveat fork vfork unlink unlinkat rename
    "x86_64": (0xC000003E, (2, 85, 257, 437, 41, 42, 59, 322, 57, 58, 87, 263, 82)),
    "aarch64": (0xC00000B7, (56, 437, 198, 203, 221, 281, 35, 38)),
}


def seal_process() -> None:
    """From here on the kernel ends this process (SIGSYS) when it opens, connects or starts."""
    _load_what_is_read_late()
    machine, forbidden = _MACHINES[platform.machine()]
    steps = [(_LOAD, 0, 0, 4), (_JUMP_EQUAL, 1, 0, machine), (_RETURN, 0, 0, _KILL_PROCESS)]
    steps.append((_LOAD, 0, 0, 0))
    for number in forbidden:
        steps += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, _KILL_PROCESS)]
    steps.append((_RETURN, 0, 0, _ALLOW))
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    header = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(program))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (_PR_SET_SECCOMP, _MODE_FILTER, header)):
        if libc.prctl(*arguments) != 0:
            raise OSError(ctypes.get_errno(), "the process could not be sealed")
