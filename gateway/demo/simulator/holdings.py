"""What a simulated partner knows: one made-up person, and three documents of hers.

These are its answers as they should be; `moods` has what becomes of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha1
from importlib.resources import files
from typing import Final
from uuid import NAMESPACE_OID, uuid5

from gateway.demo.parties import MEMBER
from ihe.discovery import Demographics, Discovery, Match, Matched, NoMatch, PatientDiscoveryRequest
from ihe.identifiers import HomeCommunityId, Oid, PatientId, UniqueId
from ihe.metadata import Code, DocumentEntry
from ihe.patient_location import PatientLocation
from ihe.query_filter import matches
from ihe.registry_response import (
    ErrorCode,
    RegistryError,
    RegistryResponse,
    ResponseStatus,
    status_of,
)
from ihe.stored_query import AdhocQuery, FindDocumentsQuery, GetDocumentsQuery
from ihe.xca_query import AdhocQueryResponse
from ihe.xca_retrieve import DocumentRequest, RetrieveDocumentSetRequest, document_error

HOME: Final = HomeCommunityId.parse("2.999.7309.1")
NAME: Final = "Simulated Partner"
ELSEWHERE: Final = HomeCommunityId.parse("2.999.7399.1")
"""Another community, which nobody runs."""
_NUMBER: Final = "SP-3301"
_THERE: Final = "EW-1207"
_FILES: Final = {
    "northfield_ccd.xml": "20250318160500",
    "northfield_discharge_summary.xml": "20240211093000",
    "lakeshore_progress_note.xml": "20250520110500",
}
_SUMMARY: Final = Code("34133-9", "2.16.840.1.113883.6.1", "Summary of episode note")
_FORMAT: Final = Code("urn:ihe:pcc:xphr:2007", "1.3.6.1.4.1.19376.1.2.3", "XPHR")
_NORMAL: Final = Code("N", "2.16.840.1.113883.5.25", "Normal")
_SETTING: Final = Code("394802001", "2.16.840.1.113883.6.96", "General medicine")
_FACILITY: Final = Code("394777002", "2.16.840.1.113883.6.96", "Health encounter site")


@dataclass(frozen=True, slots=True)
class Given:
    """A document as it goes out: what is said of it, and the bytes under which Content-ID."""

    unique_id: UniqueId
    home: HomeCommunityId
    content: bytes
    cid: str


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What a retrieve is answered with."""

    outcome: RegistryResponse
    documents: tuple[Given, ...] = ()


@dataclass(frozen=True, slots=True)
class Holdings:
    """The community, whom it knows, and the documents it has of her."""

    home: HomeCommunityId
    person: Demographics
    documents: Mapping[UniqueId, bytes]
    entries: tuple[DocumentEntry, ...]

    @property
    def patient(self) -> PatientId:
        return _patient(self.home)

    def discover(self, asked: PatientDiscoveryRequest) -> Discovery:
        """ITI-55: the person, if every name, birth time and gender that is asked for is hers."""
        if not _is_the_same(asked.demographics, self.person):
            return NoMatch()
        known = replace(self.person, ids=())
        match = Match(self.patient, self.home, known, degree=98, supports_locator=True)
        return Matched((match,))

    def locate(self, asked: PatientId) -> tuple[PatientLocation, ...]:
        """ITI-56: another made-up community, where she is known too; nobody else is anywhere."""
        if asked != self.patient:
            return ()
        return (PatientLocation(ELSEWHERE, PatientId(_THERE, Oid(f"{ELSEWHERE}.2"))),)

    def find(self, asked: AdhocQuery) -> AdhocQueryResponse:
        """ITI-38: FindDocuments and GetDocuments; of other queries it says that it knows none."""
        if isinstance(asked, FindDocumentsQuery):
            if asked.patient_id != self.patient:
                return _failure(ErrorCode.UNKNOWN_PATIENT_ID, "unknown patient id", self.home)
            found = [entry for entry in self.entries if matches(entry, asked)]
        elif isinstance(asked, GetDocumentsQuery):
            found = [
                entry
                for entry in self.entries
                if entry.unique_id in asked.unique_ids or entry.entry_uuid in asked.entry_uuids
            ]
        else:
            return _failure(ErrorCode.UNKNOWN_STORED_QUERY, "not supported", self.home)
        return AdhocQueryResponse(ResponseStatus.SUCCESS, entries=tuple(found))

    def retrieve(self, asked: RetrieveDocumentSetRequest) -> Retrieved:
        """ITI-39: what it has of what is asked for, and an error for each document it has not."""
        known = [one for one in asked.documents if one.unique_id in self.documents]
        errors = tuple(_unknown(one) for one in asked.documents if one not in known)
        given = tuple(self.given(one.unique_id, number) for number, one in enumerate(known, 1))
        return Retrieved(
            RegistryResponse(status_of(errors, has_content=bool(given)), errors), given
        )

    def given(self, unique_id: UniqueId, number: int) -> Given:
        """One of its documents, as the part of that number."""
        return Given(unique_id, self.home, self.documents[unique_id], f"{number}@simulated")


def holdings(home: HomeCommunityId = HOME, person: Demographics = MEMBER) -> Holdings:
    """The simulated community, under whatever home community id."""
    package = files("gateway.demo.documents")
    contents = {
        UniqueId(f"{home}.4.{number}"): package.joinpath(name).read_bytes()
        for number, name in enumerate(_FILES, 1)
    }
    times = _FILES.values()
    entries = tuple(
        _entry(home, unique_id, content, time)
        for (unique_id, content), time in zip(contents.items(), times, strict=True)
    )
    return Holdings(home, replace(person, ids=()), contents, entries)


def _patient(home: HomeCommunityId) -> PatientId:
    return PatientId(_NUMBER, Oid(f"{home}.2"))


def _entry(
    home: HomeCommunityId, unique_id: UniqueId, content: bytes, created: str
) -> DocumentEntry:
    return DocumentEntry(
        entry_uuid=f"urn:uuid:{uuid5(NAMESPACE_OID, str(unique_id))}",
        unique_id=unique_id,
        patient_id=_patient(home),
        home_community_id=home,
        repository_unique_id=Oid(f"{home}.3"),
        mime_type="text/xml",
        availability="Approved",
        creation_time=created,
        language_code="en-US",
        # ITI TF-3: 4.2.3.2.10 has SHA-1; it guards against accidents alone.
        hash=sha1(content, usedforsecurity=False).hexdigest(),
        size_bytes=len(content),
        class_code=_SUMMARY,
        type_code=_SUMMARY,
        format_code=_FORMAT,
        healthcare_facility_type_code=_FACILITY,
        practice_setting_code=_SETTING,
        confidentiality_codes=(_NORMAL,),
        source_patient_id=_patient(home).cx,
    )


def _is_the_same(asked: Demographics, known: Demographics) -> bool:
    """By the first name of each; what is not asked about speaks against nobody."""
    if not asked.names or asked.birth_time is None or known.birth_time is None:
        return False
    (mine, *_), (theirs, *_) = known.names, asked.names
    if (mine.family or "").casefold() != (theirs.family or "").casefold():
        return False
    if [name.casefold() for name in theirs.given[:1]] != [
        name.casefold() for name in mine.given[:1]
    ]:
        return False
    same_day = (asked.birth_time.value or "")[:8] == (known.birth_time.value or "")[:8]
    return same_day and asked.gender in (None, known.gender)


def _failure(code: ErrorCode, context: str, home: HomeCommunityId) -> AdhocQueryResponse:
    error = RegistryError(code, context, location=home.urn)
    return AdhocQueryResponse(ResponseStatus.FAILURE, errors=(error,))


def _unknown(asked: DocumentRequest) -> RegistryError:
    return document_error(asked, ErrorCode.DOCUMENT_UNIQUE_ID, "no such document")
