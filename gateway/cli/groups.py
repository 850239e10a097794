"""Groups of commands, and how their help names them."""

from typing import Any

import typer
from typer.core import TyperGroup


class Commands(TyperGroup):
    """A group whose help says of each command what it does, in a sentence that is not cut short."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.said(ctx, name)) for name in self.list_commands(ctx)])

    def said(self, ctx: Any, name: str) -> str:
        """The first sentence of the command's own help."""
        command = self.get_command(ctx, name)
        said = "" if command is None else " ".join((command.help or "").split())
        first, stop, _ = said.partition(". ")
        return first + stop.strip()


def group(help: str) -> typer.Typer:
    """An empty group of commands; called without one it shows its help."""
    return typer.Typer(help=help, cls=Commands, no_args_is_help=True)
