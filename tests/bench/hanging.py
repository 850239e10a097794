"""One hanging partner of twenty: what it changes for those that answer (security.md, reliability).

Retrievals of one member at nineteen simulated partners and a twentieth, over TLS, as the job
worker runs them: as many at once as it does. In the one arm the twentieth answers, in the other it
takes the request and never does. Rounds of both take turns, so that the machine's load cancels out.
"""

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from gateway.app import House
from gateway.model.partner import Partner, PartnerProfile
from gateway.store import partner_health, partners
from ihe.identifiers import HomeCommunityId
from tests.bench.figures import Figure, Report, median_ratio, percentile
from tests.gateway.clients.asking_house import (
    answers,
    asking_house,
    enqueue,
    new_retrieval,
    work_off,
)
from tests.gateway.demo.simulating import Wanted, all_simulated

_WELL: Final = 19
_RETRIEVALS: Final = 8
_PATIENCE_SECONDS: Final = 8.0
_HANGING: Final = "The twentieth"


def measure(rounds: int) -> Report:
    """Rounds of both arms; the figures are those of the partners that answer in both."""
    took: dict[str, list[list[float]]] = {"answers": [], "hangs": []}
    with tempfile.TemporaryDirectory(prefix="bench-") as name, ExitStack() as stack:
        well = stack.enter_context(all_simulated([_wanted(n) for n in range(_WELL)]))
        one = Wanted(name=_HANGING, home=HomeCommunityId.parse("2.999.7600.99"), profile=_profile())
        hanging = Wanted(("hang",), one.name, one.home, one.profile)
        twentieth = {
            "answers": stack.enter_context(all_simulated([one]))[0],
            "hangs": stack.enter_context(all_simulated([hanging]))[0],
        }
        house = stack.enter_context(asking_house(Path(name), well))
        _ask(house, twentieth["answers"])  # zeep reads its WSDL, and documents come once
        for _ in range(rounds):
            for arm, partner in twentieth.items():
                took[arm].append(_ask(house, partner))
    p99 = {arm: [percentile(found, 0.99) for found in each] for arm, each in took.items()}
    rows = tuple(_row(arm, took[arm], p99[arm], p99["answers"]) for arm in took)
    notes = (
        f"{_RETRIEVALS} retrievals a round, four at once, as the job worker does",
        f"the hanging partner is given {_PATIENCE_SECONDS:g} s; limit: p99 by that of the other arm"
        " below 1.1",
    )
    return Report("hanging", "One hanging partner of twenty", rows, notes)


def _row(
    arm: str, took: Sequence[Sequence[float]], p99: Sequence[float], base: Sequence[float]
) -> dict[str, Figure]:
    every = [one for each in took for one in each]
    return {
        "the twentieth": arm,
        "visits": len(every),
        "p50 ms": percentile(every, 0.5),
        "p99 ms": percentile(every, 0.99),
        "p99 by that of the first arm": median_ratio(p99, base),
    }


def _profile() -> PartnerProfile:
    return PartnerProfile(timeout_seconds=_PATIENCE_SECONDS)


def _wanted(number: int) -> Wanted:
    home = HomeCommunityId.parse(f"2.999.7600.{number + 1}")
    return Wanted(name=f"Partner {number + 1}", home=home, profile=PartnerProfile(300.0))


def _ask(house: House, twentieth: Partner) -> list[float]:
    """How long each visit to a healthy partner took, in milliseconds."""

    def unit(transaction: partners.Transaction) -> None:
        partner_health.succeeded(transaction, partner=twentieth.id)
        partners.put(transaction, twentieth)

    house.database.write(unit)
    asked = [new_retrieval(house) for _ in range(_RETRIEVALS)]
    for one in asked:
        enqueue(house, one)
    asyncio.run(work_off(house))
    return [
        float(row.elapsed_ms or 0)
        for one in asked
        for row in answers(house, one).values()
        if row.partner_name != _HANGING
    ]
