"""Trust bundles kept up to date: fetched, verified, compared, and taken or held for a person.

Anchors that join a bundle are taken as its publisher says, which is what one trusts it for. What
could cut us off from others, or come from somebody else than the publisher, waits: anchors that
leave, another signer, a bundle that nothing vouches for, an earlier one that comes back. Every
fetch and every decision has its record.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, Literal

from direct.bundle import MOST_BYTES, Bundle, Difference, diff, read_bundle
from direct.chain import faults_of
from direct.errors import DirectError
from gateway.clients.fetch import Fetcher, FetchFailed
from gateway.model.direct_anchors import BundleVersion, DirectBundle
from gateway.model.exchange import Exchange, Outcome
from gateway.store import direct_anchors, exchange_log
from gateway.store.database import Database, Transaction

_TRANSACTION: Final = "DIRECT-BUNDLE"
Became = Literal["unchanged", "taken", "held", "failed", "refused"]
_OUTCOMES: Final[dict[Became, Outcome]] = {
    "unchanged": "success",
    "taken": "success",
    "held": "partial",
    "failed": "failed",
    "refused": "refused",
}


class UnknownBundle(Exception):
    """There is no bundle, or no version of it, of that name and number."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What became of a bundle that was to be fetched, in a sentence."""

    became: Became
    reason: str


def refresh_bundle(
    database: Database,
    fetcher: Fetcher,
    name: str,
    *,
    person: str | None = None,
    now: datetime | None = None,
) -> Refreshed:
    """Fetches the bundle and takes or holds what has changed. It blocks: call it in a thread.

    `person` is who asked for it, None if it is the schedule.

    Raises:
        UnknownBundle: there is none of that name.
    """
    now = now or datetime.now(UTC)
    opening = Exchange(
        time=now,
        direction="out",
        transaction=_TRANSACTION,
        outcome="unknown",
        person=person,
        role=None if person is None else "operator",
    )

    def begin(transaction: Transaction) -> tuple[DirectBundle, int, Exchange]:
        bundle = direct_anchors.get_bundle(transaction, name)
        if bundle is None:
            raise UnknownBundle(name)
        named = replace(opening, peer=_host(bundle.url), reason=f"the bundle {name}")
        return bundle, exchange_log.open_exchange(transaction, named), named

    bundle, open_id, opened = database.write(begin)
    found = _fetch(bundle, fetcher)

    def end(transaction: Transaction) -> Refreshed:
        became = (
            found if isinstance(found, Refreshed) else _settle(transaction, name, *found, now=now)
        )
        has_failed = became.became in ("failed", "refused")
        failure = became.reason if has_failed else None
        direct_anchors.note_check(transaction, name, now=now, failure=failure)
        record = replace(
            opened,
            outcome=_OUTCOMES[became.became],
            reason=f"the bundle {name}: {became.reason}",
        )
        exchange_log.close_exchange(transaction, open_id, record)
        return became

    return database.write(end)


def _fetch(bundle: DirectBundle, fetcher: Fetcher) -> tuple[bytes, Bundle] | Refreshed:
    signers = () if bundle.signer is None else (bundle.signer,)
    try:
        content = replace(fetcher, most_bytes=MOST_BYTES).fetch(bundle.url)
        return content, read_bundle(content, signers)
    except FetchFailed as failure:
        return Refreshed("failed", f"it cannot be had: {failure}")
    except DirectError as error:
        return Refreshed("refused", error.reason)


def _settle(
    transaction: Transaction, name: str, content: bytes, found: Bundle, *, now: datetime
) -> Refreshed:
    """Takes or holds what was fetched, by what the database says of the bundle now."""
    bundle = direct_anchors.get_bundle(transaction, name)
    if bundle is None:
        return Refreshed("failed", "it was taken out meanwhile")
    known = direct_anchors.versions(transaction, name)
    current = next((one for one in known if one.state == "current"), None)
    digest = sha256(content).hexdigest()
    difference = diff(None if current is None else _as_bundle(current), found)
    if current is not None and difference.is_none:
        for one in known:
            if one.state == "held":
                reason = "the bundle is again what it was"
                direct_anchors.set_state(transaction, one, "past", now=now, reason=reason)
        return Refreshed("unchanged", "it is unchanged")
    latest = known[0] if known else None
    # By its anchors, not its octets: a publisher may sign the same ones anew every day.
    if latest is not None and diff(_as_bundle(latest), found).is_none:
        if latest.state == "rejected":
            return Refreshed("unchanged", "it is still what was rejected")
        if latest.state == "held":
            return Refreshed("held", latest.reason or "it waits for a person")
    doubts = tuple(_why_held(bundle, current, known, found, difference, digest, now))
    words = in_words(difference)
    reason = "; ".join((words, *doubts))
    state: Literal["held", "current"] = "held" if doubts else "current"
    direct_anchors.add_version(
        transaction, name, content, found, state=state, reason=reason, now=now
    )
    return Refreshed("held" if doubts else "taken", reason)


def _why_held(
    bundle: DirectBundle,
    current: BundleVersion | None,
    known: Sequence[BundleVersion],
    found: Bundle,
    difference: Difference,
    digest: str,
    now: datetime,
) -> Iterator[str]:
    if bundle.signer is not None and found.signer != bundle.signer:
        yield "it is not signed by whom it must be"
    elif difference.signer_changed:
        yield "it is signed by another than before"
    if found.signer is not None:
        for fault in faults_of(found.signer, "the certificate of its signer", now=now):
            yield fault.text
    elif not bundle.url.lower().startswith("https://"):
        yield "it is neither signed nor fetched over https"
    if difference.left:
        yield "anchors leave"
    if any(one.sha256 == digest for one in known):
        yield "it is an earlier version that comes back"
    if current is not None and any(
        one.state == "rejected" and one.number > current.number for one in known
    ):
        yield "its last version was rejected"
    if current is not None and bundle.hold == "any":
        yield "every change of it waits for a person"


def in_words(difference: Difference) -> str:
    """How many anchors join and leave."""
    return f"{len(difference.joined)} anchors join, {len(difference.left)} leave"


def _as_bundle(version: BundleVersion) -> Bundle:
    return Bundle(version.anchors, None, version.signer, 0)


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2]


# ---- decisions of a person -------------------------------------------------------------------


def approve(
    transaction: Transaction, name: str, number: int | None, *, now: datetime
) -> tuple[BundleVersion, str]:
    """Makes the version that waits current, or the named one: back to an earlier one, too.

    The one gone back from counts as rejected, so that the next fetch does not bring it again. A
    signer other than the one it must be signed by becomes that.

    Raises:
        UnknownBundle: there is no such bundle or version, or none waits.
    """
    known = direct_anchors.versions(transaction, name)
    wanted = next(
        (one for one in known if (one.state == "held" if number is None else one.number == number)),
        None,
    )
    if wanted is None:
        raise UnknownBundle(name)
    is_back = any(one.state == "current" and one.number > wanted.number for one in known)
    for one in known:
        if is_back and one.number > wanted.number and one.state in ("current", "held"):
            direct_anchors.set_state(transaction, one, "rejected", now=now, reason="rolled back")
    words = f"gone back to version {wanted.number}" if is_back else f"version {wanted.number} taken"
    direct_anchors.set_state(transaction, wanted, "current", now=now, reason=words)
    bundle = direct_anchors.get_bundle(transaction, name)
    if bundle is not None and bundle.signer not in (None, wanted.signer):
        direct_anchors.pin_signer(transaction, name, wanted.signer)
        words += (
            ", and it need not be signed from now on"
            if wanted.signer is None
            else ", and whoever has signed it must sign it from now on"
        )
    return wanted, words


def reject(transaction: Transaction, name: str, *, now: datetime) -> BundleVersion:
    """Leaves what waits; it is not held again while it stays as it is.

    Raises:
        UnknownBundle: there is no such bundle, or none of its versions waits.
    """
    held = direct_anchors.versions(transaction, name, state="held")
    if not held:
        raise UnknownBundle(name)
    direct_anchors.set_state(transaction, held[0], "rejected", now=now, reason=held[0].reason)
    return held[0]
