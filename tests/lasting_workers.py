"""Worker processes that outlast the house they were started for.

Nearly every test of the service opens a house of its own, and a worker takes as long to start as
the test to run. A worker keeps nothing from one run to the next, so the next house of the same
limits takes it over. Tests of the pool itself make their own.
"""

from collections import defaultdict
from typing import Any, Final

from gateway.exchange.workers import WorkerPool

_left: Final[dict[Any, list[Any]]] = defaultdict(list)


class LastingWorkers(WorkerPool):
    """A pool that begins with the workers of those before it."""

    def __init__(self, *limits: Any, **more: Any) -> None:
        super().__init__(*limits, **more)
        self._kind = (limits, tuple(sorted(more.items())))
        for _ in range(self.size):
            if left := _left[self._kind]:
                self._idle.get_nowait()
                self._idle.put(left.pop())

    def close(self) -> None:
        idle = [self._idle.get_nowait() for _ in range(self._idle.qsize())]
        _left[self._kind] += [one for one in idle if one is not None and one.is_alive()]
        for _ in idle:
            self._idle.put(None)
        super().close()
