"""Opening the gateway for one command, with failures as sentences."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import orjson
import typer

from gateway.api.listener import until_asked_to_stop
from gateway.app.house import House, open_house
from gateway.cli.recording import record
from gateway.cli.terminal import Exit, Failure, err
from gateway.model.identity import PlanId
from gateway.model.member import Member, Plan
from gateway.settings import DEFAULT_FILE, InvalidSettings, Settings, load_settings
from gateway.store import members, plans
from gateway.store.errors import StoreError

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file; gateway.toml here if not named.", metavar="FILE"),
]
PlanOption = Annotated[
    str | None, typer.Option("--plan", help="The plan's id; needed when there are several.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def settings_of(config: Path | None, *extra_plans: str) -> Settings:
    """The settings, or the sentence that says what is wrong with them.

    `extra_plans` are ids that a command names and the settings need not.
    """
    try:
        settings = load_settings(config)
        if config is None and not DEFAULT_FILE.exists() and not settings.model_fields_set:
            err.print(f"gateway: there is no {DEFAULT_FILE} here: these are the default settings")
        new = tuple({"id": plan, "name": plan} for plan in extra_plans if not settings.plan(plan))
        return settings.with_plans(new) if new else settings
    except InvalidSettings as error:
        raise Failure(f"the settings are not usable: {error}", Exit.USAGE) from None


def settings_on_stdin() -> Settings:
    """The settings that the process which started this one has written, as one line of JSON."""
    try:
        return Settings(**orjson.loads(sys.stdin.buffer.readline()))
    except ValueError:
        raise Failure("the settings did not come whole", Exit.USAGE) from None


async def until_orphaned() -> None:
    """Returns when we are asked to stop, or when whoever started us has ended."""
    loop = asyncio.get_running_loop()
    orphaned = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), orphaned.set)
    waiting = {
        asyncio.create_task(orphaned.wait()),
        asyncio.create_task(until_asked_to_stop()),
    }
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        loop.remove_reader(sys.stdin.fileno())
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


@contextmanager
def opened(config: Path | None, *extra_plans: str) -> Iterator[House]:
    """The open gateway."""
    with opened_with(settings_of(config, *extra_plans), settings_of(config)) as house:
        yield house


@contextmanager
def opened_with(
    settings: Settings, stated: Settings | None = None, *, handed_down: bool = False
) -> Iterator[House]:
    """The open gateway of these settings; `stated` are those without what a command adds.

    `handed_down` by a process of the same house, they are not looked at for changes.
    """
    try:
        with _opened(settings, stated, handed_down) as house:
            yield house
    except InvalidSettings as error:
        raise Failure(str(error), Exit.USAGE) from None
    except StoreError as error:
        raise Failure(str(error)) from None


@contextmanager
def _opened(settings: Settings, stated: Settings | None, handed_down: bool) -> Iterator[House]:
    """While it opens, whatever a system or a driver says is the operator's to put right; what a
    command raises later is its own."""
    with ExitStack() as stack:
        try:
            house = stack.enter_context(
                open_house(settings, stated=stated, handed_down=handed_down)
            )
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            raise Failure(f"the gateway cannot be opened: {place}{error.strerror}") from None
        except (InvalidSettings, StoreError):
            raise
        except Exception as error:
            # The driver's text may hold the database's password; this floor knows no drivers.
            kind = type(error).__name__
            raise Failure(
                f"the gateway cannot be opened: the database is no use ({kind})"
            ) from None
        yield house


def plan_of(house: House, plan: str | None) -> Plan:
    """The plan that was named, or the only one: of the settings, or made by an earlier ingest."""
    known = {one.id: one for one in (*house.database.read(plans.list_all), *house.plans)}
    if plan is None:
        if len(known) == 1:
            return next(iter(known.values()))
        names = ", ".join(sorted(known)) or "none; add [[plans]] to gateway.toml"
        raise Failure(f"say which plan with --plan; known: {names}", Exit.USAGE)
    found = known.get(PlanId(plan))
    if found is None:
        raise Failure(f"there is no plan {plan}; add it to gateway.toml", Exit.USAGE)
    return found


def plan_named(house: House, plan: str | None) -> PlanId | None:
    """The plan that was named; None for all plans at once, where none was."""
    return None if plan is None else plan_of(house, plan).id


def member_of(house: House, plan: PlanId, number: str, *, act: str) -> Member:
    """The member with the plan's own number; a search for nobody is recorded as a refused `act`."""
    found = house.database.read(
        lambda tx: members.get_by_member_id(tx, plan=plan, member_id=number)
    )
    if found is None:
        reason = "no member of the plan has this number"
        house.database.write(
            lambda tx: record(tx, act, plan=plan, outcome="refused", reason=reason)
        )
        raise Failure(f"plan {plan} has no member with this number; see `gateway members list`")
    return found
