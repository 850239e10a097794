"""The partner directory. A partner without a plan serves every plan of the house."""

import base64
import hashlib
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final, Literal

from sqlalchemy import Executable, bindparam, delete, insert, or_, select

from gateway.model.identity import PartnerId, PlanId
from gateway.model.partner import Endpoints, Partner, PartnerProfile
from gateway.store import tables
from gateway.store.prepared import Prepared
from gateway.store.scope import AllPlans, Scope
from gateway.store.sql import upsert
from gateway.store.transaction import Transaction
from gateway.store.values import dump, load
from ihe.identifiers import HomeCommunityId

Usage = Literal["tls", "signing"]
_PARTNERS: Final = select(tables.partner).order_by(tables.partner.c.name, tables.partner.c.id)
_PINNED: Final = select(tables.partner_certificate.c.partner).where(
    tables.partner_certificate.c.fingerprint == bindparam("fingerprint"),
    tables.partner_certificate.c.usage == bindparam("usage"),
)
_BY_CERTIFICATE: Final = Prepared(
    _PARTNERS.join(tables.partner_certificate)
    .add_columns(tables.partner_certificate.c.usage, tables.partner_certificate.c.pem)
    .where(tables.partner.c.id.in_(_PINNED))
    .order_by(tables.partner_certificate.c.ordinal)
)
_CERTIFICATES: Final = (
    select(tables.partner_certificate)
    .where(tables.partner_certificate.c.partner.in_(bindparam("partners", expanding=True)))
    .order_by(tables.partner_certificate.c.ordinal)
)
_OF_PARTNER: Final = (
    tables.partner_certificate,
    tables.partner_health,
    tables.partner_lesson,
    tables.delegation,
    tables.link,
    tables.patient_location,
)
_PEM: Final = re.compile(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)


def put(transaction: Transaction, partner: Partner) -> None:
    """Adds the partner, or changes the one of that id, its pinned certificates included.

    Raises:
        ValueError: a certificate is no PEM text.
    """
    certificates = [
        {
            "partner": partner.id,
            "usage": usage,
            "ordinal": ordinal,
            "plan": partner.plan,
            "fingerprint": fingerprint(pem),
            "pem": pem,
        }
        for usage, pems in (
            ("tls", partner.tls_certificates),
            ("signing", partner.signing_certificates),
        )
        for ordinal, pem in enumerate(pems)
    ]
    values = {
        "id": partner.id,
        "plan": partner.plan,
        "name": partner.name,
        "home_community_id": str(partner.home_community_id),
        "network": partner.network,
        "endpoints": dump(partner.endpoints),
        "profile": dump(partner.profile),
        "certificate_name": partner.profile.certificate_name,
    }
    upsert(transaction, tables.partner, values, ["id"])
    table = tables.partner_certificate
    transaction.connection.execute(delete(table).where(table.c.partner == partner.id))
    if certificates:
        transaction.connection.execute(insert(table), certificates)


def get(transaction: Transaction, *, plan: Scope, partner: PartnerId) -> Partner | None:
    """The partner, if it is the plan's own or shared."""
    return next(iter(_select(transaction, plan, tables.partner.c.id == partner)), None)


def list_all(transaction: Transaction, *, plan: Scope) -> tuple[Partner, ...]:
    """The plan's own partners and the shared ones, by name."""
    return _select(transaction, plan)


def by_home_community(
    transaction: Transaction, *, plan: Scope, home_community_id: HomeCommunityId
) -> tuple[Partner, ...]:
    """Those that answer for that community; more than one when a plan has its own beside."""
    known = _select(transaction, plan, tables.partner.c.home_community_id == str(home_community_id))
    return tuple(one for one in known if not one.profile.retired)


def by_certificate(
    transaction: Transaction, *, fingerprint: str, usage: Usage = "tls"
) -> tuple[Partner, ...]:
    """Whoever pinned that certificate (SHA-256 of its DER, hex), whatever their plan.

    This is how a caller on the wire gets its name, so it comes before any plan is known.
    """
    given = {"fingerprint": fingerprint.lower(), "usage": usage}
    found = _BY_CERTIFICATE.rows(transaction, given)  # a row for each of its certificates
    pems = _by_usage((row.id, row.usage, row.pem) for row in found)
    return tuple(_partner(row, pems) for row in {row.id: row for row in found}.values())


def by_certificate_name(transaction: Transaction, *, names: Iterable[str]) -> tuple[Partner, ...]:
    """Whoever is bound to one of the names that a certificate speaks for, whatever their plan.

    A name proves nothing before the certificate is found to chain to the partner's network.
    """
    return _select(transaction, None, tables.partner.c.certificate_name.in_(list(names)))


def pinned(transaction: Transaction) -> tuple[str, ...]:
    """The TLS certificates that any partner has pinned (PEM texts), each once, in one order."""
    table = tables.partner_certificate
    statement = (
        select(table.c.pem)
        .where(table.c.usage == "tls")
        .order_by(table.c.fingerprint, table.c.partner)
    )
    return tuple(dict.fromkeys(transaction.connection.execute(statement).scalars()))


def remove(transaction: Transaction, *, plan: Scope, partner: PartnerId) -> bool:
    """Takes the partner and its links out; its records and documents stay. Whether it was there."""
    if get(transaction, plan=plan, partner=partner) is None:
        return False
    for table in _OF_PARTNER:
        transaction.connection.execute(delete(table).where(table.c.partner == partner))
    transaction.connection.execute(delete(tables.partner).where(tables.partner.c.id == partner))
    return True


def fingerprint(pem: str) -> str:
    """SHA-256 of the first certificate's DER, as hex.

    Raises:
        ValueError: not a PEM certificate.
    """
    match = _PEM.search(pem)
    if match is None:
        raise ValueError("not a PEM certificate")
    return hashlib.sha256(base64.b64decode("".join(match.group(1).split()))).hexdigest()


def _select(transaction: Transaction, plan: Scope | None, *where: Any) -> tuple[Partner, ...]:
    table = tables.partner
    statement = _PARTNERS.where(*where)
    if plan is not None and not isinstance(plan, AllPlans):
        statement = statement.where(or_(table.c.plan == plan, table.c.plan.is_(None)))
    return _read(transaction, statement, {})


def _read(
    transaction: Transaction, statement: Executable, given: dict[str, str]
) -> tuple[Partner, ...]:
    rows = transaction.connection.execute(statement, given).all()
    pems = _certificates(transaction, [row.id for row in rows])
    return tuple(_partner(row, pems) for row in rows)


def _certificates(
    transaction: Transaction, partners: list[str]
) -> dict[tuple[str, str], tuple[str, ...]]:
    if not partners:
        return {}
    rows = transaction.connection.execute(_CERTIFICATES, {"partners": partners})
    return _by_usage((row.partner, row.usage, row.pem) for row in rows)


def _by_usage(
    certificates: Iterable[tuple[str, str, str]],
) -> dict[tuple[str, str], tuple[str, ...]]:
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for partner, usage, pem in certificates:
        key = (partner, usage)
        found[key] = (*found.get(key, ()), pem)
    return found


def _partner(row: Any, pems: dict[tuple[str, str], tuple[str, ...]]) -> Partner:
    return _known_partner(
        id=row.id,
        name=row.name,
        home_community_id=row.home_community_id,
        endpoints=row.endpoints,
        network=row.network,
        plan=row.plan,
        tls=pems.get((row.id, "tls"), ()),
        signing=pems.get((row.id, "signing"), ()),
        profile=row.profile,
    )


@lru_cache(maxsize=4096)
def _known_partner(
    *,
    id: str,
    name: str,
    home_community_id: str,
    endpoints: str,
    network: str | None,
    plan: str | None,
    tls: tuple[str, ...],
    signing: tuple[str, ...],
    profile: str,
) -> Partner:
    """The partner of these texts: every message has one read, and they hardly ever change."""
    return Partner(
        id=PartnerId(id),
        name=name,
        home_community_id=HomeCommunityId.parse(home_community_id),
        endpoints=load(Endpoints, endpoints),
        network=network,
        plan=None if plan is None else PlanId(plan),
        tls_certificates=tls,
        signing_certificates=signing,
        profile=load(PartnerProfile, profile),
    )
