"""Whether a partner keeps to the book: its endpoints walked, each request with its record.

Nothing is disclosed: the discovery is for a made-up person who must not match, the query for a
patient id and the retrieve for a document that cannot be there. With a test patient that was
agreed with the partner the walk goes on to real answers, as far as its documents.
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4

from ccda.safe_xml import Element
from gateway.clients.answer_reading import Crossing
from gateway.clients.failures import NotTrusted, PartnerFailed, PartnerLate, Unreachable
from gateway.exchange.asking import (
    Asking,
    Patience,
    explain,
    failure_outcome,
    new_assertion,
    new_record,
)
from gateway.exchange.check_requests import (
    NOBODY,
    close_record,
    discovery_request,
    named_call,
    new_message_id,
    open_record,
)
from gateway.exchange.deferral_check import check_deferral
from gateway.exchange.disclosing import first_set
from gateway.exchange.listing import LENGTHY
from gateway.exchange.partner_findings import (
    Finding,
    Report,
    Sizes,
    http_line,
    of_answer,
    of_documents,
    of_door,
    of_list,
    of_match,
)
from gateway.model.member import Member
from gateway.model.partner import Partner
from ihe.answer_rules import FAULT, Asked, fragment
from ihe.discovery import Demographics, Match, Matched
from ihe.errors import IheError
from ihe.identifiers import HomeCommunityId, Oid, PatientId, UniqueId
from ihe.metadata import DocumentEntry
from ihe.mtom import is_multipart
from ihe.patient_location import read_location_response, write_location_request
from ihe.registry_response import ErrorCode, Severity
from ihe.soap import (
    ITI_38_REQUEST,
    ITI_39_REQUEST,
    ITI_55_REQUEST,
    ITI_56_REQUEST,
    MessageKind,
)
from ihe.stored_query import FindDocumentsQuery, TimeRange
from ihe.wire import OpenedAnswer
from ihe.xca_query import AdhocQueryResponse, read_adhoc_query_response, write_adhoc_query_request
from ihe.xca_retrieve import (
    DocumentRequest,
    RetrieveDocumentSetRequest,
    read_retrieve_response,
    write_retrieve_request,
)
from ihe.xcpd import read_discovery_response, write_discovery_request

_HTTP: Final = "ITI TF-2: V.3.2 (SOAP over HTTP)"
_TLS: Final = "ITI TF-2: 3.19 (node authentication)"
_MTOM: Final = "ITI TF-2: 3.39.4.1.3 (MTOM/XOP)"
_RETRIEVE: Final = "ITI TF-2: 3.43.4.2 (documents)"
_QUERY: Final = "ITI TF-2: 3.18.4.1.2.3.7.1 (FindDocuments)"
_FIVE_YEARS: Final = 1826
_DISCOVERY: Final = "ITI TF-2: 3.55.4.2.3"
_ACT: Final = "{*}controlActProcess/{*}queryAck"
_ERRORS: Final = ".//{*}RegistryErrorList"


async def check_partner(
    asking: Asking, partner: Partner, *, member: Member | None, wait_seconds: float = 60.0
) -> Report:
    """The report; whatever goes wrong is in it. `member` is a test patient; `wait_seconds` is how
    long a deferred result is waited for at most."""
    report = Report(
        partner.name,
        str(partner.home_community_id),
        datetime.now(UTC),
        asking.community.organization,
    )
    await _Walk(asking, partner, report).all(member)
    if partner.profile.deferred_discovery:
        await check_deferral(asking, partner, NOBODY, report, wait_seconds=wait_seconds)
    return report


@dataclass(slots=True)
class _Answer:
    """An answer that was opened, to which request, and how it came."""

    opened: OpenedAnswer
    crossing: Crossing
    sizes: Sizes
    message_id: str


@dataclass(slots=True)
class _Walk:
    asking: Asking
    partner: Partner
    report: Report

    async def all(self, member: Member | None) -> None:
        endpoints = self.partner.endpoints
        doors = dict.fromkeys(
            one
            for one in (
                endpoints.iti55,
                endpoints.iti56,
                endpoints.iti38,
                endpoints.iti39,
                endpoints.iti41,
                endpoints.iti80,
            )
            if one is not None
        )
        if not doors:
            self._say("deviation", "directory", "it has no addresses; add them to its file")
        for door in doors:
            await self._door(door)
        await self._nobody()
        if member is not None:
            await self._somebody(member)

    def _say(self, level: str, place: str, text: str, section: str | None = None) -> None:
        self.report.findings.append(Finding(level, place, text, section))

    def _say_of(
        self, answer: _Answer, level: str, text: str, section: str, path: str = "."
    ) -> None:
        """With the element of the answer's body that shows it, or the body if it has none."""
        body = answer.opened.body
        about, place = body.find(path), answer.opened.kind.transaction
        shown = fragment(body if about is None else about)
        found = Finding(level, place, text, section, shown, answer.message_id)
        self.report.findings.append(found)

    # ---- the connection ----------------------------------------------------------------------

    async def _door(self, door: str) -> None:
        """TCP, TLS, the clock of HTTP and `?wsdl`."""
        record = replace(
            new_record(
                self.asking, named_call(self.partner, ITI_55_REQUEST, door), new_message_id()
            ),
            transaction="WSDL",
            member=None,
            message_id=None,
        )
        open_id = await open_record(self.asking, record)
        try:
            async with Patience(self.partner.profile.timeout_seconds).waiting():
                looked = await self.asking.client.look(partner=self.partner, address=f"{door}?wsdl")
        except (PartnerFailed, IheError) as error:
            failed = replace(record, outcome=failure_outcome(error), reason=explain(error))
            await close_record(self.asking, open_id, failed, Crossing())
            section = _TLS if isinstance(error, NotTrusted) else _HTTP
            self._say("deviation", door, explain(error), section)
            return
        await close_record(self.asking, open_id, replace(record, outcome="success"), Crossing())
        self.report.findings.extend(of_door(door, looked, datetime.now(UTC)))

    # ---- nobody ------------------------------------------------------------------------------

    async def _nobody(self) -> None:
        """What must find nothing."""
        partner, endpoints = self.partner, self.partner.endpoints
        home = partner.home_community_id
        if endpoints.iti55 is not None:
            answer = await self._ask(ITI_55_REQUEST, endpoints.iti55, self._discovery(NOBODY, None))
            if answer is not None:
                found = read_discovery_response(answer.opened.body, asked=home).discovery
                if isinstance(found, Matched):
                    text = "it matches a made-up person"
                    self._say_of(answer, "deviation", text, _DISCOVERY, _ACT)
        unknown = PatientId(f"check-{uuid4()}", Oid(f"{asking_root(self.asking)}.1"))
        if endpoints.iti38 is not None:
            query = FindDocumentsQuery(patient_id=unknown, home_community_id=home)
            answer = await self._ask(
                ITI_38_REQUEST, endpoints.iti38, write_adhoc_query_request(query)
            )
            if answer is not None:
                listed = read_adhoc_query_response(answer.opened.body)
                codes = {one.code for one in listed.errors if one.severity is Severity.ERROR}
                if listed.entries:
                    text = "it lists documents of a patient id that it never gave"
                    self._say_of(answer, "deviation", text, _QUERY)
                elif codes - {ErrorCode.UNKNOWN_PATIENT_ID}:
                    text = "an unknown patient id is neither an empty list nor XDSUnknownPatientId"
                    self._say_of(answer, "deviation", text, _QUERY, _ERRORS)
        door = endpoints.iti39 or endpoints.iti38
        if door is not None:
            root = asking_root(self.asking)
            wanted = DocumentRequest(Oid(f"{root}.2"), UniqueId(f"{root}.9.{uuid4().int}"), home)
            body = write_retrieve_request(RetrieveDocumentSetRequest((wanted,)))
            answer = await self._ask(ITI_39_REQUEST, door, body)
            if answer is not None:
                came = read_retrieve_response(answer.opened.body)
                self._mtom(answer)
                if came.documents or not came.outcome.errors:
                    text = "a document that is not there is not answered with an error for it"
                    self._say_of(answer, "deviation", text, _RETRIEVE)

    # ---- a test patient ----------------------------------------------------------------------

    async def _somebody(self, member: Member) -> None:
        """As far as documents; each step needs the one before it."""
        endpoints, home = self.partner.endpoints, self.partner.home_community_id
        if endpoints.iti55 is None or endpoints.iti38 is None:
            return
        told = first_set(member.demographics)
        answer = await self._ask(
            ITI_55_REQUEST, endpoints.iti55, self._discovery(told, member), member
        )
        if answer is None:
            return
        found = read_discovery_response(answer.opened.body, asked=home).discovery
        if not isinstance(found, Matched):
            text = "it does not find the test patient"
            self._say_of(answer, "deviation", text, _DISCOVERY, _ACT)
            return
        match = found.matches[0]
        self._add(answer, of_match(member.demographics, match, answer.opened.body))
        if self.partner.profile.health_data_locator:
            await self._locations(match, member)
        query = FindDocumentsQuery(patient_id=match.patient_id, home_community_id=home)
        answer = await self._ask(
            ITI_38_REQUEST, endpoints.iti38, write_adhoc_query_request(query), member
        )
        if answer is None:
            return
        listed = read_adhoc_query_response(answer.opened.body)
        errors = {one.code for one in listed.errors if one.severity is Severity.ERROR}
        if ErrorCode.TOO_MANY_RESULTS in errors:
            text = (
                "it lists the test patient's documents only in windows of time (XDSTooManyResults)"
            )
            self._say_of(answer, "limitation", text, _QUERY, _ERRORS)
        elif errors and errors <= LENGTHY and not listed.entries:
            answer, listed = await self._shorter_time(query, member) or (answer, listed)
        elif errors:
            said = ", ".join(sorted(str(code) for code in errors if isinstance(code, ErrorCode)))
            text = f"the list comes with errors: {said}"
            self._say_of(answer, "deviation", text, _QUERY, _ERRORS)
        self._add(answer, of_list(listed.entries, match.patient_id, answer.opened.body))
        await self._documents(listed.entries, member)

    async def _locations(self, match: Match, member: Member) -> None:
        """Where else it says that the test patient is known, if it is a Health Data Locator."""
        door = self.partner.endpoints.iti56 or self.partner.endpoints.iti55
        if door is None or not match.supports_locator:
            text = "its match says that it is no Health Data Locator; its profile has it as one"
            self._say("limitation", "ITI-56", text, _DISCOVERY)
            return
        body = write_location_request(match.patient_id)
        before = len(self.report.findings)
        answer = await self._ask(ITI_56_REQUEST, door, body, member)
        if answer is not None:
            told = read_location_response(answer.opened.body, asked=match.patient_id)
            self._say("passed", "ITI-56", f"it tells of {len(told.locations)} locations")
            return
        # Its schema knows no empty answer: that the patient is known nowhere else is a fault, too.
        said = self.report.findings[before:]
        if [one.text for one in said] == [FAULT]:
            text = "it tells of nobody else who knows the test patient, by a SOAP fault"
            self.report.findings[before:] = [replace(said[0], level="limitation", text=text)]

    async def _shorter_time(
        self, query: FindDocumentsQuery, member: Member
    ) -> tuple[_Answer, AdhocQueryResponse] | None:
        """What it lists of the last five years, where it fails over all time."""
        start = datetime.now(UTC).date() - timedelta(days=_FIVE_YEARS)
        shorter = replace(query, creation_time=TimeRange(f"{start:%Y%m%d}"))
        door = self.partner.endpoints.iti38
        if door is None:
            return None
        answer = await self._ask(ITI_38_REQUEST, door, write_adhoc_query_request(shorter), member)
        if answer is None:
            return None
        found = read_adhoc_query_response(answer.opened.body)
        if any(one.severity is Severity.ERROR for one in found.errors):
            text = "it lists nothing of the test patient, over all time or five years"
            self._say_of(answer, "deviation", text, _QUERY, _ERRORS)
            return None
        text = "it lists five years at once, and fails over all time"
        self._say_of(answer, "limitation", text, _QUERY)
        return answer, found

    async def _documents(self, entries: Sequence[DocumentEntry], member: Member) -> None:
        door = self.partner.endpoints.iti39 or self.partner.endpoints.iti38
        home, size = self.partner.home_community_id, self.partner.profile.documents_per_retrieve
        wanted = [one for one in entries if one.repository_unique_id is not None][:size]
        if door is None or not wanted:
            return
        body = write_retrieve_request(RetrieveDocumentSetRequest(tuple(_requests(wanted, home))))
        answer = await self._ask(ITI_39_REQUEST, door, body, member)
        if answer is None:
            return
        came = read_retrieve_response(answer.opened.body)
        if len(wanted) > 1 and not came.documents:
            alone = write_retrieve_request(
                RetrieveDocumentSetRequest(tuple(_requests(wanted[:1], home)))
            )
            first = await self._ask(ITI_39_REQUEST, door, alone, member)
            if first is not None and read_retrieve_response(first.opened.body).documents:
                text = f"it gives one document at a time, and fails for {len(wanted)} at once"
                self._say_of(answer, "limitation", text, _RETRIEVE)
                return
        self._mtom(answer)
        asked = {one.unique_id: one for one in wanted}
        self._add(answer, of_documents(came, asked, answer.sizes, answer.opened.body))

    def _add(self, answer: _Answer, found: Iterator[Finding]) -> None:
        self.report.findings.extend(replace(one, message_id=answer.message_id) for one in found)

    def _mtom(self, answer: _Answer) -> None:
        if not is_multipart(answer.crossing.content_type or ""):
            text = "the answer is no MTOM package (multipart/related, application/xop+xml)"
            shown = http_line(answer.crossing)
            found = Finding("deviation", "ITI-39", text, _MTOM, shown, answer.message_id)
            self.report.findings.append(found)

    # ---- one request -------------------------------------------------------------------------

    async def _ask(
        self, kind: MessageKind, door: str, body: Element, member: Member | None = None
    ) -> _Answer | None:
        """The answer, once its deviations are noted; None when there is none to go on with."""
        partner, step = self.partner, kind.transaction
        call, crossing, sizes = named_call(partner, kind, door), Crossing(), Sizes()
        said = copy.deepcopy(body)  # what is sent moves into its envelope
        message_id = new_message_id()
        record = new_record(self.asking, call, message_id)
        record = replace(record, member=None if member is None else member.id)
        open_id = await open_record(self.asking, record)
        opened, failure = None, None
        try:
            async with Patience(partner.profile.timeout_seconds).waiting():
                opened = await self.asking.client.call(
                    partner=partner,
                    kind=kind,
                    address=door,
                    body=body,
                    assertion=new_assertion(self.asking, partner, door),
                    message_id=message_id,
                    sink=sizes.open,
                    crossing=crossing,
                )
            record = replace(record, outcome="success")
        except (PartnerFailed, IheError) as error:
            failure = error
            record = replace(record, outcome=failure_outcome(error), reason=explain(error))
        await close_record(self.asking, open_id, record, crossing)
        broken = list(of_answer(crossing, Asked(kind, message_id, partner.home_community_id, said)))
        line = http_line(crossing)
        for one in broken:
            shown = one.fragment or line
            one = replace(one, place=step, fragment=shown, message_id=message_id)
            self.report.findings.append(one)
        if failure is not None and not broken:
            late = isinstance(failure, PartnerLate | Unreachable)
            text = explain(failure)
            section, line = (None, None) if late else (_HTTP, line)
            self.report.findings.append(Finding("deviation", step, text, section, line, message_id))
        if opened is None:
            return None
        self._say("answered", step, "it answers")
        return _Answer(opened, crossing, sizes, message_id)

    def _discovery(self, told: Demographics, member: Member | None) -> Element:
        request = discovery_request(self.asking, self.partner, told, member=member)
        return write_discovery_request(request)


def asking_root(asking: Asking) -> str:
    """Our own OID: ids under it are nobody else's."""
    return str(asking.community.home_community_id)


def _requests(entries: Sequence[DocumentEntry], home: HomeCommunityId) -> Iterator[DocumentRequest]:
    for one in entries:
        if one.repository_unique_id is not None:
            yield DocumentRequest(one.repository_unique_id, one.unique_id, home)
