"""The key that signs the log's checkpoints: a file outside the data folder and the database."""

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from gateway.store.durable import make_folder, sync_folder
from gateway.store.errors import KeyFileUnusable


def log_key(path: Path) -> Ed25519PrivateKey:
    """The key of that file, made if there is none.

    Raises:
        KeyFileUnusable: the file cannot be read, or is no Ed25519 key.
    """
    try:
        if not path.exists():
            _create(path)
        found = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError):
        raise KeyFileUnusable("the key of the log's checkpoints cannot be read") from None
    if not isinstance(found, Ed25519PrivateKey):
        raise KeyFileUnusable("the key of the log's checkpoints is not one of Ed25519")
    return found


def _create(path: Path) -> None:
    make_folder(path.parent)
    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)
