"""ITI-55 and ITI-38 answered by us and by IPF (on CXF, with WSS4J): server processor time.

Both get requests made alike: one member, ten documents, mutual TLS, an assertion and a Timestamp,
both signed and both verified, each request new. IPF keeps no record and no wire bytes, and its
validators are off; its JVM has its own defaults, and is warm.
"""

import os
import ssl
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from ccda.safe_xml import Element
from gateway.model.partner import Partner
from gateway.settings import KeyPair, Network
from gateway.store.own_keys import load_key_pair
from ihe.soap import ITI_38_REQUEST, ITI_55_REQUEST, MessageKind
from ihe.trust import SigningKey
from tests.bench.figures import Figure, Report, median_ratio
from tests.bench.load import Load, Target
from tests.bench.responder import document, furnish, serving
from tests.gateway.asking import ask, discovery, find_documents, patient_id
from tests.gateway.house import AUDIENCE, HOME, MEMBER, NETWORK, a_partner
from tests.installs import Unavailable
from tests.interop import facts, peer
from tests.interop.certificates import Certificates, Identity, make_certificates

_CONNECTIONS: Final = 16
_DOCUMENTS: Final = 10
_REQUESTS: Final = 500
"""Of each transaction and round."""
_WARM_UP: Final = 3000
"""Of each transaction: a JVM compiles what it runs often."""
_AT_ONCE: Final = 500
"""So many are signed and then sent: a Timestamp is fresh for minutes only."""
_JVM: Final = ("-Xmx1g",)
_ASKED: Final[dict[str, tuple[Callable[[], Element], MessageKind]]] = {
    "ITI-55": (discovery, ITI_55_REQUEST),
    "ITI-38": (find_documents, ITI_38_REQUEST),
}


@dataclass(frozen=True, slots=True)
class _Side:
    """A responder, and at which path it answers each transaction."""

    name: str
    target: Target
    paths: dict[str, str]


def _bodies(transaction: str, key: SigningKey, count: int) -> list[bytes]:
    make, kind = _ASKED[transaction]
    return [ask(make(), kind, key=key).envelope for _ in range(count)]


def measure(rounds: int) -> Report:
    """Rounds in which the two take turns; us alone where there is no JDK or no Maven."""
    loads: dict[tuple[str, str], list[Load]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as name, ExitStack() as stack:
        keys = make_certificates(Path(name))
        key = _signing_key(keys)
        sides = [stack.enter_context(_ours(Path(name), keys))]
        try:
            sides.append(stack.enter_context(_ipf(Path(name), keys)))
            missing = ()
        except Unavailable as reason:
            missing = (f"without IPF: {reason}",)
        for side in sides:
            for transaction in _ASKED:
                _check(side, transaction, key)
                for _ in range(_WARM_UP // _AT_ONCE):
                    _load(side, transaction, key, _AT_ONCE)
        for _ in range(rounds):
            for transaction in _ASKED:
                for side in sides:
                    measured = loads.setdefault((transaction, side.name), [])
                    measured.append(_load(side, transaction, key, _REQUESTS))
    rows = tuple(_rows(loads, [side.name for side in sides]))
    notes = (
        f"{_CONNECTIONS} connections, after {_WARM_UP:,} requests of each transaction to each side",
        "ours: record and wire bytes durable; IPF: no record, validators off",
        "ours ahead: IPF's processor time by ours",
        *missing,
    )
    return Report("beside", "Responders side by side, both signatures verified", rows, notes)


def _rows(
    loads: dict[tuple[str, str], list[Load]], sides: Sequence[str]
) -> Iterator[dict[str, Figure]]:
    for transaction in _ASKED:
        ours = _seconds(loads[transaction, sides[0]])
        for side in sides:
            found = loads[transaction, side]
            yield {
                "transaction": transaction,
                "responder": side,
                "server s/1,000 requests": statistics.median(_seconds(found)),
                "requests/s": statistics.median(load.requests_per_second for load in found),
                "ours ahead": median_ratio(_seconds(found), ours),
            }


def _seconds(loads: Sequence[Load]) -> list[float]:
    return [load.server_seconds / load.requests * 1000 for load in loads]


def _load(side: _Side, transaction: str, key: SigningKey, count: int) -> Load:
    bodies = _bodies(transaction, key, count)
    return side.target.post_all(side.paths[transaction], bodies, connections=_CONNECTIONS)


def _check(side: _Side, transaction: str, key: SigningKey) -> None:
    """A fast answer that says nothing would be worth nothing."""
    answer = side.target.post(side.paths[transaction], *_bodies(transaction, key, 1))
    wanted = {"ITI-55": (b"registrationEvent ", 1), "ITI-38": (b"ExtrinsicObject ", _DOCUMENTS)}
    mark, least = wanted[transaction]
    if answer.count(mark) < least:
        raise RuntimeError(f"{side.name} does not answer {transaction} as asked")


# ---- the two ---------------------------------------------------------------------------------


@contextmanager
def _ours(folder: Path, keys: Certificates) -> Iterator[_Side]:
    own = folder / "ours"
    own.mkdir()
    settings = furnish(
        own,
        known=[_partner(keys)],
        tls=_pair(keys.responder.tls),
        signing=_pair(keys.responder.signing),
        networks=(Network(name=NETWORK, anchors=(keys.authority,), audiences=(AUDIENCE,)),),
    )
    with serving(own, settings, _context(keys)) as target:
        yield _Side("ours", target, {"ITI-55": "/ihe/xcpd", "ITI-38": "/ihe/xca"})


@contextmanager
def _ipf(folder: Path, keys: Certificates) -> Iterator[_Side]:
    """IPF under the same certificate, with a person and documents like ours.

    Raises:
        Unavailable: it cannot be built or started here.
    """
    peer.build()
    files = [folder / f"document-{number}.xml" for number in range(_DOCUMENTS)]
    for number, file in enumerate(files):
        file.write_bytes(document(number))
    responder = peer.JavaResponder(
        stores=peer.Stores(keys.responder, keys.trust_store, keys.stranger),
        facts=peer.write_facts(folder / "ipf.properties", _facts()),
        scratch=folder,
        options={"document": ",".join(map(str, files)), "validators": "off"},
        jvm=_JVM,
    )
    with responder:
        address = responder.addresses.discovery.removeprefix("https://").partition("/")[0]
        seconds = partial(_processor_seconds, responder.process_id)
        target = Target(address, _context(keys), seconds)
        yield _Side("IPF", target, {"ITI-55": "/xcpd", "ITI-38": "/xca/query"})


def _facts() -> dict[str, str]:
    known, patient = MEMBER.demographics, patient_id()
    return {
        **facts.RESPONDER,
        "patient.id": patient.id,
        "patient.root": str(patient.authority),
        "patient.given": known.names[0].given[0],
        "patient.family": known.names[0].family or "",
        "patient.gender": known.gender or "",
        "patient.birth": known.birth_time.value if known.birth_time else "",
        "own.home": HOME.urn,
    }


# ---- the keys --------------------------------------------------------------------------------


def _partner(keys: Certificates) -> Partner:
    by = keys.initiator
    return a_partner(
        tls_certificates=(by.tls.certificate.read_text(encoding="ascii"),),
        signing_certificates=(by.signing.certificate.read_text(encoding="ascii"),),
    )


def _signing_key(keys: Certificates) -> SigningKey:
    return load_key_pair(_pair(keys.initiator.signing), "signing")


def _pair(identity: Identity) -> KeyPair:
    return KeyPair(certificate=identity.certificate, key=identity.key)


def _context(keys: Certificates) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=keys.authority)
    context.load_cert_chain(keys.initiator.tls.certificate, keys.initiator.tls.key)
    return context


def _processor_seconds(process: int) -> float:
    """What a process with all its threads has used so far (Linux)."""
    # After the name, which may hold anything: utime and stime are fields 14 and 15.
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
