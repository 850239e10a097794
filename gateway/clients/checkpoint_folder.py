"""Checkpoints in a folder outside: an auditor's share, or a bucket that keeps what it was given."""

import os
from pathlib import Path

NAME = "checkpoint-{size:012}"


def publish(folder: Path, size: int, note: str) -> None:
    """Writes the note as a file of its own, durable on return; one that is there stays.

    Raises:
        OSError: it cannot be written, or another note of that size lies there.
    """
    path = folder / NAME.format(size=size)
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o444)
    except FileExistsError:
        there = path.read_text(encoding="utf-8")
        if there == note:
            return
        if not note.startswith(there):
            raise
        path.unlink()  # half of it, from when we were killed
        publish(folder, size, note)
        return
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink(missing_ok=True)  # half a note must not stand in the way of the whole one
        raise
