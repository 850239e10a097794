"""Our own key pairs for TLS and signing: that of the settings, and those that follow it.

A pair is imported first, so that partners can be given its certificate, and used from a date on.
All of them live at once: until then the old one is used, and partners that pinned either believe
what they see. A running gateway notices both without a restart.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Final, Literal

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from sqlalchemy import insert, select, update

from gateway.model.trust import certificate
from gateway.settings import InvalidSettings, KeyPair
from gateway.store import tables
from gateway.store.database import Database
from gateway.store.errors import StoreError
from gateway.store.partners import fingerprint
from gateway.store.transaction import Transaction
from ihe.errors import SecurityRefused
from ihe.trust import SigningKey

log = logging.getLogger(__name__)
KeyUsage = Literal["tls", "signing"]
USAGES: Final[tuple[KeyUsage, ...]] = ("tls", "signing")


@dataclass(frozen=True, slots=True)
class OwnKey:
    """A pair that follows the one of the settings; `since` is None while it only waits."""

    usage: KeyUsage
    fingerprint: str
    files: KeyPair
    imported: datetime
    since: datetime | None


def put(
    transaction: Transaction, usage: KeyUsage, files: KeyPair, *, now: datetime
) -> OwnKey | None:
    """Takes the pair up, not yet used; None if its certificate is there already.

    Raises:
        InvalidSettings: the files are missing, or not a matching pair.
    """
    load_key_pair(files, usage)
    made = OwnKey(usage, fingerprint(certificate_text(files, usage)), files, now, None)
    if made.fingerprint in {one.fingerprint for one in list_all(transaction, usage)}:
        return None
    transaction.connection.execute(
        insert(tables.own_key).values(
            usage=usage,
            fingerprint=made.fingerprint,
            plan=None,
            certificate_file=str(files.certificate),
            key_file=str(files.key),
            imported=now,
            since=None,
        )
    )
    return made


def use_from(
    transaction: Transaction, usage: KeyUsage, *, fingerprint: str, since: datetime
) -> bool:
    """Uses the pair from `since` on; whether there is such a pair."""
    table = tables.own_key
    result = transaction.connection.execute(
        update(table)
        .where(table.c.usage == usage, table.c.fingerprint == fingerprint)
        .values(since=since)
    )
    return result.rowcount > 0


def list_all(transaction: Transaction, usage: KeyUsage) -> tuple[OwnKey, ...]:
    """The pairs that were imported, in that order."""
    table = tables.own_key
    rows = transaction.connection.execute(
        select(table).where(table.c.usage == usage).order_by(table.c.imported)
    )
    return tuple(
        OwnKey(
            usage,
            row.fingerprint,
            KeyPair(certificate=Path(row.certificate_file), key=Path(row.key_file)),
            row.imported,
            row.since,
        )
        for row in rows
    )


@dataclass(slots=True)
class OwnKeys:
    """Which pair is used now; one for each use, a process. Cheap to ask at every message."""

    noticed_seconds: ClassVar[float] = 30.0
    """So soon every process of the house knows of a new pair."""
    usage: KeyUsage
    first: KeyPair
    """The pair of the settings."""
    database: Database
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    _known: tuple[OwnKey, ...] = ()
    _read_at: float | None = None
    _loaded: dict[KeyPair, SigningKey] = field(default_factory=dict)
    _unusable: set[KeyPair] = field(default_factory=set)

    def current(self) -> KeyPair:
        """The files of the pair that is used now: the last usable one to have come into use.

        Raises:
            InvalidSettings: the pair of the settings is all there is, and not usable.
        """
        self._notice()
        if not self._known:
            return self._of_the_settings()
        now = self.clock()
        used = [one for one in self._known if one.since is not None and one.since <= now]
        for one in sorted(used, key=lambda each: each.since or now, reverse=True):
            if self._is_usable(one.files):
                return one.files
        return self._of_the_settings()

    def _of_the_settings(self) -> KeyPair:
        """Read before it is shown to anybody: OpenSSL does not say which file ails it, or how."""
        self._load(self.first)
        return self.first

    def signing_key(self) -> SigningKey:
        """The pair that is used now.

        Raises:
            InvalidSettings: as `current`.
        """
        return self._load(self.current())

    def _load(self, files: KeyPair) -> SigningKey:
        if files not in self._loaded:
            self._loaded[files] = load_key_pair(files, self.usage)
        return self._loaded[files]

    def _is_usable(self, files: KeyPair) -> bool:
        """It was when it was imported; should its files be gone, the one before goes on."""
        if files in self._unusable:
            return False
        try:
            self._load(files)
        except InvalidSettings as error:
            log.error("our next key is not used: %s", error)
            self._unusable.add(files)
            return False
        return True

    def _notice(self) -> None:
        started = time.monotonic()
        if self._read_at is None or started - self._read_at >= self.noticed_seconds:
            self._read_at = started
            self._unusable.clear()
            with suppress(StoreError):  # what was known before still holds
                self._known = self.database.read(lambda tx: list_all(tx, self.usage))


def load_key_pair(pair: KeyPair, usage: str) -> SigningKey:
    """The key of a pair and its certificate; `usage` names the pair in what is said of it.

    Raises:
        InvalidSettings: the files are missing, or not a matching pair of RSA or EC.
    """
    try:
        key = load_pem_private_key(pair.key.read_bytes(), password=None)
        if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
            raise InvalidSettings(f"[{usage}] key must be an RSA or EC key")
        return SigningKey(key, certificate(certificate_text(pair, usage)))
    except OSError as error:
        raise InvalidSettings(f"[{usage}] {error.filename}: {error.strerror}") from None
    except (ValueError, TypeError, SecurityRefused) as error:
        raise InvalidSettings(f"[{usage}] the key pair is not usable: {error}") from None


def certificate_text(pair: KeyPair, usage: str) -> str:
    """The PEM text of a pair's certificate.

    Raises:
        InvalidSettings: the file is missing, or no text.
    """
    try:
        return pair.certificate.read_text(encoding="ascii")
    except OSError as error:
        raise InvalidSettings(f"[{usage}] {pair.certificate}: {error.strerror}") from None
