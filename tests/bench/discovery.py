"""ITI-55 answered to a partner, in plans of a thousand to a million members, and the no-op POST.

The people are those of `tests.gateway.people`; their names are as common as in a real plan, so a
million members have hundreds of one name. Whom the question means is known, hidden (opted out) or
nobody: what an answer costs must tell none of them apart, and must not grow with the plan.
"""

import os
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from typing import Final

from ccda.hl7v3 import TS
from gateway.model.member import Member
from gateway.settings import Limits, Settings
from ihe.soap import ITI_55_REQUEST
from ihe.xcpd import Demographics
from tests.bench.figures import Figure, Report, median_ratio, percentile
from tests.bench.load import Load, Target
from tests.bench.responder import serving
from tests.gateway.asking import ask, discovery
from tests.gateway.house import PLAN, a_rule, open_house
from tests.gateway.people.enrolling import fill
from tests.gateway.people.population import people

SIZES: Final = (1_000, 100_000, 1_000_000)
_SHARED: Final = 100_000
"""The plan in which as many processes as there are processors are measured, too."""
_CONNECTIONS: Final = 16
_REQUESTS: Final = 240
"""Of each kind and round."""
_WARM_UP: Final = 60
_HIDDEN_EVERY: Final = 7
"""One in so many members has opted out."""
_House = tuple[Settings, dict[str, list[Demographics]]]
"""A house's settings, and the questions of each kind."""
_NO_LIMIT: Final = Limits(discoveries_per_minute=10**9, near_misses_per_day=10**9)


def measure(rounds: int, sizes: tuple[int, ...] = SIZES) -> Report:
    """For each size a house of its own, and rounds in which the kinds of question take turns."""
    rows: list[dict[str, Figure]] = []
    processes = max(2, os.cpu_count() or 1)
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            house = furnish(Path(name), size)
            rows += _measure(Path(name), house, size, rounds)
            if size == _SHARED:
                rows += _measure(Path(name), house, size, rounds, processes)
    notes = (
        "ratio: requests/s by those of the no-op, of the same body and answer; "
        "cost ratio: the no-op's processor time by ours",
        "known, hidden and nobody: who is meant is a member, has opted out, or is not there",
    )
    return Report("discovery", "ITI-55 responder by the size of the plan", tuple(rows), notes)


def _measure(
    folder: Path, house: _House, size: int, rounds: int, processes: int = 1
) -> Iterator[dict[str, Figure]]:
    settings, questions = house
    waiting = {kind: cycle(asked) for kind, asked in questions.items()}
    loads: dict[str, list[Load]] = {"no-op": [], **{kind: [] for kind in questions}}
    with serving(folder, settings, processes=processes) as target:
        answered = _warm_up(target, [who for asked in questions.values() for who in asked])
        for _ in range(rounds):
            for kind, asked in waiting.items():
                bodies = requests(list(islice(asked, _REQUESTS)))
                load = target.post_all("/ihe/xcpd", bodies, connections=_CONNECTIONS)
                loads[kind].append(load)
            no_op = target.post_all(f"/noop/{answered}", bodies * 3, connections=_CONNECTIONS)
            loads["no-op"].append(no_op)
    for kind, measured in loads.items():
        yield _row(size, processes, kind, measured, loads["no-op"])


def _row(
    size: int, processes: int, kind: str, loads: list[Load], no_op: list[Load]
) -> dict[str, Figure]:
    rates = [load.requests_per_second for load in loads]
    costs = [load.server_seconds / load.requests for load in loads]
    free = [load.server_seconds / load.requests for load in no_op]
    latencies = [latency for load in loads for latency in load.latencies]
    return {
        "members": f"{size:,}",
        "processes": processes,
        "who is meant": kind,
        "requests/s": statistics.median(rates),
        "p50 ms": percentile(latencies, 0.50) * 1000,
        "p99 ms": percentile(latencies, 0.99) * 1000,
        "server ms/request": statistics.median(costs) * 1000,
        "ratio": median_ratio(rates, [load.requests_per_second for load in no_op]),
        "cost ratio": median_ratio(free, costs),
    }


# ---- the house and the questions -------------------------------------------------------------


def furnish(folder: Path, size: int) -> _House:
    with open_house(folder, rules=[a_rule()], furnished=False, limits=_NO_LIMIT) as house:
        settings = house.settings
    known: list[Demographics] = []
    hidden: list[Demographics] = []
    step = max(1, size // 1000)

    def members() -> Iterator[Member]:
        for number, one in enumerate(people(size)):
            is_hidden = number % _HIDDEN_EVERY == 0
            # Of the known only those who answer for sure: with a birth date, a telephone, no twin.
            if number % step == 0 and one.kin is None and one.stated.telecoms:
                (hidden if is_hidden else known).append(replace(one.stated, ids=()))
            yield replace(one.member(PLAN), opted_out=is_hidden)

    fill(settings.data_dir / "gateway.sqlite", members())
    nobody = [replace(who, birth_time=TS("20240229"), telecoms=()) for who in known]
    return settings, {"known": known, "hidden": hidden, "nobody": nobody}


def requests(asked: list[Demographics]) -> list[bytes]:
    """Signed right before they are sent, since a Timestamp is fresh for minutes only."""
    return [ask(discovery(who), ITI_55_REQUEST).envelope for who in asked]


def _warm_up(target: Target, asked: list[Demographics]) -> int:
    """The size of an answer; a member who is known must be found."""
    first, *others = requests(asked[:_WARM_UP])
    answer = target.post("/ihe/xcpd", first)
    if b"registrationEvent" not in answer:
        raise RuntimeError("a member who is known was not found")
    target.post_all("/ihe/xcpd", others, connections=_CONNECTIONS)
    target.post_all(f"/noop/{len(answer)}", others, connections=_CONNECTIONS)
    return len(answer)
