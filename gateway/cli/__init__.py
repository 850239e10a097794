"""The command line: `gateway --help`.

Exit codes (DECISIONS 30): 0 all done, 1 failed, 2 usage, 3 done in part.
"""

import typer

from gateway.cli.parse import parse
from gateway.cli.terminal import Failure, say_failure

app = typer.Typer(
    name="gateway",
    help="A payer/HIE document exchange gateway: XCPD, XCA and Direct, C-CDA indexed into SQL, "
    "one sourced summary per member. `gateway demo` shows it at work.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


app.command()(parse)


@app.callback()
def _gateway() -> None:
    pass


def main() -> None:
    """Runs the command line; a failure that can be explained is one sentence on stderr."""
    try:
        app()
    except Failure as failure:
        say_failure(failure)
        raise SystemExit(failure.exit_code) from None
