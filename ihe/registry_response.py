"""What a registry or repository reports of a request (ebRS 3.0: 2.1.3; ITI TF-3: 4.2.4)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from lxml import etree

from ccda.safe_xml import Element
from ihe.errors import IheError, UnexpectedMessage
from ihe.identifiers import HomeCommunityId

NAMESPACE: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"


def rs(name: str) -> str:
    """`name` in the ebRS namespace, as lxml writes it."""
    return f"{{{NAMESPACE}}}{name}"


class ErrorCode(StrEnum):
    """The codes of ITI TF-3: 4.2.4.1, table 4.2.4.1-2, and what each says."""

    DOCUMENT_QUEUED = "DocumentQueued"
    """The document is kept and will be delivered later."""
    INVALID_DOCUMENT_CONTENT = "InvalidDocumentContent"
    """The document is not what its metadata says."""
    PARTIAL_APPEND_CONTENT = "PartialAppendContentNotProcessed"
    PARTIAL_FOLDER_CONTENT = "PartialFolderContentNotProcessed"
    PARTIAL_RELATIONSHIP_CONTENT = "PartialRelationshipContentNotProcessed"
    PARTIAL_REPLACE_CONTENT = "PartialReplaceContentNotProcessed"
    PARTIAL_TRANSFORM = "PartialTransformNotProcessed"
    PARTIAL_TRANSFORM_REPLACE = "PartialTransformReplaceNotProcessed"
    UNAVAILABLE_RECIPIENT = "UnavailableRecipient"
    UNKNOWN_RECIPIENT = "UnknownRecipient"
    UNRESOLVED_REFERENCE = "UnresolvedReferenceException"
    """A submission refers to an entry that is not there."""
    DOCUMENT_UNIQUE_ID = "XDSDocumentUniqueIdError"
    """The repository has no document of that unique id."""
    DUPLICATE_UNIQUE_ID = "XDSDuplicateUniqueIdInRegistry"
    EXTRA_METADATA_NOT_SAVED = "XDSExtraMetadataNotSaved"
    """A warning only: what the standard does not name was dropped."""
    MISSING_DOCUMENT = "XDSMissingDocument"
    MISSING_DOCUMENT_METADATA = "XDSMissingDocumentMetadata"
    MISSING_HOME_COMMUNITY_ID = "XDSMissingHomeCommunityId"
    """The request had to name a home community and did not."""
    NON_IDENTICAL_HASH = "XDSNonIdenticalHash"
    NON_IDENTICAL_SIZE = "XDSNonIdenticalSize"
    PATIENT_ID_DOES_NOT_MATCH = "XDSPatientIdDoesNotMatch"
    REGISTRY_BUSY = "XDSRegistryBusy"
    REGISTRY_ERROR = "XDSRegistryError"
    """An internal error of the registry."""
    REGISTRY_METADATA_ERROR = "XDSRegistryMetadataError"
    REGISTRY_NOT_AVAILABLE = "XDSRegistryNotAvailable"
    REGISTRY_OUT_OF_RESOURCES = "XDSRegistryOutOfResources"
    REPOSITORY_BUSY = "XDSRepositoryBusy"
    REPOSITORY_ERROR = "XDSRepositoryError"
    """An internal error of the repository."""
    REPOSITORY_METADATA_ERROR = "XDSRepositoryMetadataError"
    REPOSITORY_OUT_OF_RESOURCES = "XDSRepositoryOutOfResources"
    RESULT_NOT_SINGLE_PATIENT = "XDSResultNotSinglePatient"
    STORED_QUERY_MISSING_PARAMETER = "XDSStoredQueryMissingParam"
    STORED_QUERY_PARAMETER_NUMBER = "XDSStoredQueryParamNumber"
    """A parameter that takes one value has several."""
    TOO_MANY_RESULTS = "XDSTooManyResults"
    UNAVAILABLE_COMMUNITY = "XDSUnavailableCommunity"
    UNKNOWN_COMMUNITY = "XDSUnknownCommunity"
    UNKNOWN_PATIENT_ID = "XDSUnknownPatientId"
    UNKNOWN_REPOSITORY_ID = "XDSUnknownRepositoryId"
    UNKNOWN_STORED_QUERY = "XDSUnknownStoredQuery"


class Severity(StrEnum):
    ERROR = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Error"
    WARNING = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Warning"


class ResponseStatus(StrEnum):
    SUCCESS = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"
    PARTIAL_SUCCESS = "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"
    FAILURE = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Failure"


@dataclass(frozen=True, slots=True)
class RegistryError:
    """One thing that went wrong. A code we do not know is kept as written; "" where none was.

    `location` names what it concerns: the community (ITI-38), the document and the community
    (ITI-39). Partners also put those into `context`.
    """

    code: ErrorCode | str
    context: str
    severity: Severity = Severity.ERROR
    location: str | None = None

    def concerns(self, identifier: str) -> bool:
        """Whether it names `identifier`, in whichever of its texts."""
        return identifier in (self.location or "") or identifier in self.context


@dataclass(frozen=True, slots=True)
class RegistryResponse:
    """How a request went. Read, its status is what the content says, never better than stated."""

    status: ResponseStatus
    errors: tuple[RegistryError, ...] = ()


class RegistryRefusal(IheError):
    """A request that is to be answered with `error` in an ordinary response, not with a fault."""

    def __init__(self, code: ErrorCode, context: str) -> None:
        super().__init__(context)
        self.error = RegistryError(code, context)

    def answered_by(self, community: HomeCommunityId) -> RegistryResponse:
        """The failure to answer with: `location` names the community (ITI TF-2: 3.38.4.1.3)."""
        error = replace(self.error, location=community.urn)
        return RegistryResponse(ResponseStatus.FAILURE, (error,))


def status_of(errors: Iterable[RegistryError], *, has_content: bool) -> ResponseStatus:
    """The status of an answer with these errors, with or without content (ITI TF-3: 4.2.4.2)."""
    if all(error.severity is Severity.WARNING for error in errors):
        return ResponseStatus.SUCCESS
    return ResponseStatus.PARTIAL_SUCCESS if has_content else ResponseStatus.FAILURE


# ---- reading ---------------------------------------------------------------------------------


def read_registry_response(element: Element, *, has_content: bool = False) -> RegistryResponse:
    """What was reported; `has_content` says whether documents or entries came along.

    Raises:
        UnexpectedMessage: it is no `rs:RegistryResponse`.
    """
    if element.tag != rs("RegistryResponse"):
        raise UnexpectedMessage("the body is no RegistryResponse")
    return read_outcome(element, has_content=has_content)


def read_outcome(element: Element, *, has_content: bool) -> RegistryResponse:
    """Status and errors of any element that extends RegistryResponseType."""
    errors = read_errors(element)
    status = _worse(_stated(element.get("status")), status_of(errors, has_content=has_content))
    # Success was claimed for a part only: some of it is here.
    if status is ResponseStatus.FAILURE and has_content:
        status = ResponseStatus.PARTIAL_SUCCESS
    return RegistryResponse(status, errors)


def read_errors(element: Element) -> tuple[RegistryError, ...]:
    """The errors listed, in order; a list given as plain text is one error."""
    found: list[RegistryError] = []
    for listed in element.iterfind(rs("RegistryErrorList")):
        errors = [_read_error(error) for error in listed.iterfind(rs("RegistryError"))]
        # Quirk: the whole list as text; seen in samples/ihe/retrieve_errors_as_text.xml.
        text = " ".join("".join(listed.itertext()).split())
        found += errors or ([_error_from_text(text)] if text else [])
    return tuple(found)


def _read_error(element: Element) -> RegistryError:
    text = " ".join((element.text or "").split())
    severity = element.get("severity", "")
    return RegistryError(
        code=error_code(element.get("errorCode", "")),
        context=element.get("codeContext", "").strip() or text,
        severity=Severity.WARNING if severity.endswith("Warning") else Severity.ERROR,
        location=element.get("location") or None,
    )


_CODES: Final = {code.value: code for code in ErrorCode}
_KNOWN_CODE: Final = re.compile(r"\b(" + "|".join(ErrorCode) + r")\b")


def _error_from_text(text: str) -> RegistryError:
    named = _KNOWN_CODE.search(text)
    return RegistryError(error_code(named.group() if named else ""), text)


def error_code(text: str) -> ErrorCode | str:
    """The code `text` names; one we do not know stays text."""
    return _CODES.get(text.strip(), text.strip())


def _stated(status: str | None) -> ResponseStatus:
    """The status claimed. What we do not know claims nothing, so the content decides."""
    last = (status or "").rpartition(":")[2].lower()
    return {
        "failure": ResponseStatus.FAILURE,
        "partialsuccess": ResponseStatus.PARTIAL_SUCCESS,
    }.get(last, ResponseStatus.SUCCESS)


def _worse(one: ResponseStatus, other: ResponseStatus) -> ResponseStatus:
    order = list(ResponseStatus)
    return max(one, other, key=order.index)


# ---- writing ---------------------------------------------------------------------------------


def write_registry_response(response: RegistryResponse) -> Element:
    """The response as `rs:RegistryResponse`."""
    element = etree.Element(rs("RegistryResponse"), nsmap={"rs": NAMESPACE})
    write_outcome(element, response)
    return element


def write_outcome(element: Element, response: RegistryResponse) -> None:
    """Put status and errors into any element that extends RegistryResponseType."""
    element.set("status", response.status)
    if not response.errors:
        return
    only_warnings = all(error.severity is Severity.WARNING for error in response.errors)
    highest = Severity.WARNING if only_warnings else Severity.ERROR
    listed = etree.SubElement(element, rs("RegistryErrorList"), {"highestSeverity": highest})
    for error in response.errors:
        attributes = {
            "errorCode": str(error.code),
            "codeContext": error.context,
            "severity": str(error.severity),
        }
        if error.location is not None:
            attributes["location"] = error.location
        etree.SubElement(listed, rs("RegistryError"), attributes)
