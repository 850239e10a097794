"""The command line: `gateway --help`.

Exit codes (DECISIONS 30): 0 all done, 1 failed, 2 usage, 3 done in part.
"""

from collections.abc import Sequence

import typer

from gateway.cli.audit import audit_app
from gateway.cli.config import config_app
from gateway.cli.demo import demo
from gateway.cli.direct import direct_app
from gateway.cli.exchanges import exchanges_app
from gateway.cli.ingest import ingest_files
from gateway.cli.keys import keys_app
from gateway.cli.members import members_app
from gateway.cli.operations import (
    db_app,
    held_app,
    serve_command,
    tokens_app,
    worker_command,
)
from gateway.cli.parse import parse
from gateway.cli.partners import partners_app
from gateway.cli.quarantine import quarantine_app
from gateway.cli.records import retrieve, summary
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
app.command("demo")(demo)
app.command("serve")(serve_command)
app.command("worker")(worker_command)
app.command("parse")(parse)
app.command("ingest")(ingest_files)
app.command("retrieve")(retrieve)
app.command("summary")(summary)
app.add_typer(members_app, name="members")
app.add_typer(partners_app, name="partners")
app.add_typer(exchanges_app, name="exchanges")
app.add_typer(audit_app, name="audit")
app.add_typer(direct_app, name="direct")
app.add_typer(held_app, name="held")
app.add_typer(quarantine_app, name="quarantine")
app.add_typer(tokens_app, name="tokens")
app.add_typer(keys_app, name="keys")
app.add_typer(db_app, name="db")
app.add_typer(config_app, name="config")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line; a failure that can be explained is one sentence on stderr."""
    try:
        app(args=None if arguments is None else list(arguments), prog_name="gateway")
    except Failure as failure:
        say_failure(failure)
        raise SystemExit(failure.exit_code) from None
