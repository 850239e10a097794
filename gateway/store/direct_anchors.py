"""The anchors of Direct mail: those trusted by hand, and the bundles with all their versions."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import delete, func, insert, or_, select, update

from direct.bundle import Bundle
from direct.trust import Strictness, TrustAnchor
from gateway.model.direct_anchors import (
    BundleVersion,
    DirectAnchor,
    DirectBundle,
    Direction,
    Reach,
    VersionState,
)
from gateway.store import tables
from gateway.store.sql import upsert
from gateway.store.transaction import Transaction

_ALL: Final = "*"
_ANCHOR, _BUNDLE = tables.direct_anchor, tables.direct_bundle
_VERSION, _HELD = tables.direct_bundle_version, tables.direct_bundle_anchor


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of its DER, as hex."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def trusted(transaction: Transaction, *, domain: str, direction: Direction) -> list[TrustAnchor]:
    """Every anchor that counts for mail of our `domain` in that direction, by hand ones first."""
    domain = domain.lower()
    hand = select(_ANCHOR.c.certificate, _ANCHOR.c.revocation, _ANCHOR.c.no_source).where(
        _ANCHOR.c[direction], _ANCHOR.c.domain.in_((domain, _ALL))
    )
    found = [
        TrustAnchor(x509.load_der_x509_certificate(row.certificate), "by hand", _strictness(row))
        for row in transaction.connection.execute(hand.order_by(_ANCHOR.c.fingerprint))
    ]
    bundled = (
        select(_HELD.c.certificate, _BUNDLE.c.name, _BUNDLE.c.revocation, _BUNDLE.c.no_source)
        .join(_BUNDLE, _BUNDLE.c.name == _HELD.c.bundle)
        .join(
            _VERSION,
            (_VERSION.c.bundle == _HELD.c.bundle) & (_VERSION.c.number == _HELD.c.number),
        )
        .where(
            _BUNDLE.c[direction],
            or_(_BUNDLE.c.domain == domain, _BUNDLE.c.domain == _ALL),
            _VERSION.c.state == "current",
        )
        .order_by(_BUNDLE.c.name, _HELD.c.ordinal)
    )
    found += [
        TrustAnchor(x509.load_der_x509_certificate(row.certificate), row.name, _strictness(row))
        for row in transaction.connection.execute(bundled)
    ]
    return found


def list_in_force(transaction: Transaction) -> list[tuple[DirectAnchor, str | None]]:
    """Every anchor that counts for anybody, each with the name of its bundle; None by hand."""
    found: list[tuple[DirectAnchor, str | None]] = [
        (anchor, None) for anchor in list_anchors(transaction)
    ]
    for bundle in list_bundles(transaction):
        for version in versions(transaction, bundle.name, state="current"):
            found += [
                (DirectAnchor(one, bundle.reach, bundle.strictness), bundle.name)
                for one in version.anchors
            ]
    return found


# ---- by hand ---------------------------------------------------------------------------------


def put_anchor(transaction: Transaction, anchor: DirectAnchor, *, now: datetime) -> None:
    """Trusts it, or changes how one that is trusted for that domain counts."""
    values = {
        "fingerprint": fingerprint(anchor.certificate),
        **_reach_values(anchor.reach),
        "plan": None,
        "certificate": anchor.certificate.public_bytes(Encoding.DER),
        **_strictness_values(anchor.strictness),
        "added": now,
    }
    upsert(transaction, _ANCHOR, values, ["fingerprint", "domain"], keep=["added"])


def list_anchors(transaction: Transaction) -> tuple[DirectAnchor, ...]:
    """Those trusted by hand."""
    statement = select(_ANCHOR).order_by(_ANCHOR.c.domain, _ANCHOR.c.fingerprint)
    return tuple(
        DirectAnchor(x509.load_der_x509_certificate(row.certificate), _reach(row), _strictness(row))
        for row in transaction.connection.execute(statement)
    )


def remove_anchor(transaction: Transaction, anchor: DirectAnchor) -> bool:
    """Whether it was there."""
    statement = delete(_ANCHOR).where(
        _ANCHOR.c.fingerprint == fingerprint(anchor.certificate),
        _ANCHOR.c.domain == (anchor.reach.domain or _ALL),
    )
    return transaction.connection.execute(statement).rowcount > 0


# ---- bundles ---------------------------------------------------------------------------------


def put_bundle(transaction: Transaction, bundle: DirectBundle) -> None:
    """Adds the bundle, or changes the one of that name; its versions stay."""
    values = {
        "name": bundle.name,
        "plan": None,
        "url": bundle.url,
        **_reach_values(bundle.reach),
        "signer": _der(bundle.signer),
        "hold": bundle.hold,
        "every_seconds": bundle.every_seconds,
        **_strictness_values(bundle.strictness),
        "checked": bundle.checked,
        "failure": bundle.failure,
    }
    upsert(transaction, _BUNDLE, values, ["name"], keep=["checked", "failure"])


def get_bundle(transaction: Transaction, name: str) -> DirectBundle | None:
    rows = transaction.connection.execute(select(_BUNDLE).where(_BUNDLE.c.name == name))
    return next(map(_bundle, rows), None)


def list_bundles(transaction: Transaction) -> tuple[DirectBundle, ...]:
    """All of them, by name."""
    rows = transaction.connection.execute(select(_BUNDLE).order_by(_BUNDLE.c.name))
    return tuple(map(_bundle, rows))


def remove_bundle(transaction: Transaction, name: str) -> bool:
    """Takes it out with its versions: none of its anchors counts any more. Whether it was there."""
    for table in (_HELD, _VERSION):
        transaction.connection.execute(delete(table).where(table.c.bundle == name))
    statement = delete(_BUNDLE).where(_BUNDLE.c.name == name)
    return transaction.connection.execute(statement).rowcount > 0


def note_check(
    transaction: Transaction, name: str, *, now: datetime, failure: str | None = None
) -> None:
    """That it was had and read, or why it was not."""
    changed = {"failure": failure} if failure else {"failure": None, "checked": now}
    transaction.connection.execute(update(_BUNDLE).where(_BUNDLE.c.name == name).values(changed))


def pin_signer(transaction: Transaction, name: str, signer: x509.Certificate | None) -> None:
    """By whom it must be signed from now on."""
    statement = update(_BUNDLE).where(_BUNDLE.c.name == name).values(signer=_der(signer))
    transaction.connection.execute(statement)


# ---- versions --------------------------------------------------------------------------------


def add_version(
    transaction: Transaction,
    name: str,
    content: bytes,
    bundle: Bundle,
    *,
    state: VersionState,
    reason: str | None,
    now: datetime,
) -> int:
    """The number of the new version. A current or held one before it gives way to one like it."""
    newest = select(func.max(_VERSION.c.number)).where(_VERSION.c.bundle == name)
    number = (transaction.connection.execute(newest).scalar() or 0) + 1
    _supersede(transaction, name, state)
    values = {
        "bundle": name,
        "number": number,
        "plan": None,
        "fetched": now,
        "content": content,
        "sha256": sha256(content).hexdigest(),
        "signer": _der(bundle.signer),
        "state": state,
        "reason": reason,
        "decided": now if state == "current" else None,
    }
    transaction.connection.execute(insert(_VERSION).values(values))
    anchors = [
        {
            "bundle": name,
            "number": number,
            "ordinal": ordinal,
            "plan": None,
            "certificate": anchor.public_bytes(Encoding.DER),
        }
        for ordinal, anchor in enumerate(bundle.anchors)
    ]
    transaction.connection.execute(insert(_HELD), anchors)
    return number


def versions(
    transaction: Transaction, name: str, *, state: VersionState | None = None
) -> tuple[BundleVersion, ...]:
    """Its versions, the newest first."""
    statement = select(_VERSION).where(_VERSION.c.bundle == name)
    if state is not None:
        statement = statement.where(_VERSION.c.state == state)
    rows = transaction.connection.execute(statement.order_by(_VERSION.c.number.desc())).all()
    return tuple(_version(row, _anchors(transaction, name, row.number)) for row in rows)


def set_state(
    transaction: Transaction,
    version: BundleVersion,
    state: VersionState,
    *,
    now: datetime,
    reason: str | None = None,
) -> None:
    """What a person has decided about it; one that becomes current makes the other past."""
    _supersede(transaction, version.bundle, state)
    transaction.connection.execute(
        update(_VERSION)
        .where(_VERSION.c.bundle == version.bundle, _VERSION.c.number == version.number)
        .values(state=state, decided=now, reason=reason)
    )


def _supersede(transaction: Transaction, name: str, state: VersionState) -> None:
    """A bundle has one current version and at most one that waits; what waits was for the old."""
    gone = {"current": ("current", "held"), "held": ("held",)}.get(state, ())
    transaction.connection.execute(
        update(_VERSION)
        .where(_VERSION.c.bundle == name, _VERSION.c.state.in_(gone))
        .values(state="past")
    )


# ---- rows ------------------------------------------------------------------------------------


def _anchors(transaction: Transaction, name: str, number: int) -> tuple[x509.Certificate, ...]:
    statement = (
        select(_HELD.c.certificate)
        .where(_HELD.c.bundle == name, _HELD.c.number == number)
        .order_by(_HELD.c.ordinal)
    )
    found: Sequence[bytes] = transaction.connection.execute(statement).scalars().all()
    return tuple(map(x509.load_der_x509_certificate, found))


def _version(row: Any, anchors: tuple[x509.Certificate, ...]) -> BundleVersion:
    return BundleVersion(
        bundle=row.bundle,
        number=row.number,
        fetched=row.fetched,
        content=row.content,
        sha256=row.sha256,
        signer=_certificate(row.signer),
        anchors=anchors,
        state=row.state,
        reason=row.reason,
        decided=row.decided,
    )


def _bundle(row: Any) -> DirectBundle:
    return DirectBundle(
        name=row.name,
        url=row.url,
        reach=_reach(row),
        signer=_certificate(row.signer),
        strictness=_strictness(row),
        hold=row.hold,
        every_seconds=row.every_seconds,
        checked=row.checked,
        failure=row.failure,
    )


def _reach(row: Any) -> Reach:
    return Reach(None if row.domain == _ALL else row.domain, row.incoming, row.outgoing)


def _reach_values(reach: Reach) -> dict[str, Any]:
    domain = reach.domain or _ALL
    return {"domain": domain, "incoming": reach.incoming, "outgoing": reach.outgoing}


def _strictness(row: Any) -> Strictness | None:
    if row.revocation is None or row.no_source is None:
        return None
    return Strictness(row.revocation, row.no_source)


def _strictness_values(strictness: Strictness | None) -> dict[str, Any]:
    if strictness is None:
        return {"revocation": None, "no_source": None}
    return {"revocation": strictness.revocation, "no_source": strictness.no_source}


def _certificate(der: bytes | None) -> x509.Certificate | None:
    return None if der is None else x509.load_der_x509_certificate(der)


def _der(certificate: x509.Certificate | None) -> bytes | None:
    return None if certificate is None else certificate.public_bytes(Encoding.DER)
