"""ITI-39 for one patient id, wherever its community answers (DECISIONS 12, 13)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from gateway.clients.failures import NotCalled, PartnerFailed, PartnerLate
from gateway.exchange import next_steps
from gateway.exchange.asking import Answered, Call, explain
from gateway.exchange.calling import put
from gateway.exchange.choosing import (
    choose,
    decide_again,
    doubt_of,
    is_assembled,
    say_not_filed,
    take_in,
)
from gateway.exchange.ingest import Ingested, Received, receive
from gateway.exchange.list_answers import SHORT_OF_SUCCESS
from gateway.exchange.listing import list_again, list_documents, question_name
from gateway.exchange.question import AnswerAwaited, Divisible, Question
from gateway.exchange.retrieving import Arrived, ArrivedDocument, Attachments, collect
from gateway.exchange.visit import Visit
from gateway.model.document import Blob, Document, Source
from gateway.model.link import Link
from gateway.model.partner import Partner
from gateway.store import documents, partner_lessons, partners
from gateway.store.database import Transaction
from ihe.errors import IheError
from ihe.identifiers import HomeCommunityId, UniqueId
from ihe.metadata import DocumentEntry
from ihe.registry_response import ErrorCode
from ihe.soap import ITI_39_REQUEST
from ihe.wire import OpenedAnswer
from ihe.xca_retrieve import DocumentRequest, RetrieveDocumentSetRequest, write_retrieve_request

_ASSEMBLED: Final = "it is assembled when it is asked for, and its size and hash are not known yet"
_AT_ONCE: Final = "documents_per_retrieve"
_DIVISIBLE: Final = frozenset(
    {
        ErrorCode.REPOSITORY_ERROR,
        ErrorCode.REPOSITORY_OUT_OF_RESOURCES,
        ErrorCode.TOO_MANY_RESULTS,
    }
)
"""What partners say to more documents at once than they give (user-asks 1)."""


async def fetch(visit: Visit, link: Link) -> None:
    """Files what the community gives for that patient id.

    A batch that fails leaves the others as they are; its documents are counted as missing.

    Raises:
        AnswerAwaited: an answer comes later.
        PartnerFailed, IheError: nothing could be had.
    """
    holder = await _holder(visit, link.home_community_id)
    listed = await list_documents(visit, holder, link)
    wanted = await choose(visit, holder, listed)
    requests = [request for entry in wanted if (request := _request(entry, link, holder))]
    if unnamed := len(wanted) - len(requests):
        await _miss(visit, unnamed, "some of its documents name no repository")
    await _Fetching(visit, holder, link, {entry.unique_id: entry for entry in wanted}).all(requests)


async def _miss(visit: Visit, number: int, remark: str) -> None:
    visit.remarks.append(remark)
    await visit.save(documents_missing=visit.progress.documents_missing + number)


async def _holder(visit: Visit, home: HomeCommunityId) -> Partner:
    """Who answers for that community: the one that was asked, else whom the directory names."""
    if home == visit.partner.home_community_id:
        return visit.partner
    plan = visit.asking.plan.id
    known = await visit.asking.archive.database.read_async(
        lambda tx: partners.by_home_community(tx, plan=plan, home_community_id=home)
    )
    if not known:
        raise NotCalled(f"the community {home} is no longer in the directory")
    return next((one for one in known if one.plan == plan), known[0])


# ---- ITI-39 ----------------------------------------------------------------------------------


def _request(entry: DocumentEntry, link: Link, holder: Partner) -> DocumentRequest | None:
    """Quirk: whoever may answer for another home may list another, too, and gives a document to
    those alone who ask for it there (user-asks 5)."""
    if entry.repository_unique_id is None:
        return None
    listed = entry.home_community_id if holder.profile.other_home_accepted else None
    home = listed or link.home_community_id
    return DocumentRequest(entry.repository_unique_id, entry.unique_id, home)


@dataclass(slots=True)
class _Fetching:
    """The retrieves for one patient id, in batches as the holder takes them."""

    visit: Visit
    holder: Partner
    link: Link
    listed: Mapping[UniqueId, DocumentEntry]
    gave: set[int] = field(default_factory=set)
    """Of how many at once it gave some, and of how many it gave none and said so."""
    refused: set[int] = field(default_factory=set)

    async def all(self, requests: Sequence[DocumentRequest]) -> None:
        size = await self._size()
        batches = [requests[start : start + size] for start in range(0, len(requests), size)]
        failures: list[PartnerFailed | IheError] = []
        awaited: list[AnswerAwaited] = []
        for number, batch in enumerate(batches):
            try:
                await self._batch(batch)
            except AnswerAwaited as waiting:
                awaited.append(waiting)
            except PartnerLate as late:
                failures.append(late)
                self.visit.failed(late)
                if self.visit.patience.is_over:
                    rest = sum(len(others) for others in batches[number + 1 :])
                    await _miss(self.visit, rest, explain(late))
                    raise
            except (PartnerFailed, IheError) as error:
                failures.append(error)
                self.visit.failed(error)
        await self._learn()
        if awaited:
            raise min(awaited, key=lambda one: one.expires)
        if batches and len(failures) == len(batches):
            raise failures[0]

    async def _size(self) -> int:
        """How many documents at once: what the profile says, or less if that was learned."""
        now = self.visit.asking.retrieval.created  # a visit that is run anew asks the same
        lesson = await self.visit.asking.archive.database.read_async(
            lambda tx: partner_lessons.in_force(tx, partner=self.holder.id, kind=_AT_ONCE, now=now)
        )
        stated = self.holder.profile.documents_per_retrieve
        return stated if lesson is None else min(stated, lesson.value)

    async def _learn(self) -> None:
        """Keeps what it showed: how many documents it gives at once (user-asks 1)."""
        least = min(self.refused, default=0)
        most = max((size for size in self.gave if size < least), default=0)
        if not most:
            return
        await self.visit.asking.archive.database.write_async(
            lambda tx: partner_lessons.learn(
                tx,
                partner=self.holder.id,
                plan=self.holder.plan,
                kind=_AT_ONCE,
                value=most,
                why=f"it gave none of {least} documents at once, and then gave {most}",
                now=datetime.now(UTC),
            )
        )

    async def _batch(self, batch: Sequence[DocumentRequest], *, is_second: bool = False) -> None:
        """One batch, or its halves if the holder gives none of so many at once."""
        try:
            unexplained = await self._retrieve(batch, is_second=is_second)
            if unexplained:
                await self._ask_for_rest(unexplained)
        except Divisible:
            middle = len(batch) // 2
            awaited: list[AnswerAwaited] = []
            for half in (batch[:middle], batch[middle:]):
                try:
                    await self._batch(half, is_second=is_second)
                except AnswerAwaited as waiting:
                    awaited.append(waiting)
            if awaited:
                raise min(awaited, key=lambda one: one.expires) from None

    async def _ask_for_rest(self, rest: Sequence[DocumentRequest]) -> None:
        """Asks once more for what a success left out (user-asks 2). What came stays, whatever
        becomes of this."""
        try:
            await self._batch(rest, is_second=True)
        except (PartnerFailed, IheError) as error:
            self.visit.failed(error)

    async def _retrieve(
        self, batch: Sequence[DocumentRequest], *, is_second: bool
    ) -> tuple[DocumentRequest, ...]:
        """Takes in what is given; returns what is to be asked for once more."""
        visit, asking = self.visit, self.visit.asking
        address = self.holder.endpoints.iti39 or self.holder.endpoints.iti38
        if address is None:
            raise NotCalled("it has no address for documents")
        request = RetrieveDocumentSetRequest(tuple(batch))
        said: list[str] = []
        again: list[DocumentRequest] = []
        filed: list[Document] = []
        # One that answers later is not: its answer was no slip of the connection.
        may_repeat = not is_second and not self.holder.profile.asynchronous
        attachments = Attachments(asking.archive, asking.plan.id)

        async def read(answer: OpenedAnswer) -> tuple[Arrived, tuple[Received, ...]]:
            accepted = self.holder.profile.other_home_accepted
            arrived = await collect(attachments, answer.body, request, other_home_accepted=accepted)
            self._refuse_so_many(arrived, batch)
            received = [await self._receive(one) for one in arrived.documents]
            return arrived, tuple(received)

        def effect(
            transaction: Transaction, answer: tuple[Arrived, tuple[Received, ...]]
        ) -> Answered:
            arrived, received = answer
            done = take_in(visit, transaction, received)
            filed[:] = [one.document for one in done]
            answered, said[:] = _account(visit, transaction, arrived, received, done)
            if not may_repeat:
                said.extend(_left_out(arrived, twice=is_second))
                return answered
            again[:] = arrived.unexplained
            if again:  # the second answer says what is missing then, and why
                said[:] = [one for one in said if one != arrived.reported]
            return replace(answered, missing=answered.missing - len(again))

        profile = self.holder.profile
        body = write_retrieve_request(
            request,
            repository_urn=profile.repository_id_urn,
            uuid_urn=profile.document_uuid_urn,
        )
        call = Call(
            self.holder, ITI_39_REQUEST, address, body, visit.patience, attachments, len(batch)
        )
        question = Question(call, question_name("ITI-39", body), is_read_again=False)
        try:
            taken = await put(visit, question, read, effect)
        finally:
            attachments.discard()
        visit.remarks.extend(said)
        if taken is not None and not again:
            visit.steps.extend(_steps(*taken, filed))
        say_not_filed(visit, filed)
        await self._look_at_assembled(batch)
        return tuple(again)

    def _refuse_so_many(self, arrived: Arrived, batch: Sequence[DocumentRequest]) -> None:
        codes = {error.code for error in arrived.errors}
        if arrived.documents:
            self.gave.add(len(batch))
        if len(batch) > 1 and not arrived.documents and codes & _DIVISIBLE:
            self.refused.add(len(batch))
            raise Divisible(f"it gave none of {len(batch)} documents at once")

    async def _receive(self, one: ArrivedDocument) -> Received:
        entry, archive = self.listed[one.request.unique_id], self.visit.asking.archive
        return await receive(
            archive,
            one.blob,
            plan=self.visit.asking.plan,
            source=_source(self.holder, one),
            candidate=self.visit.asking.member.id,
            doubt=_ASSEMBLED if is_assembled(entry) else doubt_of(entry, one.blob),
        )

    async def _look_at_assembled(self, batch: Sequence[DocumentRequest]) -> None:
        """ITI TF-3: 4.2.3.2.10, 4.2.3.2.23: what was assembled for us has its size and hash only
        now. It is held until the holder has been asked for them, and filed unless they differ."""
        ids = [one.unique_id for one in batch if is_assembled(self.listed[one.unique_id])]
        held = await self._held_as_assembled(ids) if ids else {}
        if not held:
            return
        try:
            entries = await list_again(self.visit, self.holder, self.link, list(held))
        except (PartnerFailed, IheError) as error:
            self.visit.remarks.append(f"what it assembled could not be checked: {explain(error)}")
            entries = ()
        now = {entry.unique_id.bare: entry for entry in entries}
        right: list[tuple[Blob, Source]] = []
        for unique_id, document in held.items():
            entry = now.get(unique_id.bare)
            doubt = None if entry is None else doubt_of(entry, document.blob)
            if doubt is None:
                right.append((document.blob, document.source))
            else:
                await _miss(self.visit, 1, doubt)
        await decide_again(self.visit, right)

    async def _held_as_assembled(self, ids: Sequence[UniqueId]) -> dict[UniqueId, Document]:
        plan = self.visit.asking.plan.id

        def unit(transaction: Transaction) -> dict[UniqueId, Document]:
            return {
                unique_id: document
                for unique_id in ids
                for document in documents.by_unique_id(
                    transaction, plan=plan, unique_id=str(unique_id)
                )
                if document.state == "held"
                and document.reason == _ASSEMBLED
                and document.source.partner == self.holder.id
            }

        return await self.visit.asking.archive.database.read_async(unit)


def _account(
    visit: Visit,
    transaction: Transaction,
    arrived: Arrived,
    received: Sequence[Received],
    done: Sequence[Ingested],
) -> tuple[Answered, list[str]]:
    """What the record says, and what the person who asked is told besides the number missing."""
    both = tuple(zip(done, received, strict=True))
    taken = [one for one, given in both if given.doubt is None]
    unsettled = sum(given.doubt is _ASSEMBLED for _, given in both)
    missing = len(arrived.missing) + len(done) - len(taken) - unsettled
    new = sum(one.outcome != "duplicate" for one in taken)
    visit.note(transaction, documents_new=visit.progress.documents_new + new)
    doubts = [one.doubt for one in received if one.doubt and one.doubt is not _ASSEMBLED]
    said = [*arrived.remarks, *dict.fromkeys(doubts), *_undecided(taken)]
    reason = "; ".join((*([f"partial: {missing} missing"] if missing else []), *said))
    answered = Answered(
        outcome="success" if not reason else "partial" if taken or unsettled else "failed",
        documents=tuple(one.document.id for one in done),
        reason=reason or None,
        missing=missing,
    )
    return answered, said


def _steps(
    arrived: Arrived, received: Sequence[Received], filed: Sequence[Document]
) -> Iterator[str]:
    """What can be done about what is not as it should be."""
    if arrived.elsewhere:
        yield next_steps.FROM_ELSEWHERE
    if arrived.unasked:
        yield next_steps.NOT_ASKED_FOR
    elif arrived.missing and not arrived.elsewhere:
        yield next_steps.NOT_GIVEN
    if any(one.doubt and one.doubt is not _ASSEMBLED for one in received):
        yield next_steps.NOT_THE_LISTED
    given = zip(received, filed, strict=True)
    if any(one.doubt is None and document.state == "held" for one, document in given):
        yield next_steps.DECIDE_DOCUMENTS


def _left_out(arrived: Arrived, *, twice: bool) -> Iterator[str]:
    if number := len(arrived.unexplained):
        asked = ", asked twice" if twice else ""
        short = SHORT_OF_SUCCESS.get(arrived.status)
        how = "success without" if short is None else f"{short} and no error for"
        yield f"it reported {how} {number} of the documents that it lists{asked}"


def _undecided(taken: Sequence[Ingested]) -> Iterator[str]:
    if held := _number(taken, "held"):
        yield f"{held} held for a person to decide: not surely the member's"
    if unread := _number(taken, "quarantined"):
        yield f"{unread} could not be read as a clinical document"


def _number(taken: Iterable[Ingested], state: str) -> int:
    return sum(one.document.state == state for one in taken)


def _source(holder: Partner, one: ArrivedDocument) -> Source:
    """ITI TF-2: 3.39.4.1.3: an on-demand document is known by its new ids from now on."""
    asked, given = one.request, one.given
    repository = given.new_repository_unique_id or asked.repository_unique_id
    return Source(
        door="ITI-39",
        partner=holder.id,
        partner_name=holder.name,
        home_community_id=str(holder.home_community_id),
        repository_unique_id=str(repository),
        document_unique_id=str(given.new_unique_id or asked.unique_id),
        on_demand_unique_id=None if given.new_unique_id is None else str(asked.unique_id),
    )
