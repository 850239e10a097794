"""The transmission wrapper around an HL7 V3 payload (HL7 V3 NE2008: MCCI_MT000100, 000300)."""

import re
from collections.abc import Callable
from functools import cache
from typing import Final

from lxml import etree

from ccda.hl7v3 import II, NAMESPACE, TS, XSI_TYPE, hl7_time, read_ii, read_ts, v3
from ccda.hl7v3_writing import Written, append, write_ii, write_ts
from ccda.safe_xml import Element
from ccda.text_element import TextElement
from ihe.errors import MalformedMessage, UnexpectedMessage
from ihe.identifiers import HomeCommunityId, Oid
from ihe.namespaces import XSI

_ISO_TIME: Final = re.compile(r"\d{4}-\d\d(-\d\d(T|$)|$)")
INTERACTIONS: Final = "2.16.840.1.113883.1.6"
XSI_NIL: Final = f"{{{XSI}}}nil"


def child(parent: Element, path: str) -> Element | None:
    """The first element at `path`, its steps named without the V3 namespace."""
    return _first(parent, _steps(path))


@cache
def _steps(path: str) -> tuple[str, ...]:
    return tuple(map(v3, path.split("/")))


def _first(parent: Element, steps: tuple[str, ...]) -> Element | None:
    step, *others = steps
    if not others:
        return next(parent.iterchildren(step), None)
    below = (_first(found, tuple(others)) for found in parent.iterchildren(step))
    return next((found for found in below if found is not None), None)


def demand(parent: Element, path: str) -> Element:
    """As `child`, but it must be there.

    Raises:
        MalformedMessage: it is not.
    """
    found = child(parent, path)
    if found is None:
        raise MalformedMessage(f"{path} is missing")
    return found


def code_at(parent: Element, path: str) -> str | None:
    """The `code` attribute of the element at `path`."""
    found = child(parent, path)
    return None if found is None else found.get("code")


def ii_at(parent: Element, path: str) -> II | None:
    found = child(parent, path)
    return None if found is None else read_ii(found)


def demanded_ii(parent: Element, name: str) -> II:
    """As `ii_at`, but it must be there and have a root.

    Raises:
        MalformedMessage: it is not, or has none.
    """
    identifier = ii_at(parent, name)
    if identifier is None or not identifier.root:
        raise MalformedMessage(f"{name} is missing or empty")
    return identifier


# ---- reading ---------------------------------------------------------------------------------


def expect(element: Element, interaction: str) -> None:
    """Refuse what is no `interaction`.

    Raises:
        UnexpectedMessage: another root element.
    """
    if element.tag != v3(interaction):
        raise UnexpectedMessage(f"the body is no {interaction}")


def read_creation_time(message: Element) -> TS:
    found = child(message, "creationTime")
    return TS(None) if found is None else read_ts(found)


def read_community(message: Element, role: str) -> HomeCommunityId | None:
    """The home community of the `sender` or `receiver` (ITI TF-2: 3.55.4.1.2.3).

    Quirk: the device's own id stands for it where no organization is named; seen in
    samples/ihe/discovery_response_device_only.xml.
    """
    device = child(message, f"{role}/device")
    if device is None:
        return None
    organization = child(device, "asAgent/representedOrganization")
    for holder in (organization, device):
        for identifier in () if holder is None else holder.iterfind(v3("id")):
            if (home := home_community(identifier.get("root"))) is not None:
                return home
    return None


def home_community(text: str | None) -> HomeCommunityId | None:
    """The home community `text` names, bare or as a URN; None when it names none."""
    try:
        return HomeCommunityId.parse(text or "")
    except ValueError:
        return None


def read_oid(identifier: II | None) -> Oid | None:
    """The root of an identifier, where it is an OID."""
    home = None if identifier is None else home_community(identifier.root)
    return None if home is None else home.oid


def whole_number(text: str | None) -> int | None:
    try:
        return int(text or "")
    except ValueError:
        return None


# ---- writing ---------------------------------------------------------------------------------


def a_tree(interaction: str) -> Element:
    """A new message that is a tree."""
    return etree.Element(
        v3(interaction), {"ITSVersion": "XML_1.0"}, nsmap={None: NAMESPACE, "xsi": XSI}
    )


def a_text(interaction: str) -> TextElement:
    """A new message that is only written out."""
    declared = {"xmlns": NAMESPACE, "xmlns:xsi": XSI}
    return TextElement.root(interaction, **declared, ITSVersion="XML_1.0")


def start_message(
    new: Callable[[str], Written],
    interaction: str,
    *,
    message_id: II,
    creation_time: TS,
    processing: str,
    accept_ack: str,
) -> Written:
    """A message, `a_tree` or `a_text`, with all that stands before its receiver."""
    message = new(interaction)
    write_ii(message, "id", message_id)
    write_time(message, "creationTime", creation_time)
    append(message, "interactionId", root=INTERACTIONS, extension=interaction)
    append(message, "processingCode", code=processing)
    append(message, "processingModeCode", code="T")
    append(message, "acceptAckCode", code=accept_ack)
    return message


def write_time(parent: Written, name: str, time: TS) -> Written:
    """A time; ISO 8601, which some partners send, is written as the HL7 time it means."""
    if time.value is not None and _ISO_TIME.match(time.value):
        time = TS(hl7_time(time.value), time.null_flavor)
    return write_ts(parent, name, time)


def write_community(
    message: Written, role: str, type_code: str, home: HomeCommunityId | None
) -> None:
    """`sender` or `receiver`: the device and the community that it speaks for."""
    party = append(message, role, typeCode=type_code)
    device = append(party, "device", classCode="DEV", determinerCode="INSTANCE")
    if home is None:
        append(device, "id", nullFlavor="NI")
        return
    append(device, "id", root=str(home))
    agent = append(device, "asAgent", classCode="AGNT")
    organization = append(
        agent, "representedOrganization", classCode="ORG", determinerCode="INSTANCE"
    )
    append(organization, "id", root=str(home))


def write_acknowledged(message: Written, type_code: str, target: II) -> Written:
    """Which message this one answers, and whether that one was taken."""
    acknowledgement = append(message, "acknowledgement")
    append(acknowledgement, "typeCode", code=type_code)
    write_ii(append(acknowledgement, "targetMessage"), "id", target)
    return acknowledgement


def write_integer(parent: Written, number: int | None) -> None:
    """A `value` of the abstract type ANY that is an INT; None as nullFlavor."""
    if number is None:
        value = append(parent, "value", nullFlavor="NI")
    else:
        value = append(parent, "value", value=str(number))
    value.set(XSI_TYPE, "INT")
