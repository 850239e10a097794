"""`gateway direct anchors`: whom Direct mail is exchanged with, trusted by hand."""

from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer
from cryptography import x509
from rich.table import Table

from direct.bundle import read_bundle
from direct.chain import faults_of
from direct.errors import DirectError
from direct.trust import Strictness
from gateway.cli.groups import group
from gateway.cli.opening import ConfigOption, JsonOption, opened
from gateway.cli.recording import record, record_look, refusal
from gateway.cli.terminal import Exit, Failure, out, printable
from gateway.model.direct_anchors import DirectAnchor, Reach
from gateway.store import direct_anchors
from gateway.store.transaction import Transaction

anchors_app = group("Whom Direct mail is exchanged with.")
_SHORTEST: Final = 8
"""Digits of a fingerprint that say which; fewer are mostly a slip of the hand."""
_BY_HAND: Final = "by hand"


class Revocation(StrEnum):
    """How strictly revocation is looked up below an anchor."""

    REQUIRED = "required"
    WHEN_REACHABLE = "when_reachable"
    OFF = "off"


class NoSource(StrEnum):
    """What a certificate means that names neither a list nor a responder."""

    REFUSE = "refuse"
    ACCEPT = "accept"


DomainOption = Annotated[
    str | None, typer.Option("--domain", help="Only for this domain of yours; all if left out.")
]
IncomingOption = Annotated[
    bool, typer.Option("--incoming/--no-incoming", help="For mail that comes in.")
]
OutgoingOption = Annotated[
    bool, typer.Option("--outgoing/--no-outgoing", help="For mail that goes out.")
]
RevocationOption = Annotated[
    Revocation, typer.Option("--revocation", help="Whether what cannot be looked up refuses.")
]
NoSourceOption = Annotated[
    NoSource,
    typer.Option("--without-source", help="Certificates that name no list and no responder."),
]


def reach_of(domain: str | None, incoming: bool, outgoing: bool) -> Reach:
    """What the options say.

    Raises:
        Failure: neither direction is left.
    """
    try:
        return Reach(domain.lower() if domain else None, incoming, outgoing)
    except ValueError as error:
        raise Failure(str(error), Exit.USAGE) from None


def strictness_of(revocation: Revocation, no_source: NoSource) -> Strictness | None:
    """None if they are the strictest."""
    found = Strictness(revocation.value, no_source.value)
    return None if found == Strictness() else found


def read_certificates(file: Path) -> tuple[x509.Certificate, ...]:
    """The certificates of a file, PEM, DER or `.p7b`.

    Raises:
        Failure: there are none.
    """
    try:
        return read_bundle(file.read_bytes()).anchors
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}", Exit.USAGE) from None
    except DirectError as error:
        raise Failure(f"{file} holds no anchor: {error.reason}", Exit.USAGE) from None


@anchors_app.command("add")
def add_anchors(
    file: Annotated[Path, typer.Argument(help="Certificates in PEM, DER or .p7b.")],
    domain: DomainOption = None,
    incoming: IncomingOption = True,
    outgoing: OutgoingOption = True,
    revocation: RevocationOption = Revocation.REQUIRED,
    without_source: NoSourceOption = NoSource.REFUSE,
    config: ConfigOption = None,
) -> None:
    """Trust the authorities in a file."""
    now = datetime.now(UTC)

    with opened(config) as house:
        reach = reach_of(domain, incoming, outgoing)
        strictness = strictness_of(revocation, without_source)
        anchors = [
            DirectAnchor(certificate, reach, strictness) for certificate in _usable(file, now)
        ]

        def unit(transaction: Transaction) -> None:
            for anchor in anchors:
                direct_anchors.put_anchor(transaction, anchor, now=now)
                words = anchor_in_words(anchor)
                record(transaction, "CLI-DIRECT-ANCHOR-ADD", plan=None, reason=words)

        house.database.write(unit)
    out.print(f"{len(anchors)} anchors trusted {in_words(reach)}")


def _usable(file: Path, now: datetime) -> tuple[x509.Certificate, ...]:
    """The authorities of a file; a wrong one fails here, not in silence at the first message."""
    certificates = read_certificates(file)
    for certificate in certificates:
        name = printable(certificate.subject.rfc4514_string())
        if not _is_authority(certificate):
            raise Failure(f"{name} is not an authority: nothing could chain to it", Exit.USAGE)
        for fault in faults_of(certificate, name, now=now, is_anchor=True):
            raise Failure(f"{fault.text}: nothing could be trusted by it", Exit.USAGE)
    return certificates


@anchors_app.command("list")
def list_anchors(json: JsonOption = False, config: ConfigOption = None) -> None:
    """Every anchor, by hand or from a bundle."""
    with opened(config) as house:
        found = house.database.read(direct_anchors.list_in_force)
        record_look(house, "CLI-DIRECT-ANCHORS", plan=None)
    if json:
        for anchor, source in found:
            typer.echo(orjson.dumps(_form(anchor, source)).decode())
        return
    if not found:
        out.print("No anchors yet. `gateway direct anchors add FILE` trusts one.")
        return
    table = Table("anchor", "expires", "for", "by", "revocation", "fingerprint")
    for anchor, source in found:
        certificate = anchor.certificate
        table.add_row(
            printable(certificate.subject.rfc4514_string()),
            certificate.not_valid_after_utc.date().isoformat(),
            in_words(anchor.reach),
            printable(source or _BY_HAND),
            strictness_in_words(anchor.strictness),
            direct_anchors.fingerprint(certificate)[:16],
        )
    out.print(table)


@anchors_app.command("remove")
def remove_anchor(
    fingerprint: Annotated[str, typer.Argument(help="Its fingerprint, or how that begins.")],
    domain: DomainOption = None,
    config: ConfigOption = None,
) -> None:
    """Trust an authority no longer that was trusted by hand."""
    digits = fingerprint.lower().replace(":", "")
    if len(digits) < _SHORTEST:
        raise Failure(f"give at least {_SHORTEST} digits of its fingerprint", Exit.USAGE)

    def unit(transaction: Transaction) -> DirectAnchor | str:
        wanted = [
            anchor
            for anchor in direct_anchors.list_anchors(transaction)
            if direct_anchors.fingerprint(anchor.certificate).startswith(digits)
            and anchor.reach.domain == (domain.lower() if domain else None)
        ]
        if len(wanted) != 1:
            return "several anchors begin so" if wanted else "no anchor trusted by hand begins so"
        direct_anchors.remove_anchor(transaction, wanted[0])
        words = anchor_in_words(wanted[0])
        record(transaction, "CLI-DIRECT-ANCHOR-REMOVE", plan=None, reason=words)
        return wanted[0]

    with opened(config) as house:
        gone = house.database.write(unit)
        if isinstance(gone, str):
            name, advice = "CLI-DIRECT-ANCHOR-REMOVE", "; see `gateway direct anchors list`"
            raise refusal(house, name, plan=None, reason=gone, advice=advice)
    out.print(f"no longer trusted: {printable(gone.certificate.subject.rfc4514_string())}")


# ---- in words --------------------------------------------------------------------------------


def in_words(reach: Reach) -> str:
    """`all domains, incoming`."""
    ways = [name for name in ("incoming", "outgoing") if getattr(reach, name)]
    return f"{reach.domain or 'all domains'}, {' and '.join(ways)}"


def strictness_in_words(strictness: Strictness | None) -> str:
    """What is laxer than it need be; nothing if it is the strictest."""
    if strictness is None:
        return "required"
    lax: list[str] = [] if strictness.revocation == "required" else [strictness.revocation]
    if strictness.no_source == "accept":
        lax.append("without source too")
    return ", ".join(lax) or "required"


def anchor_in_words(anchor: DirectAnchor) -> str:
    """For the record: which, for whom, how strictly."""
    return (
        f"{direct_anchors.fingerprint(anchor.certificate)}"
        f" {anchor.certificate.subject.rfc4514_string()[:200]},"
        f" {in_words(anchor.reach)}, revocation {strictness_in_words(anchor.strictness)}"
    )


def lax(transaction: Transaction) -> Iterator[str]:
    """Sentences about what is taken more laxly than it need be, or was not had, or waits."""
    for anchor in direct_anchors.list_anchors(transaction):
        if anchor.strictness is not None:
            name = printable(anchor.certificate.subject.rfc4514_string())
            words = strictness_in_words(anchor.strictness)
            yield f"the Direct anchor {name}: revocation {words}"
    for bundle in direct_anchors.list_bundles(transaction):
        if bundle.strictness is not None:
            words = strictness_in_words(bundle.strictness)
            yield f"bundle {bundle.name}: revocation {words}"
        if bundle.failure is not None:
            yield f"bundle {bundle.name}: {bundle.failure}"
        for version in direct_anchors.versions(transaction, bundle.name, state="held"):
            yield f"bundle {bundle.name}: version {version.number} waits: {version.reason}"


def trusting(transaction: Transaction) -> frozenset[str | None]:
    """The domains of ours that trust somebody; None stands for all."""
    return frozenset(anchor.reach.domain for anchor, _ in direct_anchors.list_in_force(transaction))


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        found = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except (x509.ExtensionNotFound, ValueError):
        return False
    return found.value.ca


def _form(anchor: DirectAnchor, source: str | None) -> dict[str, Any]:
    strictness = anchor.strictness or Strictness()
    return {
        "fingerprint": direct_anchors.fingerprint(anchor.certificate),
        "subject": anchor.certificate.subject.rfc4514_string(),
        "expires": anchor.certificate.not_valid_after_utc.isoformat(),
        "domain": anchor.reach.domain,
        "incoming": anchor.reach.incoming,
        "outgoing": anchor.reach.outgoing,
        "source": source or _BY_HAND,
        "revocation": strictness.revocation,
        "without_source": strictness.no_source,
    }
