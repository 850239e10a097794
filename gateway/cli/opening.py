"""Opening the gateway for one command, with failures as sentences."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from gateway.app import House, open_house
from gateway.cli.terminal import Exit, Failure
from gateway.model.identity import PlanId
from gateway.model.member import Member, Plan
from gateway.settings import InvalidSettings, Settings, load_settings
from gateway.store import members
from gateway.store.errors import StoreError

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file; gateway.toml here if not named.", metavar="FILE"),
]
PlanOption = Annotated[
    str | None, typer.Option("--plan", help="The plan's id; needed when there are several.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def settings_of(config: Path | None) -> Settings:
    """The settings, or the sentence that says what is wrong with them."""
    try:
        return load_settings(config)
    except InvalidSettings as error:
        raise Failure(f"the settings are not usable: {error}", Exit.USAGE) from None


@contextmanager
def opened(config: Path | None, *extra_plans: str) -> Iterator[House]:
    """The open gateway; `extra_plans` are ids that a command names and the settings need not."""
    settings = settings_of(config)
    new = tuple({"id": plan, "name": plan} for plan in extra_plans if not settings.plan(plan))
    if new:
        settings = settings.with_plans(new)
    try:
        with open_house(settings) as house:
            yield house
    except InvalidSettings as error:
        raise Failure(str(error), Exit.USAGE) from None
    except StoreError as error:
        raise Failure(str(error)) from None


def plan_of(house: House, plan: str | None) -> Plan:
    """The plan that was named, or the only one."""
    if plan is None:
        if len(house.plans) == 1:
            return house.plans[0]
        known = ", ".join(one.id for one in house.plans) or "none; add [[plans]] to gateway.toml"
        raise Failure(f"say which plan with --plan; known: {known}", Exit.USAGE)
    found = house.plan(plan)
    if found is None:
        raise Failure(f"there is no plan {plan}; add it to gateway.toml", Exit.USAGE)
    return found


def member_of(house: House, plan: PlanId, number: str) -> Member:
    """The member with the plan's own number."""
    found = house.database.read(
        lambda tx: members.get_by_member_id(tx, plan=plan, member_id=number)
    )
    if found is None:
        raise Failure(f"plan {plan} has no member with this number; see `gateway members list`")
    return found
