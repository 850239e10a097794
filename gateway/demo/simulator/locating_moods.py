"""The ways in which a simulated Health Data Locator misbehaves (ITI-56).

They show to whom asks where a patient is known.
"""

from dataclasses import replace
from typing import Final

from gateway.demo.simulator.mood import Mood

_ALL: Final = (
    Mood(
        "other-location",
        "tells who knows another patient than was asked for",
        ("ITI-56",),
        located=lambda asked: replace(asked, id="SP-9999"),
    ),
)
LOCATING: Final[dict[str, Mood]] = {one.name: one for one in _ALL}
