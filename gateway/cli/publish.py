"""`gateway direct publish`: our certificates, in words for servers of yours."""

from typing import Annotated, Literal

import typer

from direct.publication import entries, ldif, zone_lines
from gateway.cli.opening import ConfigOption, settings_of
from gateway.cli.terminal import Exit, Failure
from gateway.intakes.publish import own_listings
from gateway.settings import InvalidSettings


def publish_certificates(
    form: Annotated[
        Literal["zone", "ldif"],
        typer.Option("--format", help="zone: lines for your DNS; ldif: entries for your LDAP."),
    ] = "zone",
    config: ConfigOption = None,
) -> None:
    """Print our certificates for your name server or your directory.

    [publish] in the settings says which certificates, for which domains. With `dns` or `ldap` in
    it, `gateway serve` answers by itself, and nothing has to be loaded anywhere.
    """
    settings = settings_of(config)
    if settings.publish is None:
        raise Failure("[publish] in the settings says nothing to publish", Exit.USAGE)
    try:
        found = own_listings(settings.publish)
    except InvalidSettings as error:
        raise Failure(str(error), Exit.USAGE) from None
    if form == "ldif":
        typer.echo(ldif(entries(found)), nl=False)
        return
    stated = settings.publish
    lines = zone_lines(found, ttl_seconds=stated.ttl_seconds, server=stated.server)
    typer.echo(lines, nl=False)
