"""Folders whose names survive a crash: a file's own fsync does not cover its name."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder as durable as the files' own bytes."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Makes the folder, and those above it, durable and for their owner alone."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    sync_folder(folder.parent)
