"""What runs out of what we rely on: certificates of ours, of partners, anchors, bundles' signers.

One list for `gateway config check`, for the log of a gateway that runs, and for its metrics. A log
is read by more people than a terminal: neither a name nor a sentence holds somebody's address.
"""

import os.path
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from cryptography import x509

from gateway.model.trust import certificate as certificate_of
from gateway.settings import Settings
from gateway.settings_audit import AuditRepository
from gateway.store import direct_anchors, direct_keys, own_keys, partners
from gateway.store.direct_anchors import fingerprint
from gateway.store.scope import ALL_PLANS
from gateway.store.transaction import Transaction

_SOON: Final = timedelta(days=45)
"""A network needs weeks to issue a certificate, and each partner days to take it up."""
_DIGITS: Final = 16
_LONGEST: Final = 200
"""A subject may be as long as its issuer likes."""

Kind = Literal[
    "tls",
    "signing",
    "direct",
    "published",
    "audit",
    "audit_anchor",
    "audit_pinned",
    "anchor",
    "direct_anchor",
    "bundle_anchor",
    "bundle_signer",
    "partner",
    "proxy",
]


@dataclass(frozen=True, slots=True)
class Reliance:
    """A certificate that somebody depends on; without one `fault` says why not."""

    kind: Kind
    name: str
    """Whose, or of which file: a network, a bundle, a domain, a partner's id."""
    what: str
    """The same as the subject of a sentence."""
    certificate: x509.Certificate | None
    fault: str = ""

    @property
    def mark(self) -> str:
        """The head of its fingerprint: two of one kind may have one name while they roll over."""
        return "" if self.certificate is None else fingerprint(self.certificate)[:_DIGITS]


def named_by(settings: Settings) -> Iterator[Reliance]:
    """Those in files that the settings name."""
    if settings.tls is not None:
        yield from _own("tls", settings.tls.certificate)
    if settings.signing is not None:
        yield from _own("signing", settings.signing.certificate)
    for repository in settings.audit.repositories:
        yield from _of_repository(repository)
    for network in settings.networks:
        for anchor in network.anchors:
            what = f"the anchor {anchor.name} of {network.name}"
            yield _in_file("anchor", network.name, what, anchor)
    for file in settings.proxy.certificates if settings.proxy else ():
        yield _in_file("proxy", file.name, f"the proxy's certificate {file.name}", file)
    for file in settings.publish.certificates if settings.publish else ():
        yield _in_file("published", file.name, f"our published certificate {file.name}", file)


def kept_in(transaction: Transaction) -> Iterator[Reliance]:
    """Those that the database holds, or names the file of."""
    for usage in own_keys.USAGES:
        for key in own_keys.list_all(transaction, usage):
            yield from _own(usage, key.files.certificate)
    for own in direct_keys.newest(transaction):
        local, _, domain = own.owner.rpartition("@")
        whose = f"an address at {domain}, {own.fingerprint[:_DIGITS]}" if local else domain
        what = f"our Direct certificate of {whose}{_single_use(own)}"
        yield Reliance("direct", domain, what, own.certificate)
    for partner in partners.list_all(transaction, plan=ALL_PLANS):
        for text in dict.fromkeys((*partner.tls_certificates, *partner.signing_certificates)):
            what = f"a pinned certificate of {partner.name}"
            yield _in_text("partner", partner.id, what, text)
    for anchor, bundle in direct_anchors.list_in_force(transaction):
        subject = _subject(anchor.certificate)
        if bundle is None:
            what = f"the Direct anchor {subject}"
            yield Reliance("direct_anchor", subject, what, anchor.certificate)
        else:
            what = f"the anchor of bundle {bundle} {subject}"
            yield Reliance("bundle_anchor", bundle, what, anchor.certificate)
    for one in direct_anchors.list_bundles(transaction):
        if one.signer is not None:
            what = f"the signer of bundle {one.name}"
            yield Reliance("bundle_signer", one.name, what, one.signer)


def warnings(found: Iterable[Reliance], *, now: datetime) -> Iterator[str]:
    """A sentence for each that has run out, soon will, or cannot be read; each sentence once."""
    said = (_warning(one, now) for one in found)
    yield from dict.fromkeys(_one_line(sentence) for sentence in said if sentence is not None)


def _warning(one: Reliance, now: datetime) -> str | None:
    if one.certificate is None:
        return f"{one.what} {one.fault}"
    until = one.certificate.not_valid_after_utc
    if until < now:
        return f"{one.what} has expired on {until.date()}"
    if until - now < _SOON:
        return f"{one.what} expires on {until.date()}, in {(until - now).days} days"
    return None


# ---- where they come from --------------------------------------------------------------------


def _single_use(key: direct_keys.DirectKey) -> str:
    """Which of a pair it is."""
    signs, opens = direct_keys.may(key, "sign"), direct_keys.may(key, "encrypt")
    if signs == opens:
        return ""
    return " (to sign with)" if signs else " (to be encrypted to)"


def _own(usage: own_keys.KeyUsage, file: Path) -> Iterator[Reliance]:
    """One of our pairs; whoever has a newer one may have put the file away."""
    if os.path.exists(file):  # unlike Path.exists it raises nothing where we may not look
        yield _in_file(usage, file.name, f"our {usage} certificate {file.name}", file)


def _of_repository(stated: AuditRepository) -> Iterator[Reliance]:
    whose = f"the audit repository {stated.name}"
    for file in stated.anchors:
        yield _in_file("audit_anchor", stated.name, f"the anchor {file.name} of {whose}", file)
    for file in stated.certificates:
        yield _in_file("audit_pinned", stated.name, f"the certificate {file.name} of {whose}", file)
    if stated.certificate is not None:
        yield _in_file("audit", stated.name, f"our certificate for {whose}", stated.certificate)


def _in_file(kind: Kind, name: str, what: str, file: Path) -> Reliance:
    try:
        text = file.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        return Reliance(kind, name, what, None, f"cannot be read: {error.strerror}")
    return _in_text(kind, name, what, text)


def _in_text(kind: Kind, name: str, what: str, text: str) -> Reliance:
    try:
        return Reliance(kind, name, what, certificate_of(text))
    except ValueError:
        return Reliance(kind, name, what, None, "is no PEM certificate")


def _subject(certificate: x509.Certificate) -> str:
    return _one_line(certificate.subject.rfc4514_string()[:_LONGEST])


def _one_line(text: str) -> str:
    """Others' words as they may stand in a log: a line break in them could forge a line."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)
