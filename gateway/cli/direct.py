"""`gateway direct`: Direct mail; each command stands in the file of what it does."""

import typer

from gateway.cli.direct_anchors import anchors_app
from gateway.cli.direct_bundles import bundles_app
from gateway.cli.messages import list_inbox
from gateway.cli.publish import publish_certificates

direct_app = typer.Typer(help="Direct secure messaging.", no_args_is_help=True)
direct_app.command("inbox")(list_inbox)
direct_app.command("publish")(publish_certificates)
direct_app.add_typer(anchors_app, name="anchors")
direct_app.add_typer(bundles_app, name="bundles")
