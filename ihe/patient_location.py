"""ITI-56 Patient Location Query: which communities know a patient (XCPD Health Data Locator).

ITI TF supplement XCPD Health Data Locator and Revoke: 3.56. It is asked of a Health Data Locator,
with the patient id that it gave in ITI-55. Its schema knows no empty answer: a locator that knows
of no other community answers with a fault.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from lxml import etree

from ccda.safe_xml import Element
from ihe.errors import MalformedMessage, UnexpectedMessage
from ihe.identifiers import HomeCommunityId, Oid, PatientId

_XCPD: Final = "urn:ihe:iti:xcpd:2009"
_REQUEST: Final = f"{{{_XCPD}}}PatientLocationQueryRequest"
_RESPONSE: Final = f"{{{_XCPD}}}PatientLocationQueryResponse"
_LOCATION: Final = f"{{{_XCPD}}}PatientLocationResponse"
_HOME: Final = f"{{{_XCPD}}}HomeCommunityId"
_THERE: Final = f"{{{_XCPD}}}CorrespondingPatientId"
_ASKED: Final = f"{{{_XCPD}}}RequestedPatientId"


@dataclass(frozen=True, slots=True)
class PatientLocation:
    """A community that knows the patient, and by which patient id it does."""

    home_community_id: HomeCommunityId
    patient_id: PatientId


@dataclass(frozen=True, slots=True)
class PatientLocations:
    """What a locator answered; `unreadable` counts locations that cannot be used, or that are of
    another patient than was asked for."""

    locations: tuple[PatientLocation, ...]
    unreadable: int = 0


def read_location_request(message: Element) -> PatientId:
    """The responder's own id of the patient who is asked for.

    Raises:
        UnexpectedMessage: it is no PatientLocationQueryRequest.
        MalformedMessage: it names no patient id, or more than one.
    """
    if message.tag != _REQUEST:
        raise UnexpectedMessage("the message is no PatientLocationQueryRequest")
    asked = message.findall(_ASKED)
    found = _read_id(asked[0]) if len(asked) == 1 else None
    if found is None:
        raise MalformedMessage("RequestedPatientId does not name exactly one patient id")
    return found


def write_location_request(asked: PatientId) -> Element:
    """The question where the patient of that id is known."""
    message = etree.Element(_REQUEST, nsmap={"xcpd": _XCPD})
    _write_id(message, _ASKED, asked)
    return message


def read_location_response(message: Element, *, asked: PatientId | None) -> PatientLocations:
    """The communities that know the patient, each with its patient ids, in the answer's order.

    Where it is not known who was `asked` for, whoever the answer names will do.

    Raises:
        UnexpectedMessage: it is no PatientLocationQueryResponse.
    """
    if message.tag != _RESPONSE:
        raise UnexpectedMessage("the message is no PatientLocationQueryResponse")
    given = message.findall(_LOCATION)
    read = [one for location in given if (one := _read_location(location, asked)) is not None]
    return PatientLocations(tuple(dict.fromkeys(read)), unreadable=len(given) - len(read))


def write_location_response(locations: Iterable[PatientLocation], *, asked: PatientId) -> Element:
    """The answer to a question for the patient `asked`.

    Raises:
        ValueError: there is no location; the schema demands one.
    """
    message = etree.Element(_RESPONSE, nsmap={"xcpd": _XCPD})
    for one in locations:
        location = etree.SubElement(message, _LOCATION)
        etree.SubElement(location, _HOME).text = one.home_community_id.urn
        _write_id(location, _THERE, one.patient_id)
        _write_id(location, _ASKED, asked)
    if len(message) == 0:
        raise ValueError("an answer names at least one location")
    return message


def _read_location(location: Element, asked: PatientId | None) -> PatientLocation | None:
    there, requested = location.find(_THERE), location.find(_ASKED)
    patient_id = None if there is None else _read_id(there)
    named = None if requested is None else _read_id(requested)
    # A location of somebody else is nothing to go by, whoever it is.
    if patient_id is None or named is None or asked not in (None, named):
        return None
    try:
        home = HomeCommunityId.parse(location.findtext(_HOME, ""))
    except ValueError:
        return None
    return PatientLocation(home, patient_id)


def _read_id(element: Element) -> PatientId | None:
    extension = element.get("extension", "").strip()
    try:
        return PatientId(extension, Oid(element.get("root", "").strip()))
    except ValueError:
        return None


def _write_id(parent: Element, tag: str, identifier: PatientId) -> None:
    etree.SubElement(parent, tag, {"root": str(identifier.authority), "extension": identifier.id})
