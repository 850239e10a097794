"""One partner's part of a retrieval, and how far it has come."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial

from gateway.exchange.asking import Asking, Patience
from gateway.model.partner import Partner
from gateway.model.retrieval import PartnerProgress, Retrieval
from gateway.store import retrievals
from gateway.store.database import Transaction


@dataclass(slots=True)
class Visit:
    """`progress` is what is durable of it; `remarks` are what its detail will say at the end."""

    asking: Asking
    partner: Partner
    progress: PartnerProgress
    patience: Patience
    remarks: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def note(self, transaction: Transaction, **changes: object) -> None:
        """Keeps the progress with `changes`, in the transaction of what it tells of."""
        elapsed = round((time.monotonic() - self.started) * 1000)
        changed = replace(self.progress, elapsed_ms=elapsed, **changes)  # type: ignore[arg-type]
        # The names of `changes` are those of PartnerProgress; a wrong one fails at once.
        retrieval = self.asking.retrieval
        retrievals.put_progress(
            transaction, plan=retrieval.plan, retrieval=retrieval.id, progress=changed
        )
        # Not before it is durable: what failed after it must not be counted.
        transaction.after_commit(partial(setattr, self, "progress", changed))

    async def save(self, **changes: object) -> None:
        await self.asking.archive.database.write_async(lambda tx: self.note(tx, **changes))

    @property
    def detail(self) -> str | None:
        """The remarks as one text, each once."""
        return "; ".join(dict.fromkeys(self.remarks)) or None


def visits(asking: Asking, asked: Iterable[Partner]) -> list[Visit]:
    """A visit to each partner; those of an earlier attempt go on where they stopped."""
    known = {progress.partner: progress for progress in asking.retrieval.partners}
    return [
        Visit(
            asking,
            partner,
            _resumed(known.get(partner.id) or PartnerProgress(partner.id, partner.name)),
            Patience(partner.profile.timeout_seconds),
        )
        for partner in asked
    ]


def _resumed(progress: PartnerProgress) -> PartnerProgress:
    """What is new is in the index and stays counted; what is listed and missing is seen again."""
    if progress.outcome is not None:
        return progress
    return replace(progress, documents_found=0, documents_missing=0, detail=None)


def begin(transaction: Transaction, open_visits: Iterable[Visit], retrieval: Retrieval) -> None:
    """Says whom the retrieval asks, before any of them is."""
    retrievals.set_state(transaction, plan=retrieval.plan, retrieval=retrieval.id, state="running")
    for visit in open_visits:
        visit.note(transaction)
