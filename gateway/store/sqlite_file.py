"""The database's file, made for us alone, and found writable before SQLite is asked."""

import os
from pathlib import Path

from gateway.store.errors import StoreUnavailable


def make_file(file: Path) -> None:
    """Makes the file if it is not there.

    Raises:
        StoreUnavailable: it may not be written, or nothing beside it; SQLite does not say which.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    # Before SQLite makes it readable by all; its -wal and -shm take the same mode.
    file.touch(mode=0o600)
    for place in (file.parent, file):
        # Not opened to find out: to close a file drops the locks that SQLite has on it here.
        if not os.access(place, os.W_OK):
            raise StoreUnavailable(f"{place} cannot be written to")
