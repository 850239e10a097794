"""The command line: `gateway --help`.

A command's room is imported when the command is called: `gateway parse` needs neither the database
nor the web, and nobody waits for them. Exit codes (DECISIONS 30): 0 all done, 1 failed, 2 usage,
3 done in part.
"""

import errno
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.main import get_command_from_info, get_group_from_info
from typer.models import CommandInfo, TyperInfo

from gateway.cli.groups import Commands
from gateway.cli.terminal import Exit, Failure, say_failure

_COMMANDS: Final = {
    "demo": ("demo:demo", "See the main job on loopback: a plan asks a simulated network."),
    "serve": ("operations:serve_command", "Answer partners and plans, take mail, and do the work."),
    "worker": ("operations:worker_command", "Do queued work alone, beside `serve`, on PostgreSQL."),
    "simulate": ("simulate:simulate", "Run a simulated partner on loopback, good or misbehaving."),
    "parse": ("parse:parse", "Print what documents say as JSON, one object a document."),
    "ingest": ("ingest:ingest_files", "Index documents from files, with the members they name."),
    "retrieve": (
        "retrieving:retrieve",
        "Ask every partner for a member's records, or for a roster's.",
    ),
    "submit": ("submit:submit_documents", "Submit a member's documents to a partner."),
    "summary": ("records:summary", "Show a member's merged summary, each line with its sources."),
    "members": ("members:members_app", "Import and look at the members of your plans."),
    "partners": ("partners:partners_app", "Add, check and know the communities you exchange with."),
    "exchanges": (
        "exchanges:exchanges_app",
        "Search the exchange log: who asked whom for what, and why.",
    ),
    "audit": ("audit:audit_app", "Prove that the exchange log is whole, or find what is not."),
    "direct": ("direct:direct_app", "Direct secure messaging: send, receive, keys, trust."),
    "held": ("held:held_app", "Decide what waits for a person: documents and matches."),
    "quarantine": (
        "quarantine:quarantine_app",
        "Look at what could not be read, or was not trusted.",
    ),
    "tokens": ("operations:tokens_app", "Make and revoke the tokens of the REST doors."),
    "keys": ("keys:keys_app", "Our own keys, and how one follows another."),
    "db": ("operations:db_app", "Make the database, or bring it to this version."),
    "config": ("config:config_app", "Check the settings, and say what they mean."),
}
"""Each with the function that does it, or the group of its subcommands, and their room; and what
is said of it where all are named, for which no room need be imported."""


_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""Why what a command prints may not be taken."""


class _Commands(Commands):
    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        self.commands = dict.fromkeys(_COMMANDS)  # type: ignore[assignment]  # names to be listed

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        place, _ = _COMMANDS.get(cmd_name, (None, ""))
        return None if place is None else _command(cmd_name, place)

    def said(self, ctx: Any, name: str) -> str:
        return _COMMANDS[name][1]


def _command(name: str, place: str) -> Any:
    room, _, attribute = place.partition(":")
    found = getattr(_room(room), attribute)
    if isinstance(found, typer.Typer):
        return get_group_from_info(
            TyperInfo(found, name=name),
            pretty_exceptions_short=True,
            suggest_commands=True,
            rich_markup_mode=None,
        )
    return get_command_from_info(
        CommandInfo(name, callback=found), pretty_exceptions_short=True, rich_markup_mode=None
    )


def _room(name: str) -> Any:
    """The module; what it makes is made for good, and no collector has to look at it meanwhile."""
    gc.disable()
    try:
        return import_module(f"gateway.cli.{name}")
    finally:
        gc.enable()


app = typer.Typer(
    name="gateway",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _say_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"gateway {version('document-exchange-gateway')}")
        raise typer.Exit


@app.callback()
def gateway(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_say_version, is_eager=True, help="Say which version this is."
        ),
    ] = False,
) -> None:
    """A payer/HIE document exchange gateway: XCPD, XCA and Direct, C-CDA indexed into SQL, one
    sourced summary per member. `gateway demo` shows it at work."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line; a failure that can be explained is one sentence on stderr."""
    try:
        try:
            app(args=None if arguments is None else list(arguments), prog_name="gateway")
        finally:
            sys.stdout.flush()
    except Failure as failure:
        say_failure(failure)
        raise SystemExit(failure.exit_code) from None
    except OSError as error:
        if error.errno not in _FULL or error.filename is not None:
            raise
        say_failure(Failure(f"the output cannot be written: {error.strerror}"))
        # What is still to be written would fail again, as Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(int(Exit.FAILED)) from None
