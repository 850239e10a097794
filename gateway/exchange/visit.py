"""One partner's part of a retrieval, and how far it has come."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Final, Literal

from gateway.clients.failures import (
    NotSoap,
    NotTrusted,
    PartnerLate,
    Passing,
    Redirected,
    TooLarge,
)
from gateway.exchange.asking import Asking, Patience, explain
from gateway.exchange.next_steps import next_step
from gateway.model.link import Link
from gateway.model.partner import Partner
from gateway.model.retrieval import PartnerProgress, Retrieval
from gateway.store import retrievals
from gateway.store.database import Transaction

_AILING: Final = (NotTrusted, NotSoap, Redirected, TooLarge, PartnerLate, Passing)


@dataclass(slots=True)
class Visit:
    """`progress` is what is durable of it; `remarks` are what its detail will say at the end, and
    `steps` what can be done about it."""

    asking: Asking
    partner: Partner
    progress: PartnerProgress
    patience: Patience
    remarks: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    locators_due: datetime | None = None
    """When the last locator that may yet name the partner has answered, or is given up (ITI-56)."""
    left: list[Link] = field(default_factory=list)
    """Patient ids that another partner is asking for now, and may fail to."""
    ailment: str | None = None
    """Why there was no answer such as a partner in health gives; None if there was."""
    started: float = field(default_factory=time.monotonic)
    _noted: tuple[Transaction, PartnerProgress] | None = None

    @property
    def has_left(self) -> bool:
        """Whether only what was left to other partners is still to be asked for."""
        return bool(self.left) or self.progress.step == "left"

    def note(self, transaction: Transaction, **changes: object) -> None:
        """Keeps the progress with `changes`, in the transaction of what it tells of."""
        elapsed = round((time.monotonic() - self.started) * 1000)
        known = self._known_in(transaction)
        changed = replace(known, elapsed_ms=elapsed, **changes)  # type: ignore[arg-type]
        # The names of `changes` are those of PartnerProgress; a wrong one fails at once.
        retrieval = self.asking.retrieval
        retrievals.put_progress(
            transaction, plan=retrieval.plan, retrieval=retrieval.id, progress=changed
        )
        # Not before it is durable: what failed after it must not be counted.
        self._noted = (transaction, changed)
        transaction.after_commit(partial(setattr, self, "progress", changed))

    def count(self, transaction: Transaction, *, found: int = 0, missing: int = 0) -> None:
        """Adds to the documents that were found, and to those that are missing."""
        if found or missing:
            known = self._known_in(transaction)
            self.note(
                transaction,
                documents_found=known.documents_found + found,
                documents_missing=known.documents_missing + missing,
            )

    def _known_in(self, transaction: Transaction) -> PartnerProgress:
        """The progress with what this very transaction has noted so far."""
        if self._noted is not None and self._noted[0] is transaction:
            return self._noted[1]
        return self.progress

    async def save(self, **changes: object) -> None:
        await self.asking.archive.database.write_async(lambda tx: self.note(tx, **changes))

    def failed(self, error: BaseException) -> None:
        """Remarks why, and what can be done about it."""
        self.remarks.append(explain(error))
        if isinstance(error, _AILING):
            self.ailment = explain(error)
        if step := next_step(error):
            self.steps.append(step)

    @property
    def detail(self) -> str | None:
        """The remarks as one text, each once."""
        return "; ".join(dict.fromkeys(self.remarks)) or None

    @property
    def next_step(self) -> str | None:
        """The steps as sentences, each once."""
        return " ".join(f"{step}." for step in dict.fromkeys(self.steps)) or None


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
    if progress.outcome is not None or progress.step == "left":
        return progress
    return replace(progress, documents_found=0, documents_missing=0, detail=None)


def begin(transaction: Transaction, open_visits: Iterable[Visit], retrieval: Retrieval) -> None:
    """Says whom the retrieval asks, before any of them is."""
    retrievals.set_state(transaction, plan=retrieval.plan, retrieval=retrieval.id, state="running")
    listed = {one.partner for one in retrieval.partners}
    for visit in open_visits:
        if visit.partner.id not in listed:
            visit.note(transaction)


# ---- one at a time ---------------------------------------------------------------------------


def enter(transaction: Transaction, visit: Visit) -> Literal["entered", "busy", "ended"]:
    """Makes the visit ours alone; what is known of it is read anew, since others had it before."""
    retrieval, partner = visit.asking.retrieval, visit.partner.id
    if not retrievals.claim_visit(
        transaction, plan=retrieval.plan, retrieval=retrieval.id, partner=partner
    ):
        return "busy"
    found = retrievals.progress(
        transaction, plan=retrieval.plan, retrieval=retrieval.id, of=[partner]
    )
    known = next(iter(found), None)
    if known is not None and known.outcome is not None:
        leave(transaction, visit)
        visit.progress = known
        return "ended"
    if known is not None:
        # What this run itself has seen at it stays counted.
        visit.progress = known if visit.left else _resumed(known)
    return "entered"


def leave(transaction: Transaction, visit: Visit) -> None:
    """Lets others go on with the visit."""
    retrieval = visit.asking.retrieval
    retrievals.release_visit(
        transaction, plan=retrieval.plan, retrieval=retrieval.id, partner=visit.partner.id
    )
