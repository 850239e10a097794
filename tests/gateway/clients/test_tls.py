"""A listener whose trust rolls: whoever counts now is let in, whatever it began with."""

import socket
import ssl
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress

import pytest

from gateway.clients.tls import NothingToTrust, partner_listener_context, rolling
from tests.gateway.house import US, authority, certificate_of, client_context, key_files

ELSEWHERE = "Another network"


def context(*, anchors: tuple[str, ...] = (), pinned: tuple[str, ...] = ()) -> ssl.SSLContext:
    certificate, key = key_files(US)
    return partner_listener_context(
        certificate=certificate, key=key, anchors=anchors, pinned=pinned
    )


ANCHORED = {"anchors": (authority().certificate_pem,)}
"""Lets in whoever the network vouches for."""
PINNED = {"pinned": (certificate_of("Riverside", ELSEWHERE).certificate_pem,)}
"""Lets in one that no anchor here vouches for."""


class Rolling:
    """A listener's context, and what it is to be at the next handshake."""

    def __init__(self, **trust: tuple[str, ...]) -> None:
        self.now: Callable[[], ssl.SSLContext] = lambda: context(**trust)
        self.listening = rolling(lambda: self.now())

    def roll(self, **trust: tuple[str, ...]) -> None:
        self.now = lambda: context(**trust)

    def lets_in(self, by: str, issuer: str = "Test network") -> bool:
        """Whether the handshake of a client that shows that certificate succeeds, on our side."""
        ours, theirs = socket.socketpair()

        def connect() -> None:
            client = client_context(by, issuer)
            with (
                suppress(ssl.SSLError, OSError),
                theirs,
                client.wrap_socket(theirs, server_hostname="localhost") as secure,
            ):
                secure.read()

        thread = threading.Thread(target=connect)
        thread.start()
        try:
            with ours, self.listening.wrap_socket(ours, server_side=True):
                return True
        except ssl.SSLError:
            return False
        finally:
            ours.close()
            thread.join(30)


def test_a_certificate_pinned_later_is_let_in_where_there_were_anchors_alone() -> None:
    house = Rolling(**ANCHORED)
    assert house.lets_in("Northfield Health")
    assert not house.lets_in("Riverside", ELSEWHERE)
    house.roll(**ANCHORED, **PINNED)
    assert house.lets_in("Riverside", ELSEWHERE)
    house.roll(**ANCHORED)
    assert not house.lets_in("Riverside", ELSEWHERE)


def test_anchors_that_come_later_are_trusted_where_there_were_pinned_certificates_alone() -> None:
    house = Rolling(**PINNED)
    assert house.lets_in("Riverside", ELSEWHERE)
    assert not house.lets_in("Northfield Health")
    house.roll(**ANCHORED)
    assert house.lets_in("Northfield Health")
    assert not house.lets_in("Riverside", ELSEWHERE)


def test_who_is_let_in_does_not_hang_on_what_the_listener_began_with() -> None:
    # An anchor that is no root: with the flag of one beginning it would count, with the other not.
    leaf = certificate_of("Northfield Health").certificate_pem
    begun_pinned, begun_anchored = Rolling(**PINNED), Rolling(**ANCHORED)
    for house in (begun_pinned, begun_anchored):
        house.roll(anchors=(leaf,))
    assert begun_pinned.lets_in("Northfield Health") == begun_anchored.lets_in("Northfield Health")


def test_nobody_is_let_in_once_nobody_is_trusted() -> None:
    house = Rolling(**PINNED)

    def nobody() -> ssl.SSLContext:
        raise NothingToTrust("nobody")

    house.now = nobody
    with warnings.catch_warnings():
        warnings.simplefilter("error", pytest.PytestUnraisableExceptionWarning)
        assert not house.lets_in("Riverside", ELSEWHERE)
