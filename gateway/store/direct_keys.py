"""Our own Direct keys: of a whole domain or of one address, several at once while they roll over.

Every key that was imported opens what is sealed to it, for others may go on using a certificate
that they found before. The one that signs, and that we publish, is the last to have come into
use. Where one key may only sign and another only be encrypted to, each does its part, and both
are published. The private key lies in the database alone, sealed under its plan's key.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12
from sqlalchemy import Row, select, update

from direct.trust import Usage, allows
from gateway.model.identity import PlanId
from gateway.store import tables
from gateway.store.keys import KeyRing
from gateway.store.scope import ALL_PLANS, Scope, within
from gateway.store.sql import insert_new
from gateway.store.transaction import Transaction

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class UnusableKey(Exception):
    """What was given is no key with its certificate; the text says why."""


@dataclass(frozen=True, slots=True)
class DirectKey:
    """A key of `owner`, an address or a domain in lower case; `certificates` has its own first."""

    plan: PlanId
    owner: str
    fingerprint: str
    certificates: tuple[x509.Certificate, ...]
    generation: int
    sealed: bytes
    imported: datetime
    since: datetime | None = None

    @property
    def certificate(self) -> x509.Certificate:
        return self.certificates[0]


def read_key_pair(
    content: bytes, password: bytes | None = None
) -> tuple[PrivateKey, x509.Certificate, tuple[x509.Certificate, ...]]:
    """The key, its certificate and what comes with it, of PKCS#12 or of PEM texts in one.

    Raises:
        UnusableKey: there is no such pair in it, or the password is wrong.
    """
    try:
        if b"-----BEGIN" in content:
            key: object = load_pem_private_key(content, password)
            found: list[x509.Certificate] = x509.load_pem_x509_certificates(content)
        else:
            store = load_pkcs12(content, password)
            key = store.key
            found = [store.cert.certificate] if store.cert is not None else []
            found += [one.certificate for one in store.additional_certs]
    except (ValueError, TypeError):
        raise UnusableKey("it is neither PKCS#12 nor PEM, or its password is wrong") from None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise UnusableKey("its key must be RSA or EC")
    own = [one for one in found if one.public_key() == key.public_key()]
    if not own:
        raise UnusableKey("it holds no certificate of its key")
    return key, own[0], tuple(one for one in found if one != own[0])


def seal_key(
    keys: KeyRing,
    *,
    plan: PlanId,
    owner: str,
    key: PrivateKey,
    certificates: Sequence[x509.Certificate],
    now: datetime,
    since: datetime | None = None,
) -> DirectKey:
    """A key ready to be kept; before the unit of work, for a plan's first key is made with it.

    Raises:
        UnusableKey: the first certificate is not the key's, or its key is too short.
    """
    if not certificates or certificates[0].public_key() != key.public_key():
        raise UnusableKey("the certificate is not the key's")
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < 2048:
        raise UnusableKey("an RSA key must have 2048 bits or more")
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    mark = fingerprint(certificates[0])
    generation, sealed = keys.seal(plan, der, _name(owner.lower(), mark))
    return DirectKey(plan, owner.lower(), mark, tuple(certificates), generation, sealed, now, since)


def put(transaction: Transaction, key: DirectKey) -> bool:
    """Takes the key up; False when its certificate is the owner's already."""
    values = {
        "plan": key.plan,
        "owner": key.owner,
        "fingerprint": key.fingerprint,
        "certificates": "".join(
            one.public_bytes(Encoding.PEM).decode("ascii") for one in key.certificates
        ),
        "generation": key.generation,
        "sealed": key.sealed,
        "imported": key.imported,
        "since": key.since,
    }
    return insert_new(transaction, tables.direct_key, values, ["plan", "owner", "fingerprint"])


def use_from(
    transaction: Transaction, *, plan: PlanId, owner: str, fingerprint: str, since: datetime
) -> bool:
    """Signs with the key from `since` on; whether there is such a key."""
    table = tables.direct_key
    result = transaction.connection.execute(
        update(table)
        .where(
            table.c.plan == plan,
            table.c.owner == owner.lower(),
            table.c.fingerprint == fingerprint.lower(),
        )
        .values(since=since)
    )
    return result.rowcount > 0


def list_all(transaction: Transaction, *, plan: Scope) -> tuple[DirectKey, ...]:
    """Every key, by owner, the earliest imported first."""
    table = tables.direct_key
    rows = transaction.connection.execute(
        select(table)
        .where(within(table.c.plan, plan))
        .order_by(table.c.owner, table.c.imported, table.c.fingerprint)
    )
    return tuple(_read(row) for row in rows)


def published(transaction: Transaction, *, now: datetime) -> tuple[x509.Certificate, ...]:
    """What others are to find of every plan: for each owner the certificate that signs, the one
    that may be encrypted to, and those from which on it is stated that they will; so a new one is
    known before it is used."""
    owned: dict[str, list[DirectKey]] = {}
    for key in list_all(transaction, plan=ALL_PLANS):
        owned.setdefault(key.owner, []).append(key)
    found = [one.certificate for keys in owned.values() for one in _published(keys, now)]
    return tuple(one for one in found if now <= one.not_valid_after_utc)


def _published(keys: Sequence[DirectKey], now: datetime) -> Iterator[DirectKey]:
    in_use = signing(keys, now=now)
    # Of an owner for whom nothing is in use yet nobody is to know anything.
    chosen = () if in_use is None else (in_use, _encrypted_to(keys, now))
    for key in keys:
        if key in chosen or (key.since is not None and key.since > now):
            yield key


def _encrypted_to(keys: Iterable[DirectKey], now: datetime) -> DirectKey | None:
    """The newest that may be; one that still waits only if no other may: it opens mail already."""
    usable = [key for key in keys if _is_in_force(key, now) and may(key, "encrypt")]
    return max(
        usable,
        key=lambda key: (key.since is not None and key.since <= now, key.since or key.imported),
        default=None,
    )


def newest(transaction: Transaction) -> tuple[DirectKey, ...]:
    """Of every plan's owners who have one in use, or will, the last key for each use: after it
    there is none. Of a pair for a single use each that is both."""
    owned: dict[tuple[PlanId, str], list[DirectKey]] = {}
    for key in list_all(transaction, plan=ALL_PLANS):
        owned.setdefault((key.plan, key.owner), []).append(key)
    return tuple(key for keys in owned.values() for key in _last(keys))


def _last(keys: Sequence[DirectKey]) -> Iterable[DirectKey]:
    used = [key for key in keys if key.since is not None]
    if not used:
        return ()
    signs = [key for key in used if may(key, "sign")]
    # One that still waits is encrypted to where no other may be.
    opens = [key for key in keys if may(key, "encrypt")]
    found = (max(group, key=_came, default=None) for group in (used, signs, opens))
    return dict.fromkeys(key for key in found if key is not None)


def _came(key: DirectKey) -> tuple[bool, datetime]:
    """In the order of coming into use; who waits for it, before them."""
    return key.since is not None, key.since or key.imported


def of_address(transaction: Transaction, *, plan: PlanId, address: str) -> tuple[DirectKey, ...]:
    """Every key that opens what is sealed to the address: its own, then its domain's."""
    table = tables.direct_key
    owners = [address.lower(), address.rpartition("@")[2].lower()]
    rows = transaction.connection.execute(
        select(table).where(table.c.plan == plan, table.c.owner.in_(owners))
    )
    found = [_read(row) for row in rows]
    return tuple(sorted(found, key=lambda key: (owners.index(key.owner), key.imported)))


def of_addresses(
    transaction: Transaction, *, plan: PlanId, addresses: Iterable[str]
) -> tuple[DirectKey, ...]:
    """Every key that opens what is sealed to any of them, each once."""
    found = {
        key.fingerprint: key
        for address in addresses
        for key in of_address(transaction, plan=plan, address=address)
    }
    return tuple(found.values())


def signing(keys: Sequence[DirectKey], *, now: datetime) -> DirectKey | None:
    """Which of an address' keys signs now: its own before its domain's, the last that came into
    use and whose certificate is in force and may sign."""
    usable = [
        key
        for key in keys
        if key.since is not None
        and key.since <= now
        and _is_in_force(key, now)
        and may(key, "sign")
    ]
    ranked = sorted(usable, key=lambda key: ("@" in key.owner, key.since or now))
    return ranked[-1] if ranked else None


def _is_in_force(key: DirectKey, now: datetime) -> bool:
    return key.certificate.not_valid_before_utc <= now <= key.certificate.not_valid_after_utc


def may(key: DirectKey, usage: Usage) -> bool:
    """Whether it may be used so, by the rule with which others judge us."""
    try:
        return allows(key.certificate, usage)
    except ValueError:
        return False


def open_key(keys: KeyRing, key: DirectKey) -> PrivateKey:
    """The private key.

    Raises:
        InvalidTag: it is not what was sealed for this owner and certificate.
        KeyFileUnusable: it was sealed under another key than the file holds.
    """
    der = keys.open(key.plan, key.generation, key.sealed, _name(key.owner, key.fingerprint))
    # `read_key_pair` has checked it, and the seal says that it is the same.
    opened = load_der_private_key(der, None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(opened, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise TypeError("a Direct key is RSA or EC")  # seal_key took no other
    return opened


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the certificate's DER, as hex."""
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


def _name(owner: str, fingerprint: str) -> str:
    return f"direct key {owner} {fingerprint}"


def _read(row: Row[Any]) -> DirectKey:
    return DirectKey(
        plan=PlanId(row.plan),
        owner=row.owner,
        fingerprint=row.fingerprint,
        certificates=tuple(x509.load_pem_x509_certificates(row.certificates.encode("ascii"))),
        generation=row.generation,
        sealed=row.sealed,
        imported=row.imported,
        since=row.since,
    )
