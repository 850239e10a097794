"""What a way to misbehave changes of a simulated partner."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from gateway.demo.simulator.deferring import OfDeferral
from gateway.demo.simulator.holdings import Holdings, Retrieved
from gateway.demo.simulator.replies import Reply
from ihe.discovery import Discovery
from ihe.identifiers import PatientId
from ihe.metadata import DocumentEntry
from ihe.soap import Transaction
from ihe.stored_query import AdhocQuery
from ihe.xca_query import AdhocQueryResponse
from ihe.xca_retrieve import RetrieveDocumentSetRequest

STEPS: Final[tuple[Transaction, ...]] = ("ITI-55", "ITI-38", "ITI-39")

OfListing = Callable[[AdhocQuery, AdhocQueryResponse, Holdings], AdhocQueryResponse]
OfRetrieval = Callable[[RetrieveDocumentSetRequest, Retrieved, Holdings], Retrieved]
OfReply = Callable[[Reply], Reply]


@dataclass(frozen=True, slots=True)
class Mood:
    """One misbehaviour. `at` are the transactions that it can show in; it does in all of them
    unless it is told one."""

    name: str
    said: str
    at: tuple[Transaction, ...] = STEPS
    discovery: Callable[[Discovery], Discovery] | None = None
    entry: Callable[[DocumentEntry], DocumentEntry] | None = None
    listing: OfListing | None = None
    retrieval: OfRetrieval | None = None
    seal: Mapping[str, Any] = field(default_factory=dict)
    clock: timedelta = timedelta()
    reply: OfReply | None = None
    inline: bool = False
    located: Callable[[PatientId], PatientId] | None = None
    """Whose locations it says that they are, of whom it was asked for."""
    deferral: OfDeferral | None = None
    expired: bool = False
    """Its TLS certificate ran out."""
    refuses: bool = False
    """It takes no connection."""

    @property
    def is_of_connection(self) -> bool:
        """Whether it shows before anything is asked: it cannot be had for one transaction alone."""
        return self.expired or self.refuses
