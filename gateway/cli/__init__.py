"""The command line: `gateway --help`.

A command's room is imported when the command is called: `gateway parse` needs neither the database
nor the web, and nobody waits for them. Exit codes (DECISIONS 30): 0 all done, 1 failed, 2 usage,
3 done in part.
"""

import gc
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command_from_info, get_group_from_info
from typer.models import CommandInfo, TyperInfo

from gateway.cli.terminal import Failure, say_failure

_COMMANDS: Final = {
    "demo": "demo:demo",
    "serve": "operations:serve_command",
    "worker": "operations:worker_command",
    "simulate": "simulate:simulate",
    "parse": "parse:parse",
    "ingest": "ingest:ingest_files",
    "retrieve": "records:retrieve",
    "submit": "submit:submit_documents",
    "summary": "records:summary",
    "members": "members:members_app",
    "partners": "partners:partners_app",
    "exchanges": "exchanges:exchanges_app",
    "audit": "audit:audit_app",
    "direct": "direct:direct_app",
    "held": "held:held_app",
    "quarantine": "quarantine:quarantine_app",
    "tokens": "operations:tokens_app",
    "keys": "keys:keys_app",
    "db": "operations:db_app",
    "config": "config:config_app",
}
"""Each with the function that does it, or the group of its subcommands, and their room."""


class _Commands(TyperGroup):
    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        self.commands = dict.fromkeys(_COMMANDS)  # type: ignore[assignment]  # names to be listed

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        place = _COMMANDS.get(cmd_name)
        return None if place is None else _command(cmd_name, place)


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


@app.callback()
def gateway() -> None:
    """A payer/HIE document exchange gateway: XCPD, XCA and Direct, C-CDA indexed into SQL, one
    sourced summary per member. `gateway demo` shows it at work."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line; a failure that can be explained is one sentence on stderr."""
    try:
        app(args=None if arguments is None else list(arguments), prog_name="gateway")
    except Failure as failure:
        say_failure(failure)
        raise SystemExit(failure.exit_code) from None
