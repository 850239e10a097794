"""TLS contexts: whom we trust on a connection, and how we prove who we are.

There is no switch that turns verification off (DECISIONS 4).
"""

import ssl
from collections.abc import Callable, Sequence
from pathlib import Path


class NothingToTrust(Exception):
    """Neither an anchor nor a pinned certificate says who the other side is."""


def outgoing_context(
    *, certificate: Path, key: Path, anchors: Sequence[str], pinned: Sequence[str]
) -> ssl.SSLContext:
    """A client context that shows our certificate and trusts only what it is given (PEM texts).

    Raises:
        NothingToTrust: both `anchors` and `pinned` are empty.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _trust(context, anchors, pinned)
    context.load_cert_chain(certificate, key)
    return context


def partner_listener_context(
    *, certificate: Path, key: Path, anchors: Sequence[str], pinned: Sequence[str]
) -> ssl.SSLContext:
    """A server context that lets nobody in without a certificate from `anchors` or `pinned`.

    Raises:
        NothingToTrust: both are empty.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _trust(context, anchors, pinned)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificate, key)
    return context


def plan_listener_context(*, certificate: Path, key: Path) -> ssl.SSLContext:
    """A server context for plan staff, who prove themselves with tokens."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context


def rolling(current: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """A server context whose every handshake is done with what `current` gives at that moment.

    So a new certificate of ours, or of a partner, counts without a restart. A connection takes
    over whom to trust and what to show, but not the flags of verifying, which it was begun with:
    they are the same in every context of a listener.
    """
    context = current()

    def roll(channel: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> int | None:
        try:
            channel.context = current()
        except NothingToTrust:
            return ssl.ALERT_DESCRIPTION_ACCESS_DENIED
        return None

    context.sni_callback = roll
    return context


def _trust(context: ssl.SSLContext, anchors: Sequence[str], pinned: Sequence[str]) -> None:
    if not anchors and not pinned:
        raise NothingToTrust("no anchor and no pinned certificate")
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata="\n".join((*anchors, *pinned)))
    # A pinned leaf, and an anchor that is no root, are trusted as they stand; without this flag
    # OpenSSL wants their root as well. Also where nothing is pinned yet: see `rolling`.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
