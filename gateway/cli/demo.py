"""`gateway demo`: the product in miniature, on loopback."""

import asyncio
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.api.listener import until_asked_to_stop
from gateway.app.house import open_house
from gateway.cli.terminal import Exit, Failure, out
from gateway.demo.network import DemoFailed, Network, started
from gateway.demo.parties import MEMBER_NUMBER
from gateway.demo.run import faults, show
from gateway.settings import load_settings
from gateway.store import exchange_log

_PORT: Final = 8080


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="End after the summary; exit 0 only if all went well.")
    ] = False,
) -> None:
    """Start a gateway and a simulated partner network, and ask for one member's records.

    Everything runs on loopback with throwaway certificates: real mutual TLS, signed SAML, MTOM.
    The people, organizations and documents are made up.
    """
    # Until the loop takes signals itself, a SIGTERM too must leave nothing behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(int(Exit.FAILED)))
    with tempfile.TemporaryDirectory(prefix="gateway-demo-") as folder:
        try:
            asyncio.run(_demo(Path(folder), once=once))
        except DemoFailed as failure:
            raise Failure(str(failure)) from None


async def _demo(folder: Path, *, once: bool) -> None:
    begun = time.monotonic()
    out.print("Starting a health plan's gateway and four partner communities on loopback …")
    # Who stays to look finds it where one looks first; who does not must disturb nobody.
    async with started(folder, port=0 if once else _PORT) as network:
        shown = await show(network, out)
        out.print(f"From start to summary: {time.monotonic() - begun:.1f} s")
        wrong = faults(shown)
        if not once:
            _say_where(network)
            await until_asked_to_stop()
    wrong += _audit(network)
    for fault in wrong:
        out.print(f"not as it should be: {fault}")
    if wrong:
        raise typer.Exit(int(Exit.FAILED))


def _say_where(network: Network) -> None:
    member = f"{network.plan_url}/api/v1/members/{network.member}"
    header = f"-H 'Authorization: Bearer {network.staff_token}'"
    audit = f"-H 'Authorization: Bearer {network.auditor_token}'"
    out.print("\nLook further, in another terminal:")
    out.print(f"  {network.plan_url}/docs")
    out.print(f"  curl {header} {member}/summary")
    out.print(f"  curl {audit} {network.plan_url}/api/v1/exchanges")
    out.print(f"  {_command()} summary {MEMBER_NUMBER} --config {network.config}")
    out.print(f"  {_command()} audit verify --config {network.config}")
    out.print("Ctrl-C ends the demo and removes everything it made.")


def _command() -> str:
    """How this very command is called from here."""
    called = Path(sys.argv[0])
    try:
        return str(called.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(called)


def _audit(network: Network) -> list[str]:
    """The plan's log must be whole when all is over."""
    with open_house(load_settings(network.config)) as house:
        result = house.database.read(exchange_log.verify)
    out.print(f"{result.records} exchange records, chain verified: {result.reason or 'sound'}")
    return [] if result.reason is None else [f"the exchange log: {result.reason}"]
