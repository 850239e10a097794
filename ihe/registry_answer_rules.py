"""The rules of what ITI-38 and ITI-39 answer (ITI TF-2: 3.38, 3.39; ITI TF-3: 4.2.4; ebRS 3.0)."""

from collections.abc import Iterator
from typing import Final

from ccda.safe_xml import Element
from ihe.identifiers import HomeCommunityId
from ihe.registry_response import ResponseStatus, rs
from ihe.rim import rim
from ihe.rule_breaking import Deviation, fragment

_STATUS: Final = "ITI TF-3: 4.2.4.2 (response status)"
_ERRORS: Final = "ITI TF-3: 4.2.4.1 (RegistryError)"
_HOME: Final = "ITI TF-2: 3.38.4.1.3 (homeCommunityId)"
_SCHEMA: Final = "ebRS 3.0 query schema"
_RETRIEVE: Final = "ITI TF-2: 3.39.4.1.3 and 3.43.4.2"
_XDS: Final = "{urn:ihe:iti:xds-b:2007}"
_ERROR: Final = ":Error"


def query_deviations(response: Element, community: HomeCommunityId) -> Iterator[Deviation]:
    """Of an AdhocQueryResponse."""
    listed = response.findall(rim("RegistryObjectList"))
    objects = [one for each in listed for one in each if isinstance(one.tag, str)]
    yield from _outcome(response, has_content=bool(objects))
    if not listed:
        text = "RegistryObjectList is missing; it is there also when it is empty"
        yield Deviation(_SCHEMA, text, fragment(response))
    order = [str(child.tag) for child in response if isinstance(child.tag, str)]
    errors = rs("RegistryErrorList")
    if errors in order and listed and order.index(errors) > order.index(rim("RegistryObjectList")):
        text = "RegistryErrorList stands behind RegistryObjectList"
        yield Deviation(_SCHEMA, text, fragment(response))
    for one in objects:
        home = one.get("home")
        if home is None:
            yield Deviation(_HOME, "an object names no home community", fragment(one))
        elif home != community.urn:
            yield Deviation(_HOME, "an object names another home community", fragment(one))


def retrieve_deviations(response: Element, community: HomeCommunityId) -> Iterator[Deviation]:
    """Of a RetrieveDocumentSetResponse."""
    outcome = response.find(rs("RegistryResponse"))
    documents = response.findall(f"{_XDS}DocumentResponse")
    if outcome is None:
        yield Deviation(_RETRIEVE, "RegistryResponse is missing", fragment(response))
    else:
        yield from _outcome(outcome, has_content=bool(documents))
    for document in documents:
        home = document.find(f"{_XDS}HomeCommunityId")
        if home is None or (home.text or "").strip() != community.urn:
            text = "a document's HomeCommunityId is not that of the request"
            yield Deviation(_RETRIEVE, text, fragment(document))
        for part in ("RepositoryUniqueId", "DocumentUniqueId", "mimeType", "Document"):
            if document.find(f"{_XDS}{part}") is None:
                yield Deviation(_RETRIEVE, f"a document has no {part}", fragment(document))


def _outcome(element: Element, *, has_content: bool) -> Iterator[Deviation]:
    status = element.get("status") or ""
    listed = [one for each in element.findall(rs("RegistryErrorList")) for one in each]
    errors = [one for one in listed if (one.get("severity") or _ERROR).endswith(_ERROR)]
    if status not in set(ResponseStatus):
        yield Deviation(_STATUS, "the status is none that the standard has", fragment(element))
    elif status == ResponseStatus.SUCCESS and errors:
        text = "the status is Success although there are errors"
        yield Deviation(_STATUS, text, fragment(element))
    elif status == ResponseStatus.PARTIAL_SUCCESS and not (errors and has_content):
        text = "PartialSuccess is for errors beside content"
        yield Deviation(_STATUS, text, fragment(element))
    elif status == ResponseStatus.FAILURE and not errors:
        yield Deviation(_STATUS, "the status is Failure without an error", fragment(element))
    for one in listed:
        missing = [key for key in ("errorCode", "codeContext", "severity") if not one.get(key)]
        if missing:
            text = f"a RegistryError has no {', '.join(missing)}"
            yield Deviation(_ERRORS, text, fragment(one))
