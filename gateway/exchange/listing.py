"""ITI-38: which documents a community has for one patient id (ITI TF-2: 3.38, 3.18).

Asked for are current documents, stable and on demand. A community that has more than it lists at
once is asked in windows of creation time, halved until each is small enough; one that fails over
all time, or is late with it, and is neither over a few years, is asked in windows from then on.
On-demand documents have no creation time until they are made, and so no window. References are
followed to entries.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from typing import Final

from ccda.safe_xml import Element, serialize_xml
from gateway.clients.failures import NotCalled, PartnerFailed, PartnerLate
from gateway.exchange.asking import Answered, Call, Patience, explain
from gateway.exchange.calling import put
from gateway.exchange.error_words import in_words
from gateway.exchange.list_answers import (
    LENGTHY,
    OF_OTHERS,
    errors_of,
    failed_altogether,
    is_of,
    problem_of,
    reasons,
)
from gateway.exchange.next_steps import INCOMPLETE, LISTED_FOR_OTHERS
from gateway.exchange.question import Question
from gateway.exchange.superseding import say_deprecated
from gateway.exchange.visit import Visit
from gateway.model.link import Link
from gateway.model.partner import Partner
from gateway.store import links, partner_lessons
from gateway.store.database import Transaction
from ihe.identifiers import UniqueId
from ihe.metadata import DocumentEntry, ObjectType
from ihe.registry_response import ErrorCode
from ihe.soap import ITI_38_REQUEST
from ihe.stored_query import AdhocQuery, FindDocumentsQuery, GetDocumentsQuery, TimeRange
from ihe.wire import OpenedAnswer
from ihe.xca_query import (
    AdhocQueryResponse,
    read_adhoc_query_response,
    write_adhoc_query_request,
)

__all__ = ["LENGTHY", "list_again", "list_documents", "question_name"]

_QUERIES: Final = 60
"""At one patient id: halving a window ten times finds the busiest week of a lifetime."""
_REFERENCES_AT_ONCE: Final = 50
_EARLIEST: Final = date(1990, 1, 1)
"""Where halving begins; what is older than any record in XML stays in the first window."""
_OUTDATED: Final = "{} of its documents are listed as deprecated: not retrieved"
_LADDER: Final = (1826, 183)
"""Days of the windows that are tried with whoever fails over all time: five years, half a year."""
_FOR_ALL_TIME: Final = 2 / 3
"""Of the time that is left: the rest is for shorter times, if that for all of it is too long."""
_WINDOW: Final = "query_window_days"
_BOTH: Final[tuple[ObjectType, ...]] = ("stable", "on-demand")


@dataclass(frozen=True, slots=True)
class _Window:
    """Creation dates from `start` up to, but not including, `end`; an open side is None."""

    start: date | None = None
    end: date | None = None

    def halves(self, today: date) -> tuple["_Window", "_Window"] | None:
        """Both halves; None for a window of one day."""
        first = self.start or min(_EARLIEST, self.end or _EARLIEST)
        last = self.end or max(today, first) + timedelta(days=1)
        middle = first + (last - first) // 2
        if middle in (first, last):
            return None
        return _Window(self.start, middle), _Window(middle, self.end)

    @property
    def range(self) -> TimeRange:
        start, end = (None if day is None else f"{day:%Y%m%d}" for day in (self.start, self.end))
        return TimeRange(start, end)


class _OverAllTime(Exception):
    """It lists nothing over all time, and says that it could not."""

    def __init__(self, said: str) -> None:
        super().__init__("nothing is listed over all time")
        self.said = said


async def list_documents(visit: Visit, holder: Partner, link: Link) -> tuple[DocumentEntry, ...]:
    """The entries that the community lists, each once; that some are missing is remarked.

    Raises:
        AnswerAwaited: an answer comes later.
        PartnerFailed, IheError: it lists nothing, or nothing that can be used.
    """
    listing = _Listing(visit, holder, link, visit.asking.retrieval.created.date())
    since, days = visit.asking.retrieval.since, await listing.window_days()
    if days is not None:
        await listing.find(("on-demand",))
        for window in _windows(since, days, listing.today):
            await listing.find(("stable",), window)
    elif since is not None:
        await listing.find(("on-demand",))
        await listing.find(("stable",), _Window(since))
    else:
        try:
            await listing.find(_BOTH, patience=visit.patience.part(_FOR_ALL_TIME))
        except _OverAllTime as failure:
            if not await listing.find_in_windows(failure.said):
                listing.remember(failure.said)
        except PartnerLate as late:
            # What comes on a connection of its own was waited for much longer than this.
            if holder.profile.asynchronous or visit.patience.is_over:
                raise
            if not await listing.find_in_windows(explain(late)):
                raise
    entries = listing.entries()
    if not entries:
        current = "current " if listing.outdated else ""
        visit.remarks.append(f"it lists no {current}documents")
    return entries


async def list_again(
    visit: Visit, holder: Partner, link: Link, wanted: Sequence[UniqueId]
) -> tuple[DocumentEntry, ...]:
    """What the community says now of documents that it assembled when they were asked for."""
    today = visit.asking.retrieval.created.date()
    listing = _Listing(visit, holder, link, today, is_again=True)
    await listing.get(GetDocumentsQuery(link.home_community_id, unique_ids=tuple(wanted)))
    return listing.entries()


def _windows(since: date | None, days: int, today: date) -> Iterator[_Window]:
    """Windows of so many days up to now, and one of all that is older."""
    first = since or max(_EARLIEST, today - timedelta(days=25 * 365))
    count = max(1, -(-(today - first).days // days))
    edges = [today - timedelta(days=days * number) for number in range(count - 1, 0, -1)]
    for start, end in pairwise([since, *edges, None]):
        yield _Window(start, end)


@dataclass(slots=True)
class _Listing:
    """The queries for one patient id, and what they brought so far."""

    visit: Visit
    holder: Partner
    link: Link
    today: date
    is_again: bool = False
    """What was listed before is asked for: it is counted, and is current or not, already."""
    found: dict[UniqueId, DocumentEntry] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    queries: int = 0
    of_others: set[UniqueId] = field(default_factory=set)
    outdated: set[UniqueId] = field(default_factory=set)

    def entries(self) -> tuple[DocumentEntry, ...]:
        if self.problems or self.of_others:
            self.visit.steps.append(INCOMPLETE if self.problems else LISTED_FOR_OTHERS)
        if self.of_others and not self.found:
            raise PartnerFailed(OF_OTHERS.format("all"))
        if self.of_others:
            self.visit.remarks.append(OF_OTHERS.format(len(self.of_others)))
        if self.outdated:
            self.visit.remarks.append(_OUTDATED.format(len(self.outdated)))
        if self.problems and not self.found:
            raise PartnerFailed(f"its document query failed: {_each(self.problems)}")
        if self.problems:
            self.visit.remarks.append(
                f"its list of documents may be incomplete: it reported {_each(self.problems)}"
            )
        return tuple(self.found.values())

    async def find(
        self,
        types: tuple[ObjectType, ...],
        window: _Window | None = None,
        *,
        patience: Patience | None = None,
    ) -> None:
        """Asks for those documents, in smaller windows if they are too many at once."""
        answer = await self._ask(self._query(types, window), patience)
        if types == _BOTH and failed_altogether(answer):
            raise _OverAllTime(in_words(errors_of(answer)))
        errors = [one for one in errors_of(answer) if one.code is ErrorCode.TOO_MANY_RESULTS]
        too_many = in_words(errors)
        if not too_many:
            self.remember(problem_of(answer))
        elif types == _BOTH:
            await self.find(("on-demand",))
            await self._halve(_Window(), too_many)
        elif types == ("stable",):
            await self._halve(window or _Window(), too_many)
        else:
            self.remember(too_many)
        await self._follow(answer)

    async def window_days(self) -> int | None:
        """Of how many days its windows are: as its profile says, or fewer if that was learned."""
        now = self.visit.asking.retrieval.created  # a visit that is run anew asks the same
        lesson = await self.visit.asking.archive.database.read_async(
            lambda tx: partner_lessons.in_force(tx, partner=self.holder.id, kind=_WINDOW, now=now)
        )
        stated = self.holder.profile.query_window_days
        if lesson is None:
            return stated
        return lesson.value if stated is None else min(stated, lesson.value)

    async def find_in_windows(self, failure: str) -> bool:
        """Asks for the same in windows, and keeps the lesson if that is what it takes; False if it
        lists nothing in these either.

        Two windows show whether it is: one that fails for the newest half a year fails for
        another reason, and is asked no further. The first that is listed is the lesson: should
        the time not suffice for the others, the next retrieval begins with windows.
        """
        for days in _LADDER:
            newest, *older = reversed(list(_windows(None, days, self.today)))
            answer = await self._ask(self._query(("stable",), newest))
            if failed_altogether(answer):
                continue
            await self._learn(days, failure)
            self.remember(problem_of(answer))
            await self._follow(answer)
            await self.find(("on-demand",))
            for window in older:
                await self.find(("stable",), window)
            return True
        return False

    async def _learn(self, days: int, failure: str) -> None:
        why = f"it failed over all time ({failure}), and then listed {days} days"
        await self.visit.asking.archive.database.write_async(
            lambda tx: partner_lessons.learn(
                tx,
                partner=self.holder.id,
                plan=self.holder.plan,
                kind=_WINDOW,
                value=days,
                why=why,
                now=datetime.now(UTC),
            )
        )

    def _query(self, types: tuple[ObjectType, ...], window: _Window | None) -> FindDocumentsQuery:
        return FindDocumentsQuery(
            patient_id=self.link.patient_id,
            home_community_id=self.link.home_community_id,
            entry_types=types,
            creation_time=TimeRange() if window is None else window.range,
        )

    async def get(self, query: GetDocumentsQuery) -> None:
        """Asks for entries by their ids; those that do not come are missing."""
        answer = await self._ask(query)
        self.remember(problem_of(answer))

    async def _halve(self, window: _Window, too_many: str) -> None:
        halves = window.halves(self.today)
        if halves is None or self.queries >= _QUERIES:
            self.remember(too_many)
            return
        for half in halves:
            await self.find(("stable",), half)

    async def _follow(self, answer: AdhocQueryResponse) -> None:
        """Quirk: references although entries were asked for, from those who list much."""
        known = {entry.entry_uuid for entry in self.found.values()}
        wanted = [one.entry_uuid for one in answer.object_refs if one.entry_uuid not in known]
        for start in range(0, len(wanted), _REFERENCES_AT_ONCE):
            some = tuple(wanted[start : start + _REFERENCES_AT_ONCE])
            await self.get(GetDocumentsQuery(self.link.home_community_id, entry_uuids=some))

    def remember(self, problem: str | None) -> None:
        """That the list may be incomplete, and why; None if nothing says so."""
        if problem is not None:
            self.problems.append(problem)

    async def _ask(self, query: AdhocQuery, patience: Patience | None = None) -> AdhocQueryResponse:
        address = self.holder.endpoints.iti38
        if address is None:
            raise NotCalled("it has no address for document queries")
        self.queries += 1
        before = set(self.found)

        async def read(answer: OpenedAnswer) -> AdhocQueryResponse:
            return await asyncio.to_thread(read_adhoc_query_response, answer.body)

        def effect(transaction: Transaction, answer: AdhocQueryResponse) -> Answered:
            self.visit.note(transaction, step="retrieve")
            if any(one.code is ErrorCode.UNKNOWN_PATIENT_ID for one in errors_of(answer)):
                self._forget_link(transaction)
            self._say_outdated(transaction, answer)
            return self._answered(query, answer, before)

        body = write_adhoc_query_request(query)
        call = Call(self.holder, ITI_38_REQUEST, address, body, patience or self.visit.patience)
        answer = await put(self.visit, Question(call, question_name("ITI-38", body)), read, effect)
        if answer is None:
            raise PartnerFailed("its list of documents was taken before and is gone")
        self._take(answer)
        if answer.unreadable:
            self.visit.remarks.append(f"{answer.unreadable} of its list could not be read")
        return answer

    def _take(self, answer: AdhocQueryResponse) -> None:
        asked_for = [one for one in answer.entries if self._is_asked_for(one, answer)]
        current = [one for one in asked_for if self._is_current(one)]
        # Of a document listed twice the entry counts that says where it can be had.
        current.sort(key=lambda one: one.repository_unique_id is not None)
        self.found.update((one.unique_id, one) for one in current)
        self.outdated |= {one.unique_id for one in asked_for}
        self.outdated -= self.found.keys()

    def _is_asked_for(self, entry: DocumentEntry, answer: AdhocQueryResponse) -> bool:
        accepted = self.holder.profile.other_patient_id_accepted
        return accepted or is_of(self.link.patient_id, entry, answer)

    def _is_current(self, entry: DocumentEntry) -> bool:
        """Approved was asked for; what a newer version replaced counts no more (DECISIONS 14)."""
        return self.is_again or entry.availability != "Deprecated"

    def _answered(
        self, query: AdhocQuery, answer: AdhocQueryResponse, before: set[UniqueId]
    ) -> Answered:
        came = {entry.unique_id for entry in answer.entries}
        others = {one.unique_id for one in answer.entries if not self._is_asked_for(one, answer)}
        current = {one.unique_id for one in answer.entries if self._is_current(one)}
        new_others = others - self.of_others
        self.of_others |= others
        missing = answer.unreadable + len(new_others)
        if isinstance(query, GetDocumentsQuery):
            missing = max(0, len(query.entry_uuids or query.unique_ids) - len(came - others))
        is_well = problem_of(answer) is None and not others
        given = bool(answer.entries or answer.object_refs)
        return Answered(
            outcome="success" if is_well else "partial" if given else "failed",
            reason="; ".join(reasons(answer, len(others))),
            found=0 if self.is_again else len((came & current) - others - before) + missing,
            missing=0 if self.is_again else missing,
        )

    def _say_outdated(self, transaction: Transaction, answer: AdhocQueryResponse) -> None:
        asked_for = [one for one in answer.entries if self._is_asked_for(one, answer)]
        current = self.found.keys() | {one.unique_id for one in asked_for if self._is_current(one)}
        outdated = {one.unique_id for one in asked_for} - current
        say_deprecated(
            transaction,
            plan=self.link.plan,
            partner=self.holder.id,
            unique_ids=sorted(map(str, outdated)),
        )

    def _forget_link(self, transaction: Transaction) -> None:
        """The patient id is stale: within its time to live, too, it is asked for anew."""
        plan, member = self.link.plan, self.link.member
        links.forget(transaction, plan=plan, member=member, partner=self.link.partner)


def question_name(transaction: str, body: Element) -> str:
    """The same for the same request, which holds nothing drawn at random."""
    return f"{transaction} {sha256(serialize_xml(body)).hexdigest()}"


def _each(problems: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(problems))
