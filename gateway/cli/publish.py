"""`gateway direct publish`: our certificates, in words for servers of yours."""

from datetime import UTC, datetime
from typing import Annotated, Literal

import typer
from cryptography import x509

from direct.publication import entries, ldif, zone_lines
from gateway.cli.opening import ConfigOption, opened_with, settings_of
from gateway.cli.terminal import Exit, Failure
from gateway.intakes.publish import own_listings
from gateway.settings import InvalidSettings, Settings
from gateway.store import direct_keys


def publish_certificates(
    form: Annotated[
        Literal["zone", "ldif"],
        typer.Option("--format", help="zone: lines for your DNS; ldif: entries for your LDAP."),
    ] = "zone",
    config: ConfigOption = None,
) -> None:
    """Print our certificates for your name server or your directory.

    They are those of `gateway direct keys`, below the domains of [publish], unless that names
    others. With `dns` or `ldap` in it, `gateway serve` answers by itself, with the keys as they
    are when it is asked, and nothing has to be loaded anywhere.
    """
    settings = settings_of(config)
    if settings.publish is None:
        raise Failure("[publish] in the settings says nothing to publish", Exit.USAGE)
    try:
        found = own_listings(settings.publish, _keys(settings))
    except InvalidSettings as error:
        raise Failure(str(error), Exit.USAGE) from None
    if not found:
        raise Failure("no key is in use for these domains; see `gateway direct keys import`")
    if form == "ldif":
        typer.echo(ldif(entries(found)), nl=False)
        return
    stated = settings.publish
    lines = zone_lines(found, ttl_seconds=stated.ttl_seconds, server=stated.server)
    typer.echo(lines, nl=False)


def _keys(settings: Settings) -> tuple[x509.Certificate, ...]:
    """Those of the database, which is opened only where the settings name no certificate."""
    if settings.publish is None or settings.publish.certificates:
        return ()
    now = datetime.now(UTC)
    with opened_with(settings) as house:
        return house.database.read(lambda tx: direct_keys.published(tx, now=now))
