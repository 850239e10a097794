"""Documents of a member that we submit to a partner (ITI-41, ITI-80)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.model.identity import DocumentId, MemberId, PartnerId, PlanId
from gateway.model.retrieval import Requester

SUBMIT: Final = "submit"
"""The kind of job that sends one."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What is submitted to whom, for which purpose and in whose name.

    Its id, with those of the documents, makes every id on the wire: sent again, it is the same
    submission. Without `documents` it is all that rules give; `summary` adds the member's summary.
    """

    id: str
    plan: PlanId
    member: MemberId
    partner: PartnerId
    purpose: str
    requester: Requester
    created: datetime
    documents: tuple[DocumentId, ...] = ()
    summary: bool = False
