"""`gateway partners import`: a network's directory, taken over from a file or an address."""

from collections.abc import Iterable, Iterator
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import SplitResult, urljoin, urlsplit

import orjson
import typer

from gateway.app.house import House
from gateway.cli.opening import ConfigOption, JsonOption, PlanOption, opened
from gateway.cli.partner_quirks import say_what_is_known
from gateway.cli.recording import record
from gateway.cli.terminal import Exit, Failure, err, out, printable
from gateway.clients.fetch import Fetcher, FetchFailed
from gateway.exchange.directory import Directory, NoDirectory, parse_page, read_directory
from gateway.exchange.directory_changes import Changes, compare
from gateway.model.identity import PlanId
from gateway.model.partner import Partner
from gateway.settings_addresses import PrivateAddresses
from gateway.store import partners
from gateway.store.scope import ALL_PLANS
from gateway.store.transaction import Transaction

_HTTP: Final = 80
_MOST_PAGES: Final = 10_000
_SECONDS: Final = 60.0
_MOST_BYTES: Final = 64 * 1024 * 1024


def import_directory(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Files with a FHIR Bundle, or https addresses; organizations and endpoints may"
            " stand apart.",
        ),
    ],
    network: Annotated[
        str, typer.Option(help="The network whose directory it is, as [[networks]] names it.")
    ],
    complete: Annotated[
        bool,
        typer.Option("--complete", help="It lists all of the network: nobody asks the others."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what it would change.")
    ] = False,
    plan: PlanOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Take over a directory of FHIR Organizations and Endpoints; again, only what has changed.

    An organization without endpoints is reached by the one above it, and not asked beside it.
    What is not listed stays as it is, unless --complete says that nothing is left out.
    """
    with opened(config) as house:
        if house.settings.network(network) is None:
            raise Failure(f"there is no network {network}; add it to gateway.toml", Exit.USAGE)
        if plan is not None and house.plan(plan) is None:
            raise Failure(f"there is no plan {plan}; add it to gateway.toml", Exit.USAGE)
        of_plan = PlanId(plan) if plan else None
        directory = _directory(house, sources)
        known = house.database.read(lambda tx: partners.list_all(tx, plan=ALL_PLANS))
        changes = compare(
            directory.communities,
            known,
            network=network,
            plan=of_plan,
            own=house.community.home_community_id,
            complete=complete,
        )
        if not dry_run:
            house.database.write(partial(_put, changes, network, of_plan))
    _say(changes, directory, json=json, dry_run=dry_run)
    if directory.unusable:
        raise typer.Exit(int(Exit.PARTLY))


def _put(changes: Changes, network: str, plan: PlanId | None, transaction: Transaction) -> None:
    for partner in (*changes.added, *changes.changed, *changes.retired):
        partners.put(transaction, partner)
        record(transaction, "CLI-PARTNER-ADD", plan=plan, partner=partner.id, reason=network)
    record(transaction, "CLI-DIRECTORY", plan=plan, reason=f"{network}: {_counted(changes)}")


def _directory(house: House, sources: Iterable[str]) -> Directory:
    try:
        found = read_directory(one for source in sources for one in _resources(house, source))
    except (NoDirectory, FetchFailed) as error:
        raise Failure(f"the directory cannot be taken over: {error}") from None
    if not found.communities and not found.unusable:
        raise Failure("the directory lists no organization")
    return found


def _resources(house: House, source: str) -> Iterator[Any]:
    """Those of all pages."""
    private = PrivateAddresses.of(house.settings.revocation.private_addresses)
    fetcher = Fetcher(private, seconds=_SECONDS, most_bytes=_MOST_BYTES)
    seen: set[str] = set()
    following: str | None = source
    while following is not None and following not in seen and len(seen) < _MOST_PAGES:
        seen.add(following)
        resources, named = parse_page(_content(fetcher, following, private))
        yield from resources
        # A file's next page would be elsewhere: whoever has a file has all of it.
        following = urljoin(following, named) if named and "://" in source else None


def _content(fetcher: Fetcher, source: str, private: PrivateAddresses) -> bytes:
    if "://" not in source:
        try:
            return Path(source).read_bytes()
        except OSError as error:
            raise Failure(f"{source} cannot be read: {error.strerror}", Exit.USAGE) from None
    parts = urlsplit(source)
    if parts.scheme.lower() != "https" and not _is_private(parts, private):
        raise FetchFailed("a directory is fetched over https")
    return fetcher.fetch(source)


def _is_private(parts: SplitResult, private: PrivateAddresses) -> bool:
    """Whether it stands at an address that settings allow, not at a name that may lead there."""
    try:
        return private.allow(ip_address(parts.hostname or ""), parts.port or _HTTP)
    except ValueError:
        return False


# ---- what is said ----------------------------------------------------------------------------


def _counted(changes: Changes) -> str:
    return (
        f"{len(changes.added)} added, {len(changes.changed)} changed, "
        f"{len(changes.retired)} retired, {changes.unchanged} as they were"
    )


def _say(changes: Changes, directory: Directory, *, json: bool, dry_run: bool) -> None:
    if json:
        form = {
            "added": [_form(one) for one in changes.added],
            "changed": [_form(one) for one in changes.changed],
            "retired": [_form(one) for one in changes.retired],
            "unchanged": changes.unchanged,
            "left_alone": [_form(one) for one in changes.left_alone],
            "unusable": list(directory.unusable),
        }
        typer.echo(orjson.dumps(form).decode())
    else:
        out.print(("would be: " if dry_run else "") + _counted(changes))
        within = [one for one in (*changes.added, *changes.changed) if one.profile.within]
        if within:
            out.print(f"{len(within)} of them are reached by another community, and not asked")
        mute = [one for one in (*changes.added, *changes.changed) if not one.endpoints.iti55]
        if mute:
            out.print(f"{len(mute)} of them have no address for patient discovery")
        for one in changes.left_alone:
            place = f"of the network {one.network}" if one.network else "of no network"
            out.print(f"{printable(one.name)} is a partner already, {place}: left as it is")
        for one in changes.added:
            say_what_is_known(one)
    for reason in directory.unusable:
        err.print(f"gateway: {printable(reason)}")


def _form(partner: Partner) -> dict[str, Any]:
    return {
        "id": partner.id,
        "name": partner.name,
        "home_community_id": str(partner.home_community_id),
        "within": partner.profile.within,
    }
