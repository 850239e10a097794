"""The TLS of each handshake with partners: our key, and whom we let in, as they are at that moment.

TLS lets in whoever an anchor vouches for or a partner has pinned; whose certificate it is, and
whether it still counts, is for `gateway.api.peer` to say.
"""

import logging
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from gateway.clients.tls import partner_listener_context
from gateway.settings import InvalidSettings, KeyPair
from gateway.store import partners
from gateway.store.database import Database
from gateway.store.errors import StoreError
from gateway.store.own_keys import OwnKeys

log = logging.getLogger(__name__)
_Basis = tuple[KeyPair, tuple[str, ...]]


@dataclass(slots=True)
class PartnerContexts:
    """`always` are the certificates of our proxies, which no partner list names (PEM texts)."""

    noticed_seconds: ClassVar[float] = 30.0
    """So soon a partner that is added while we listen is let in."""
    keys: OwnKeys
    database: Database
    anchors: tuple[str, ...]
    always: tuple[str, ...] = ()
    _pinned: tuple[str, ...] = ()
    _read_at: float | None = None
    _basis: _Basis | None = None
    _context: ssl.SSLContext | None = None

    def current(self) -> ssl.SSLContext:
        """The same object as long as nothing has changed.

        Raises:
            InvalidSettings: our key is not usable, or nobody could connect as we begin.
            NothingToTrust: nobody can any more.
        """
        self._notice()
        basis = (self.keys.current(), self._pinned)
        if self._context is None or basis != self._basis:
            self._context = self._made(*basis)
            self._basis = basis
        return self._context

    def _made(self, files: KeyPair, pinned: tuple[str, ...]) -> ssl.SSLContext:
        try:
            return partner_listener_context(
                certificate=files.certificate,
                key=files.key,
                anchors=self.anchors,
                pinned=(*pinned, *self.always),
            )
        except ssl.SSLError as error:
            if self._context is None:
                raise
            log.error("what has changed of our TLS cannot be used: %s", error.reason)
            return self._context

    def _notice(self) -> None:
        started = time.monotonic()
        if self._read_at is None:
            self._pinned = self.database.read(partners.pinned)
            if not (self.anchors or self._pinned or self.always):
                raise InvalidSettings("no network anchor and no partner: nobody could connect")
        elif started - self._read_at >= self.noticed_seconds:
            with suppress(StoreError):  # whoever was let in before still is
                self._pinned = self.database.read(partners.pinned)
        self._read_at = started
