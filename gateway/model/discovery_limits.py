"""How much one community may ask whom we know."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DiscoveryLimits:
    """Over `per_minute` a community is told that we are busy, until the next minute begins.

    `near_misses_per_day` different questions that nearly name one and the same member raise an
    alarm; they are answered as ever.
    """

    per_minute: int = 600
    near_misses_per_day: int = 20
