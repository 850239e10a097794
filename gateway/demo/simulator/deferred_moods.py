"""The ways in which a simulated partner misbehaves with an answer that comes later.

They show where a question asks for a deferred answer (ITI-55), and in no other.
"""

from dataclasses import replace
from typing import Final

from gateway.demo.simulator.deferring import Deferral, OfDeferral
from gateway.demo.simulator.holdings import ELSEWHERE
from gateway.demo.simulator.mood import Mood
from ihe.acknowledgement import DEFERRAL_NOT_SUPPORTED
from ihe.soap import Transaction


def _without_act(deferral: Deferral) -> Deferral:
    """Results that say nothing: no controlActProcess."""
    for one in deferral.results:
        for act in one.body.findall("{*}controlActProcess"):
            one.body.remove(act)
    return deferral


def _of_another_community(deferral: Deferral) -> Deferral:
    return replace(
        deferral, results=tuple(replace(one, home=ELSEWHERE) for one in deferral.results)
    )


def _after(seconds: float) -> OfDeferral:
    return lambda deferral: replace(
        deferral,
        results=tuple(replace(one, after_seconds=seconds) for one in deferral.results),
    )


def _twice(deferral: Deferral) -> Deferral:
    again = (replace(one, after_seconds=2 * one.after_seconds) for one in deferral.results)
    return replace(deferral, results=(*deferral.results, *again))


_LATER: Final[tuple[Transaction, ...]] = ("ITI-55",)
LATE_SECONDS: Final = 5.0
_ALL: Final = (
    Mood("deferred", "answers a deferred question as it should", _LATER),
    Mood(
        "deferred-never",
        "acknowledges a deferred question and never brings a result",
        _LATER,
        deferral=lambda deferral: replace(deferral, results=()),
    ),
    Mood(
        "deferred-malformed",
        "brings a deferred result without its control act",
        _LATER,
        deferral=_without_act,
    ),
    Mood("deferred-twice", "brings a deferred result twice", _LATER, deferral=_twice),
    Mood(
        "deferred-wrong-sender",
        "brings a deferred result in the name of another community",
        _LATER,
        deferral=_of_another_community,
    ),
    Mood(
        "deferred-late",
        f"brings a deferred result after {LATE_SECONDS:g} s, when nobody waits any more",
        _LATER,
        deferral=_after(LATE_SECONDS),
    ),
    Mood(
        "deferred-refused",
        "acknowledges a deferred question with an error (NS250)",
        _LATER,
        deferral=lambda _deferral: Deferral((), DEFERRAL_NOT_SUPPORTED),
    ),
)
DEFERRED: Final[dict[str, Mood]] = {one.name: one for one in _ALL}
