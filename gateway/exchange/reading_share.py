"""What the documents of one message may have together, to be read: so that no message costs more
than it may, however much its documents say.

What goes over the share is kept as it came and can be read by itself, without these bounds.
"""

from typing import Final

from gateway.exchange.reading import Reading, Weight, read_up_to
from gateway.exchange.workers import Budget, Content, WorkerFailed, WorkerPool

_TOO_MUCH: Final = "it says more than one message may bring to be indexed: it can be read by itself"
_SENTENCES: Final = {
    "deadline": "its message has taken all its time: it can be read by itself",
    "memory": "it needs more memory than one message may have: it can be read by itself",
    "size": _TOO_MUCH,
}


class Share:
    """The memory of that pool, the budget's seconds, and as much to say as `most`."""

    def __init__(self, pool: WorkerPool, budget: Budget, most: Weight) -> None:
        self._pool = pool
        self._budget = budget
        self._left = most

    async def read(self, content: Content) -> Reading:
        """What the document says, if that is not too much; a run that fills the memory is the
        last one."""
        try:
            read: tuple[Reading, Weight] = await self._pool.run_within(
                self._budget, read_up_to, self._left, content=content
            )
        except WorkerFailed as failure:
            if failure.reason == "closed":  # we are stopping: it says nothing about the document
                raise
            if failure.reason == "memory":  # the next would start a process, only to fill it too
                self._budget.left_seconds = 0.0
            return _not_read(_SENTENCES.get(failure.reason, "the reader failed on it"))
        reading, weight = read
        if weight.exceeds(self._left):
            return _not_read(_TOO_MUCH, reading.mime_type)
        self._left = self._left.without(weight)
        return reading


def _not_read(reason: str, mime_type: str = "text/xml") -> Reading:
    return Reading(mime_type, reason=reason, is_final=False)
