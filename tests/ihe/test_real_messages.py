"""Messages of other hands: each is read, or refused in our own words; nothing else happens.

They lie in `shared/samples/ihe` beside the checkout. Without that folder the messages under
`tests/samples/ihe` stand in.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from ccda.errors import CcdaError
from ccda.safe_xml import Element, parse_xml
from ihe.acknowledgement import read_acknowledgement
from ihe.errors import IheError
from ihe.registry_response import read_registry_response
from ihe.xca_query import read_adhoc_query_request, read_adhoc_query_response
from ihe.xca_retrieve import read_retrieve_request, read_retrieve_response
from ihe.xcpd import read_discovery_request, read_discovery_response
from ihe.xdr import read_provide_and_register

OWN = Path(__file__).parents[1] / "samples" / "ihe"
OTHERS = Path(__file__).resolve().parents[3] / "shared" / "samples" / "ihe"
NOT_OURS = (
    "RegistryResponse",
    "RetrieveDocumentSetRequest",
    "ProvideAndRegisterDocumentSetRequest",
)
READERS: dict[str, Callable[[Element], Any]] = {
    "PRPA_IN201305UV02": read_discovery_request,
    "PRPA_IN201306UV02": read_discovery_response,
    "MCCI_IN000002UV01": read_acknowledgement,
    "AdhocQueryRequest": read_adhoc_query_request,
    "AdhocQueryResponse": read_adhoc_query_response,
    "RetrieveDocumentSetRequest": read_retrieve_request,
    "RetrieveDocumentSetResponse": read_retrieve_response,
    "RegistryResponse": read_registry_response,
    "ProvideAndRegisterDocumentSetRequest": read_provide_and_register,
}


def messages() -> list[Path]:
    folder = OTHERS if OTHERS.is_dir() else OWN
    files = (*folder.rglob("*.xml"), *folder.rglob("*.txt"))
    return sorted(file for file in files if list(bodies(file)))


def bodies(file: Path) -> Iterator[Element]:
    """The elements of a file that are bodies of ours."""
    try:
        root = parse_xml(file.read_bytes())
    except CcdaError:
        return
    for element in root.iter("{*}" + name for name in READERS):
        parent = element.getparent()
        if parent is None or etree.QName(parent).localname in {"Body", "FakeSoapWrapper"}:
            yield element


@pytest.mark.parametrize("file", messages(), ids=lambda file: file.stem[-60:])
def test_every_message_is_read_or_refused(file: Path) -> None:
    for element in bodies(file):
        read_or_refuse(element)


def own_bodies() -> list[Element]:
    return [element for file in sorted(OWN.glob("*.xml")) for element in bodies(file)]


@pytest.mark.parametrize(
    "element", own_bodies(), ids=lambda element: etree.QName(element).localname
)
def test_a_message_that_lacks_any_one_part_is_read_or_refused(element: Element) -> None:
    for position in range(1, len(list(element.iter()))):
        copy = deepcopy(element)
        part = list(copy.iter())[position]
        for name, value in part.attrib.items():
            for other in ("", "\u00e9 ^&", None):
                part.attrib.pop(name) if other is None else part.set(name, other)
                read_or_refuse(copy)
            part.set(name, value)
        part.text = "("
        read_or_refuse(copy)
        parent = part.getparent()
        assert parent is not None
        parent.remove(part)
        read_or_refuse(copy)


def read_or_refuse(element: Element) -> None:
    try:
        assert READERS[etree.QName(element).localname](element) is not None
    except IheError as error:
        assert error.reason


def test_there_are_messages_of_every_kind_but_one() -> None:
    """Nobody published an acknowledgement of a deferred discovery."""
    kinds = {etree.QName(element).localname for file in messages() for element in bodies(file)}
    rare = {"MCCI_IN000002UV01"} if OTHERS.is_dir() else {"MCCI_IN000002UV01", *NOT_OURS}
    assert kinds >= set(READERS) - rare
