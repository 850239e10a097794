"""What partners report (ITI TF-3: 4.2.4.1) in plain words for the person who asked.

The code stays beside the words, for whoever speaks to the partner. Of a partner's own text only
the community that it names is repeated: the rest may hold anything.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from ihe.identifiers import HomeCommunityId
from ihe.registry_response import ErrorCode, RegistryError

_WORDS: Final[dict[ErrorCode, str]] = {
    ErrorCode.UNKNOWN_COMMUNITY: "it does not answer for that community; its address in our"
    " directory may be out of date",
    ErrorCode.MISSING_HOME_COMMUNITY_ID: "it missed the home community in our request",
    ErrorCode.UNAVAILABLE_COMMUNITY: "a community behind it could not be reached; ask again later",
    ErrorCode.UNKNOWN_PATIENT_ID: "it no longer knows the patient id that it gave us; the next"
    " retrieval looks for the patient anew",
    ErrorCode.PATIENT_ID_DOES_NOT_MATCH: "it says that the documents are of different patients",
    ErrorCode.RESULT_NOT_SINGLE_PATIENT: "it says that the documents are of different patients",
    ErrorCode.TOO_MANY_RESULTS: "it has more documents than it lists at once",
    ErrorCode.DOCUMENT_UNIQUE_ID: "it no longer has a document that it listed",
    ErrorCode.UNKNOWN_REPOSITORY_ID: "it does not know a repository that it named",
    ErrorCode.MISSING_DOCUMENT: "it has no content for a document that it listed",
    ErrorCode.REGISTRY_BUSY: "it was too busy; ask again later",
    ErrorCode.REPOSITORY_BUSY: "it was too busy; ask again later",
    ErrorCode.REGISTRY_NOT_AVAILABLE: "its list of documents was not available; ask again later",
    ErrorCode.REGISTRY_OUT_OF_RESOURCES: "the answer was too much for it",
    ErrorCode.REPOSITORY_OUT_OF_RESOURCES: "the answer was too much for it",
    ErrorCode.REGISTRY_ERROR: "it had a fault of its own",
    ErrorCode.REPOSITORY_ERROR: "it had a fault of its own",
    ErrorCode.UNKNOWN_STORED_QUERY: "it does not answer this kind of query",
    ErrorCode.STORED_QUERY_MISSING_PARAMETER: "it missed something in our query",
    ErrorCode.STORED_QUERY_PARAMETER_NUMBER: "it did not understand our query",
    ErrorCode.NON_IDENTICAL_HASH: "a document is not the one that was listed",
    ErrorCode.NON_IDENTICAL_SIZE: "a document is not the one that was listed",
}
_OF_COMMUNITIES: Final = frozenset({ErrorCode.UNKNOWN_COMMUNITY, ErrorCode.UNAVAILABLE_COMMUNITY})


def in_words(errors: Iterable[RegistryError]) -> str:
    """The standard's codes, each with what it means; others may hold anything, and are counted."""
    listed = list(errors)
    known = {error.code for error in listed if isinstance(error.code, ErrorCode)}
    others = sum(not isinstance(error.code, ErrorCode) for error in listed)
    said = [_said(code, listed) for code in sorted(known)]
    return ", ".join([*said, *([f"{others} of codes unknown to us"] if others else [])])


def _said(code: ErrorCode, listed: Iterable[RegistryError]) -> str:
    words = _WORDS.get(code)
    if code in _OF_COMMUNITIES and (named := sorted(_communities(code, listed))):
        words = f"{words} (community {', '.join(named)})"
    return code.value if words is None else f"{code.value}: {words}"


def _communities(code: ErrorCode, listed: Iterable[RegistryError]) -> set[str]:
    return {named for error in listed if error.code is code for named in communities_named(error)}


def communities_named(error: RegistryError) -> Iterator[str]:
    """The communities that an error names: in `location` by the book, in `codeContext` often."""
    for text in (error.location or "", error.context):
        for word in text.replace(",", " ").replace(";", " ").split():
            home = word.strip("'\"()[].").lower()
            if home.startswith("urn:oid:"):
                try:
                    yield str(HomeCommunityId.parse(home))
                except ValueError:
                    continue
