"""What one ITI-38 answer says: what went wrong, and whose the listed documents are. Pure."""

from collections.abc import Iterator
from typing import Final

from gateway.exchange.error_words import in_words
from gateway.exchange.listed import listed_in_words
from ihe.identifiers import PatientId
from ihe.metadata import DocumentEntry
from ihe.registry_response import ErrorCode, RegistryError, ResponseStatus, Severity
from ihe.xca_query import AdhocQueryResponse

OF_OTHERS: Final = (
    "{} of its documents are listed under another patient id than the one asked for: not retrieved"
)
LENGTHY: Final = frozenset({ErrorCode.REGISTRY_ERROR, ErrorCode.REGISTRY_OUT_OF_RESOURCES})
"""What partners say to a time that is too long for them (user-asks 3)."""
SHORT_OF_SUCCESS: Final = {
    ResponseStatus.FAILURE: "a failure",
    ResponseStatus.PARTIAL_SUCCESS: "a partial success",
}


def errors_of(answer: AdhocQueryResponse) -> tuple[RegistryError, ...]:
    """Warnings come with whole answers too."""
    return tuple(error for error in answer.errors if error.severity is Severity.ERROR)


def problem_of(answer: AdhocQueryResponse) -> str | None:
    """What it reports that went wrong, in words; None if it claims to be whole."""
    if errors := errors_of(answer):
        return in_words(errors)
    if answer.total is not None and answer.total > answer.listed:
        # We ask for no pages, and whoever gives one all the same has not listed the rest.
        return f"{answer.total} objects and listed {answer.listed} of them"
    stated = SHORT_OF_SUCCESS.get(answer.status)
    if stated is None:
        return None
    # No error says why: the status is believed all the same.
    warned = f"with warnings alone: {in_words(answer.errors)}"
    return f"{stated} {warned if answer.errors else 'without a reason'}"


def failed_altogether(answer: AdhocQueryResponse) -> bool:
    """Whether nothing came but errors, all of such as a shorter time may not have."""
    codes = {error.code for error in errors_of(answer)}
    given = answer.entries or answer.object_refs
    return bool(codes) and codes <= LENGTHY and not given


def is_of(patient: PatientId, entry: DocumentEntry, answer: AdhocQueryResponse) -> bool:
    """Whether the answer lists that entry for `patient`.

    ITI TF-2: 3.18.4.1.2.3.7.1: what is listed is the patient's that the query names. Where a
    document names nobody, the query does; whose it is is looked at again when it is read.
    Blanks around an id are no part of it: some send them in one message and not in the next.
    """
    stated = entry.patient_id
    if stated is not None:
        same_authority = stated.authority == patient.authority
        return same_authority and stated.id.strip() == patient.id.strip()
    unread = answer.unread_patient_ids.get(entry.entry_uuid)
    # Quirk: ids that name their authority in a form of the sender's own, or not at all. They
    # still name a patient, by what stands before the first `^`.
    bare = None if unread is None else unread.partition("^")[0].strip()
    return bare in (None, patient.id.strip(), patient.cx.partition("^")[0].strip())


def reasons(answer: AdhocQueryResponse, others: int) -> Iterator[str]:
    """What the record says of the answer; `others` of its documents are of another patient id."""
    problem = problem_of(answer)
    if problem is not None:
        yield f"it reported {problem}"
    if others:
        yield OF_OTHERS.format(others)
    listed = len(answer.entries) + len(answer.object_refs)
    if listed or problem is None:
        yield listed_in_words(listed)
