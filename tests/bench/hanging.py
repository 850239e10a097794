"""One hanging partner of twenty: what it changes for those that answer (security.md, reliability).

Retrievals of one member at nineteen simulated partners and a twentieth, over TLS, as the job
worker runs them. In the one arm there is no twentieth, in another it answers, in the third it
takes the request and never does. Waves of the arms take turns, in the one order and in the other,
so that the machine's load cancels out; the p99 is that of all waves of an arm together, and beside
the ratio stands how far it moves when waves are drawn by lot (a bootstrap).
"""

import asyncio
import gc
import random
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.app.house import House
from gateway.model.partner import Partner, PartnerProfile
from gateway.store import partner_health, partners
from gateway.store.database import Transaction
from gateway.store.scope import ALL_PLANS
from ihe.identifiers import HomeCommunityId
from tests.bench.figures import Figure, Report, percentile
from tests.gateway.clients.asking_house import (
    answers,
    asking_house,
    enqueue,
    new_retrieval,
    work_off,
)
from tests.gateway.demo.simulating import Wanted, all_simulated

_WELL: Final = 19
_AT_ONCE: Final = 2
"""Retrievals of a wave: so few that the partner is still asked, and hangs, in the next one."""
_WAVES: Final = 10
"""Of each arm in a round."""
_PATIENCE_SECONDS: Final = 6.0
_TWENTIETH: Final = "The twentieth"
_LIMIT: Final = 1.1
_DRAWN: Final = 2000
_SPREAD: Final = (0.05, 0.95)


@dataclass(slots=True)
class _Arm:
    """How one arm has the twentieth, and how long visits to the others took, by waves."""

    twentieth: Partner | None
    waves: list[list[float]] = field(default_factory=list)

    @property
    def every(self) -> list[float]:
        return [one for wave in self.waves for one in wave]


def measure(rounds: int) -> Report:
    """Waves of all arms; the figures are those of the nineteen that answer in each."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name, ExitStack() as stack:
        well = stack.enter_context(all_simulated([_wanted(n) for n in range(_WELL)]))
        (answering,) = stack.enter_context(all_simulated([_the_twentieth()]))
        (hanging,) = stack.enter_context(all_simulated([_the_twentieth("hang")]))
        arms = {"is not there": _Arm(None), "answers": _Arm(answering), "hangs": _Arm(hanging)}
        house = stack.enter_context(asking_house(Path(name), well))
        _ask(house, answering)  # zeep reads its WSDL, and documents come once
        for wave in range(rounds * _WAVES):
            order = list(arms.values())
            for arm in order if wave % 2 else order[::-1]:
                arm.waves.append(_ask(house, arm.twentieth))
    rows = tuple(_row(what, arm, arms) for what, arm in arms.items())
    notes = (
        f"{rounds * _WAVES} waves of {_AT_ONCE} retrievals each; the hanging partner is given"
        f" {_PATIENCE_SECONDS:g} s",
        f"limit: p99 where it hangs below {_LIMIT} of that where it answers; where it is not there",
        "a twentieth of the work is not there either",
        "spread: within it lie nine of ten ratios of as many waves drawn by lot",
    )
    return Report("hanging", "One hanging partner of twenty", rows, notes)


def _row(what: str, arm: _Arm, arms: dict[str, _Arm]) -> dict[str, Figure]:
    row: dict[str, Figure] = {
        "the twentieth": what,
        "visits": len(arm.every),
        "p50 ms": percentile(arm.every, 0.5),
        "p99 ms": percentile(arm.every, 0.99),
    }
    hanging = arms["hangs"]
    if arm is not hanging:
        row["hanging by this"] = percentile(hanging.every, 0.99) / percentile(arm.every, 0.99)
        row["spread"] = "{:.3g} to {:.3g}".format(*_spread(hanging.waves, arm.waves))
    return row


def _spread(
    above: Sequence[Sequence[float]], below: Sequence[Sequence[float]]
) -> tuple[float, float]:
    """Between what the ratio of both p99 moves when the pairs of waves are drawn anew."""
    lot = random.Random(1)  # the same figures of the same waves
    pairs = list(zip(above, below, strict=True))
    ratios = []
    for _ in range(_DRAWN):
        drawn = lot.choices(pairs, k=len(pairs))
        one, other = ([ms for pair in drawn for ms in pair[side]] for side in (0, 1))
        ratios.append(percentile(one, 0.99) / percentile(other, 0.99))
    low, high = _SPREAD
    return percentile(ratios, low), percentile(ratios, high)


def _the_twentieth(*moods: str) -> Wanted:
    home = HomeCommunityId.parse("2.999.7600.99")
    return Wanted(moods, _TWENTIETH, home, PartnerProfile(timeout_seconds=_PATIENCE_SECONDS))


def _wanted(number: int) -> Wanted:
    home = HomeCommunityId.parse(f"2.999.7600.{number + 1}")
    return Wanted(name=f"Partner {number + 1}", home=home, profile=PartnerProfile(300.0))


def _ask(house: House, twentieth: Partner | None) -> list[float]:
    """How long each visit to a healthy partner took, in milliseconds."""
    house.database.write(lambda transaction: _known(transaction, twentieth))
    asked = [new_retrieval(house) for _ in range(_AT_ONCE)]
    for one in asked:
        enqueue(house, one)
    gc.collect()  # not in the middle of the one wave or the other
    asyncio.run(work_off(house))
    rows = [row for one in asked for row in answers(house, one).values()]
    well = [row for row in rows if row.partner_name != _TWENTIETH]
    if len(well) != _AT_ONCE * _WELL or any(row.outcome != "matched" for row in well):
        raise RuntimeError("a partner that answers was not heard")
    if twentieth is not None and len(rows) == len(well):
        raise RuntimeError("the twentieth was not asked")
    return [float(row.elapsed_ms or 0) for row in well]


def _known(transaction: Transaction, twentieth: Partner | None) -> None:
    """The directory with this twentieth, in health as far as we know, or with none."""
    if twentieth is not None:
        partner_health.succeeded(transaction, partner=twentieth.id)
        partners.put(transaction, twentieth)
        return
    for partner in partners.list_all(transaction, plan=ALL_PLANS):
        if partner.name == _TWENTIETH:
            partners.remove(transaction, plan=ALL_PLANS, partner=partner.id)
