"""`gateway direct`: Direct mail; each command stands in the file of what it does."""

from gateway.cli.direct_anchors import anchors_app
from gateway.cli.direct_bundles import bundles_app
from gateway.cli.direct_keys import direct_keys_app
from gateway.cli.direct_sending import check, list_sent, send_message
from gateway.cli.direct_verdict import show_verdict
from gateway.cli.groups import group
from gateway.cli.messages import inbox_app
from gateway.cli.publish import publish_certificates

direct_app = group("Direct secure messaging.")
direct_app.command("send")(send_message)
direct_app.command("sent")(list_sent)
direct_app.add_typer(inbox_app, name="inbox")
direct_app.command("verdict")(show_verdict)
direct_app.command("check")(check)
direct_app.command("publish")(publish_certificates)
direct_app.add_typer(direct_keys_app, name="keys")
direct_app.add_typer(anchors_app, name="anchors")
direct_app.add_typer(bundles_app, name="bundles")
