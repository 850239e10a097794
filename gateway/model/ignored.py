"""What of somebody's demographics could not be used."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ignored:
    """A field that was left out of the comparison, and why; no value."""

    attribute: str
    why: str
