"""What experience says of a partner: whether it is left alone for now, and what it taught us."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, get_args

from gateway.model.identity import PartnerId

LessonKind = Literal["documents_per_retrieve", "query_window_days"]
"""What may be learned: nothing here makes anything less secure (DECISIONS 5)."""
LESSON_LIFE: Final = timedelta(days=90)
LESSON_KINDS: Final[tuple[LessonKind, ...]] = get_args(LessonKind)


@dataclass(frozen=True, slots=True)
class Health:
    """A partner that failed as often in a row, first at `since`; left alone until `until`."""

    partner: PartnerId
    failures: int
    since: datetime
    reason: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Lesson:
    """What was learned of a partner, when and why; in force until it is revoked, or is so old that
    the partner is tried without it."""

    number: int
    partner: PartnerId
    kind: LessonKind
    value: int
    learned: datetime
    why: str
    revoked: datetime | None = None
    revoked_by: str | None = None

    @property
    def until(self) -> datetime:
        """When the partner is tried without it: what was a bad day does not count for ever."""
        return self.learned + LESSON_LIFE
