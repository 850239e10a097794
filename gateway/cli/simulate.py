"""`gateway simulate`: a partner to try things on, as well or as ill behaved as one likes."""

import asyncio
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer
from rich.table import Table

from gateway.api.listener import until_asked_to_stop
from gateway.cli.opening import ConfigOption, JsonOption, settings_of
from gateway.cli.terminal import Exit, Failure, out
from gateway.demo.simulator.deferred_moods import DEFERRED
from gateway.demo.simulator.folder import Made, lay_out, write_partner_file, write_roster
from gateway.demo.simulator.holdings import HOME, NAME
from gateway.demo.simulator.listening import listening
from gateway.demo.simulator.locating_moods import LOCATING
from gateway.demo.simulator.mood import Mood
from gateway.demo.simulator.moods import MOODS, mood
from gateway.model.trust import certificate
from ihe.identifiers import HomeCommunityId

_ALL: Final = (*MOODS.values(), *DEFERRED.values(), *LOCATING.values())
_FOLDER: Final = Path("simulated-partner")


def simulate(
    moods: Annotated[
        list[str] | None,
        typer.Option(
            "--mood",
            help="How it misbehaves; repeatable. NAME, or NAME@ITI-38 for that step alone.",
        ),
    ] = None,
    list_moods: Annotated[bool, typer.Option("--list", help="Show the moods there are.")] = False,
    port: Annotated[int, typer.Option(help="Port on loopback; any that is free if 0.")] = 0,
    folder: Annotated[
        Path, typer.Option(help="Where its throwaway keys and its partner file are put.")
    ] = _FOLDER,
    home: Annotated[str, typer.Option(help="Its home community id.")] = str(HOME),
    name: Annotated[str, typer.Option(help="Its name.")] = NAME,
    callers: Annotated[
        list[Path] | None,
        typer.Option(
            "--caller",
            metavar="FILE",
            help="PEM: whose TLS certificate is let in; that of [tls] in gateway.toml if not said.",
        ),
    ] = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Run a simulated partner on loopback until Ctrl-C: real TLS, SOAP, SAML, MTOM.

    It knows one made-up person (that of `gateway demo`) with three documents. In another
    terminal: `gateway partners add simulated-partner/partner.toml` and `gateway members import
    simulated-partner/roster.csv`, then `gateway partners check` or `gateway retrieve SIM-1`. It
    looks at the TLS certificate of who calls, and at no signature.
    """
    if list_moods:
        _list(json=json)
        return
    wanted = tuple(_mood(text) for text in moods or ())
    try:
        community = HomeCommunityId.parse(home)
    except ValueError:
        raise Failure("--home must be an OID", Exit.USAGE) from None
    if '"' in name or not name.isprintable():
        raise Failure("--name must be plain text", Exit.USAGE)
    pems = [_pem(file) for file in callers or [_own_certificate(config)]]
    try:
        made = lay_out(folder, name=name, home=community, moods=wanted, callers=pems)
        plan = next((one.id for one in settings_of(config).plans), "acme")
        roster = write_roster(folder, made.responder.held.person, plan=plan)
        asyncio.run(_run(made, folder, roster, name=name, home=community, port=port))
    except OSError as error:
        place = error.filename or f"port {port}"
        raise Failure(f"the partner cannot be run: {place}: {error.strerror or error}") from None


async def _run(
    made: Made, folder: Path, roster: Path, *, name: str, home: HomeCommunityId, port: int
) -> None:
    async with listening(made.responder, made.context, client=made.client, port=port) as up:
        file = write_partner_file(
            folder, name=name, home=home, port=up.port, moods=made.responder.moods
        )
        out.print(f"{name} ({home}) answers at https://localhost:{up.port}/ihe/xcpd and /ihe/xca")
        for one in made.responder.moods:
            out.print(f"  mood {one.name} in {_place(one)}: {one.said}")
        out.print(f"gateway partners add {file}")
        out.print(f"gateway members import {roster}")
        out.print("Ctrl-C ends it.")
        await until_asked_to_stop()


def _mood(text: str) -> Mood:
    try:
        return mood(text)
    except ValueError as error:
        raise Failure(str(error), Exit.USAGE) from None


def _own_certificate(config: Path | None) -> Path:
    tls = settings_of(config).tls
    if tls is None:
        raise Failure(
            "say whom it lets in with --caller, or have [tls] in the settings", Exit.USAGE
        )
    return tls.certificate


def _pem(file: Path) -> str:
    try:
        text = file.read_text(encoding="ascii")
        certificate(text)
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}", Exit.USAGE) from None
    except ValueError:
        raise Failure(f"{file} is no PEM certificate", Exit.USAGE) from None
    return text


def _place(mood: Mood) -> str:
    return "the connection" if mood.is_of_connection else ", ".join(mood.at)


def _list(*, json: bool) -> None:
    if json:
        for one in _ALL:
            form = {"name": one.name, "at": list(one.at), "said": one.said}
            typer.echo(orjson.dumps(form).decode())
        return
    table = Table("mood", "shows in", "what it does")
    for one in _ALL:
        table.add_row(one.name, _place(one), one.said)
    out.print(table)
