"""What is known of a community's ways, said when it becomes a partner."""

from gateway.cli.terminal import out, printable
from gateway.model.partner import Partner
from gateway.model.partner_quirks import quirks_of


def say_what_is_known(partner: Partner) -> None:
    """A line for each quirk: what its profile now says, or what a person should ask of it."""
    name = printable(partner.name)
    for quirk in quirks_of(partner.name, partner.home_community_id, partner.endpoints):
        if quirk.profile:
            keys = ", ".join(f"{key} = {getattr(partner.profile, key)}" for key in quirk.profile)
            out.print(f"{name} is known as {quirk.who}: {keys}")
        if quirk.advice is not None:
            out.print(f"{name} is known as {quirk.who}: {quirk.advice}")
