"""What tests of bad input share: spoiling a message, and seeing that nothing came of it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lxml import etree
from lxml.etree import _Element as Element

from gateway.app.house import House
from gateway.model.exchange import Exchange
from ihe.namespaces import name
from ihe.soap import ITI_55_REQUEST
from ihe.wire import SealedRequest
from tests.gateway.asking import ask, discovery
from tests.gateway.house import (
    Door,
    Reply,
    a_rule,
    contents,
    open_house,
    records,
    refusals,
    serving,
)

NOT_VERIFIED = "The security of the message could not be verified."
NORTHFIELD = "CN=Northfield Health,O=Gateway demo at 127.0.0.1"
LOG = {"exchange", "exchange_head", "refusal", "wire_message", "log_month"}
SECRETS = (
    b"Rosalind", b"Sampleton", b"Traceback", b"gateway/", b"site-packages", b"sqlite", b"SELECT",
    b"Nora", b"-----BEGIN", b"LS-0093345",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """A house with its door, and what was there before."""

    house: House
    door: Door

    def settled(self, reason: str) -> None:
        """Returns once that refusal is counted: nobody hears an answer to what he broke off."""
        deadline = time.monotonic() + 10
        while not any(key[2] == reason for key in refusals(self.house)):
            assert time.monotonic() < deadline, "never counted"
            time.sleep(0.02)

    def settled_record(self, reason: str) -> None:
        """Returns once a record of that reason is there, of somebody whom we know."""
        deadline = time.monotonic() + 10
        while not any(one.reason == reason for one in of_partners(self)):
            assert time.monotonic() < deadline, "never recorded"
            time.sleep(0.02)


@contextmanager
def a_place(folder: Path) -> Iterator[Place]:
    with open_house(folder, rules=[a_rule()]) as house, serving(house) as door:
        yield Place(house, door)


@contextmanager
def nothing_but_a_count(place: Place, reason: str, *, peer: str = NORTHFIELD) -> Iterator[None]:
    """One refusal more of that peer for that reason; no record, and no row anywhere else."""
    counted, known, rows = refusals(place.house), of_partners(place), elsewhere(place)
    yield
    more = refusals(place.house) - counted
    assert more == {("ITI-55/ITI-56", peer, reason): 1}
    assert (of_partners(place), elsewhere(place)) == (known, rows)


@contextmanager
def nothing_but_a_record(place: Place, found: list[Exchange]) -> Iterator[None]:
    """One record more, put into `found`; nobody is counted, and no row is anywhere else."""
    counted, known, rows = refusals(place.house), of_partners(place), elsewhere(place)
    yield
    found += of_partners(place)[len(known) :]
    assert len(found) == 1
    assert (refusals(place.house), elsewhere(place)) == (counted, rows)


def of_partners(place: Place) -> list[Exchange]:
    return [one for one in records(place.house) if one.partner is not None]


def elsewhere(place: Place) -> dict[str, int]:
    return {table: rows for table, rows in contents(place.house).items() if table not in LOG}


def a_request() -> SealedRequest:
    return ask(discovery(), ITI_55_REQUEST)


def says_nothing(reply: Reply) -> None:
    assert [secret for secret in SECRETS if secret in reply.body] == []


# ---- spoiling a message ----

Spoil = Callable[[bytes], bytes]


def edited(change: Callable[[Element], None]) -> Spoil:
    def spoil(envelope: bytes) -> bytes:
        root = etree.fromstring(envelope)
        change(root)
        return etree.tostring(root)

    return spoil


def at(root: Element, path: str) -> Element:
    found = root.find("/".join(name(step) for step in path.split("/")))
    assert found is not None
    return found


def without(path: str) -> Spoil:
    def change(root: Element) -> None:
        element = at(root, path)
        parent = element.getparent()
        assert parent is not None
        parent.remove(element)

    return edited(change)


def with_text(path: str, text: str) -> Spoil:
    def change(root: Element) -> None:
        at(root, path).text = text

    return edited(change)


SECURITY = "soap:Header/wsse:Security"
ASSERTION = f"{SECURITY}/saml2:Assertion"
