"""`gateway direct bundles`: trust bundles, fetched again and again, their changes taken or held."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import orjson
import typer
from cryptography import x509
from rich.table import Table

from direct.bundle import Bundle, diff
from gateway.app.house import House
from gateway.cli.direct_anchors import (
    DomainOption,
    IncomingOption,
    NoSource,
    NoSourceOption,
    OutgoingOption,
    Revocation,
    RevocationOption,
    in_words,
    reach_of,
    read_certificates,
    strictness_in_words,
    strictness_of,
)
from gateway.cli.groups import group
from gateway.cli.opening import ConfigOption, JsonOption, opened
from gateway.cli.recording import operator, record, record_look, refusal
from gateway.cli.terminal import Exit, Failure, out, printable
from gateway.exchange.direct_bundles import (
    Refreshed,
    UnknownBundle,
    approve,
    refresh_bundle,
    reject,
)
from gateway.model.direct_anchors import REFRESH_BUNDLE, BundleVersion, DirectBundle
from gateway.store import direct_anchors
from gateway.store.transaction import Transaction

bundles_app = group("Trust bundles of communities.")
_NOT_HAD: Final = ("failed", "refused")
NameArgument = Annotated[str, typer.Argument(help="The bundle's name.")]


@bundles_app.command("add")
def add_bundle(
    name: Annotated[str, typer.Argument(help="A name of yours for it.")],
    url: Annotated[str, typer.Argument(help="Where it lies, http or https.")],
    signer: Annotated[
        Path | None, typer.Option(help="Certificate by which it must be signed.")
    ] = None,
    domain: DomainOption = None,
    incoming: IncomingOption = True,
    outgoing: OutgoingOption = True,
    revocation: RevocationOption = Revocation.REQUIRED,
    without_source: NoSourceOption = NoSource.REFUSE,
    hold_any: Annotated[
        bool, typer.Option("--hold-any", help="Every change waits for `approve`.")
    ] = False,
    every_hours: Annotated[int, typer.Option(min=1, help="How often it is fetched.")] = 24,
    config: ConfigOption = None,
) -> None:
    """Trust the anchors of a bundle, or change how it is taken; it is fetched at once.

    What cannot be had, or is refused, is tried again as often as the bundle is fetched; the exit
    is 1 then.
    """
    hold: Literal["any", "leaving"] = "any" if hold_any else "leaving"
    with opened(config) as house:
        if not url.lower().startswith(("http://", "https://")):
            raise Failure("a bundle lies at an address of http or https", Exit.USAGE)
        bundle = DirectBundle(
            name=name,
            url=url,
            reach=reach_of(domain, incoming, outgoing),
            signer=_signer(signer),
            strictness=strictness_of(revocation, without_source),
            hold=hold,
            every_seconds=every_hours * 3600,
        )
        house.database.write(lambda tx: _put(tx, house, bundle))
        became = _refresh(house, name)
        _say(name, became)
    if became.became in _NOT_HAD:
        raise typer.Exit(Exit.FAILED)


def _put(transaction: Transaction, house: House, bundle: DirectBundle) -> None:
    direct_anchors.put_bundle(transaction, bundle)
    house.queue.schedule(
        transaction,
        name=_schedule(bundle.name),
        kind=REFRESH_BUNDLE,
        plan=None,
        payload={"bundle": bundle.name},
        every_seconds=bundle.every_seconds,
        first=datetime.now(UTC) + timedelta(seconds=bundle.every_seconds),
    )
    signed = "" if bundle.signer is None else f", signed by {_shown(bundle.signer)}"
    words = (
        f"the bundle {bundle.name}: {bundle.url}, {in_words(bundle.reach)}, revocation"
        f" {strictness_in_words(bundle.strictness)}, holds {bundle.hold}{signed}"
    )
    record(transaction, "CLI-DIRECT-BUNDLE-ADD", plan=None, reason=words)


@bundles_app.command("list")
def list_bundles(json: JsonOption = False, config: ConfigOption = None) -> None:
    """Every bundle: when it was had, how many anchors it gives, what waits."""
    with opened(config) as house:
        found = house.database.read(_listed)
        record_look(house, "CLI-DIRECT-BUNDLES", plan=None)
    if json:
        for bundle, versions in found:
            typer.echo(orjson.dumps(_form(bundle, versions)).decode())
        return
    if not found:
        out.print("No bundles yet. `gateway direct bundles add NAME URL` trusts one.")
        return
    table = Table("bundle", "for", "anchors", "had", "revocation", "waits")
    for bundle, versions in found:
        current = _in_state(versions, "current")
        held = _in_state(versions, "held")
        table.add_row(
            printable(bundle.name),
            in_words(bundle.reach),
            str(len(current.anchors) if current else 0),
            bundle.failure or (bundle.checked.isoformat() if bundle.checked else "never"),
            strictness_in_words(bundle.strictness),
            f"version {held.number}" if held else "",
        )
    out.print(table)


@bundles_app.command("refresh")
def refresh(
    name: Annotated[str | None, typer.Argument(help="The bundle; all if left out.")] = None,
    config: ConfigOption = None,
) -> None:
    """Fetch a bundle now. Exits 3 if some of several failed."""
    with opened(config) as house:
        known = house.database.read(direct_anchors.list_bundles)
        names = [bundle.name for bundle in known] if name is None else [name]
        became = [_refresh(house, one) for one in names]
        for one, what in zip(names, became, strict=True):
            _say(one, what)
    failed = [one for one in became if one.became in _NOT_HAD]
    if failed:
        code = Exit.FAILED if len(failed) == len(became) else Exit.PARTLY
        raise typer.Exit(code)


@bundles_app.command("show")
def show(
    name: NameArgument,
    version: Annotated[int | None, typer.Option(help="Another than what waits.")] = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """A version of a bundle and what it changes: the one that waits, else the current one."""
    with opened(config) as house:
        versions = house.database.read(lambda tx: direct_anchors.versions(tx, name))
        record_look(house, "CLI-DIRECT-BUNDLE-SHOW", plan=None, reason=f"the bundle {name}")
    held, current = _in_state(versions, "held"), _in_state(versions, "current")
    wanted = held or current
    if version is not None:
        wanted = next((one for one in versions if one.number == version), None)
    if wanted is None:
        raise Failure(f"there is no such bundle or version: {name}")
    before = current
    if wanted is current:  # what it changed when it became so
        before = next((one for one in versions if one.number < wanted.number), None)
    if json:
        typer.echo(orjson.dumps(_version_form(wanted, before)).decode())
        return
    out.print(f"version {wanted.number} of {printable(name)}, {wanted.state}")
    out.print(f"fetched {wanted.fetched.isoformat()}, sha256 {wanted.sha256}")
    out.print(f"signed by {_shown(wanted.signer) if wanted.signer else 'nobody'}")
    if wanted.reason:
        out.print(printable(wanted.reason))
    for line in _changes(wanted, before):
        out.print(line)


@bundles_app.command("approve")
def approve_version(
    name: NameArgument,
    version: Annotated[
        int | None, typer.Option(help="Another than what waits: back to an earlier one.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Take the version that waits, or go back to an earlier one."""

    def unit(transaction: Transaction) -> tuple[BundleVersion, str]:
        taken, words = approve(transaction, name, version, now=datetime.now(UTC))
        reason = f"the bundle {name}: {words}, sha256 {taken.sha256}"
        record(transaction, "CLI-DIRECT-BUNDLE-APPROVE", plan=None, reason=reason)
        return taken, words

    taken, words = _decided(config, name, "CLI-DIRECT-BUNDLE-APPROVE", unit)
    out.print(f"{printable(name)}: {words}; {len(taken.anchors)} anchors are trusted")


@bundles_app.command("reject")
def reject_version(name: NameArgument, config: ConfigOption = None) -> None:
    """Leave the version that waits; what was trusted before it stays."""

    def unit(transaction: Transaction) -> tuple[BundleVersion, str]:
        left = reject(transaction, name, now=datetime.now(UTC))
        reason = f"the bundle {name}: version {left.number}, sha256 {left.sha256}"
        record(transaction, "CLI-DIRECT-BUNDLE-REJECT", plan=None, reason=reason)
        return left, ""

    left, _ = _decided(config, name, "CLI-DIRECT-BUNDLE-REJECT", unit)
    out.print(f"{printable(name)}: version {left.number} is rejected")


@bundles_app.command("remove")
def remove_bundle(name: NameArgument, config: ConfigOption = None) -> None:
    """Trust a bundle no longer."""
    with opened(config) as house:

        def unit(transaction: Transaction) -> bool:
            house.queue.unschedule(transaction, name=_schedule(name))
            was_there = direct_anchors.remove_bundle(transaction, name)
            if was_there:
                reason = f"the bundle {name}"
                record(transaction, "CLI-DIRECT-BUNDLE-REMOVE", plan=None, reason=reason)
            return was_there

        if not house.database.write(unit):
            reason = f"there is no bundle {name}"
            raise refusal(house, "CLI-DIRECT-BUNDLE-REMOVE", plan=None, reason=reason)
    out.print(f"{printable(name)} is no longer trusted")


# ---- steps -----------------------------------------------------------------------------------


def _signer(file: Path | None) -> x509.Certificate | None:
    if file is None:
        return None
    found = read_certificates(file)
    if len(found) != 1:
        raise Failure(f"{file} holds several certificates; the signer is one", Exit.USAGE)
    return found[0]


def _refresh(house: House, name: str) -> Refreshed:
    try:
        return refresh_bundle(house.database, house.fetcher, name, person=operator())
    except UnknownBundle:
        reason = f"there is no bundle {name}"
        raise refusal(house, "DIRECT-BUNDLE", plan=None, reason=reason) from None


def _say(name: str, became: Refreshed) -> None:
    out.print(f"{printable(name)}: {became.became}: {printable(became.reason)}")
    if became.became == "held":
        out.print(f"see `gateway direct bundles show {printable(name)}`, then approve or reject")


def _decided(
    config: Path | None,
    name: str,
    act: str,
    unit: Callable[[Transaction], tuple[BundleVersion, str]],
) -> tuple[BundleVersion, str]:
    with opened(config) as house:
        try:
            return house.database.write(unit)
        except UnknownBundle:
            reason = f"{name}: there is no such bundle or version, or none waits"
            raise refusal(house, act, plan=None, reason=reason) from None


def _schedule(name: str) -> str:
    return f"direct bundle {name}"


def _listed(transaction: Transaction) -> list[tuple[DirectBundle, tuple[BundleVersion, ...]]]:
    return [
        (bundle, direct_anchors.versions(transaction, bundle.name))
        for bundle in direct_anchors.list_bundles(transaction)
    ]


def _in_state(versions: tuple[BundleVersion, ...], state: str) -> BundleVersion | None:
    return next((one for one in versions if one.state == state), None)


def _changes(version: BundleVersion, before: BundleVersion | None) -> Iterator[str]:
    difference = diff(_as_bundle(before) if before else None, _as_bundle(version))
    for sign, changed in (("+", difference.joined), ("-", difference.left)):
        for certificate in changed:
            yield f"{sign} {_shown(certificate)}"
    yield f"{len(version.anchors)} anchors in all"


def _as_bundle(version: BundleVersion) -> Bundle:
    return Bundle(version.anchors, None, version.signer, 0)


def _shown(certificate: x509.Certificate) -> str:
    digits = direct_anchors.fingerprint(certificate)[:16]
    return f"{printable(certificate.subject.rfc4514_string())} ({digits})"


def _form(bundle: DirectBundle, versions: tuple[BundleVersion, ...]) -> dict[str, Any]:
    current, held = _in_state(versions, "current"), _in_state(versions, "held")
    return {
        "name": bundle.name,
        "url": bundle.url,
        "domain": bundle.reach.domain,
        "incoming": bundle.reach.incoming,
        "outgoing": bundle.reach.outgoing,
        "hold": bundle.hold,
        "checked": bundle.checked.isoformat() if bundle.checked else None,
        "failure": bundle.failure,
        "anchors": len(current.anchors) if current else 0,
        "version": current.number if current else None,
        "held": held.number if held else None,
    }


def _version_form(version: BundleVersion, before: BundleVersion | None) -> dict[str, Any]:
    difference = diff(_as_bundle(before) if before else None, _as_bundle(version))
    return {
        "bundle": version.bundle,
        "version": version.number,
        "state": version.state,
        "fetched": version.fetched.isoformat(),
        "sha256": version.sha256,
        "signer": direct_anchors.fingerprint(version.signer) if version.signer else None,
        "reason": version.reason,
        "joined": [direct_anchors.fingerprint(one) for one in difference.joined],
        "left": [direct_anchors.fingerprint(one) for one in difference.left],
        "anchors": [direct_anchors.fingerprint(one) for one in version.anchors],
    }
