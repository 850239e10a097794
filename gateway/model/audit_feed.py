"""How far an audit repository has been told of the exchange log."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record of which a repository could not be told, and why."""

    sequence: int
    reason: str


@dataclass(frozen=True, slots=True)
class FeedState:
    """What a repository has not been told yet: so many records, the oldest so many seconds old.

    `attempts` in vain since something last arrived, and the `trouble` of the last one in words.
    """

    repository: str
    sequence: int
    records_behind: int
    seconds_behind: float
    attempts: int
    trouble: str | None
    dead_letters: int
