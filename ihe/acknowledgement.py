"""MCCI_IN000002UV01: a deferred ITI-55 message was taken, or was not (ITI TF-2: 3.55.4.1.2.5)."""

from dataclasses import dataclass
from typing import Final

from ccda.hl7v3 import II, TS
from ccda.hl7v3_writing import append
from ccda.safe_xml import Element
from ihe.identifiers import HomeCommunityId
from ihe.v3_message import (
    a_tree,
    child,
    code_at,
    demanded_ii,
    expect,
    ii_at,
    read_community,
    read_creation_time,
    start_message,
    write_acknowledged,
    write_community,
)

DEFERRAL_NOT_SUPPORTED: Final = "NS250"
# HL7 V3 AcknowledgementDetailCode.
ELEMENT_MISSING: Final = "SYN100"
NO_SUCH_DESTINATION: Final = "RTUDEST"
UNKNOWN_KEY: Final = "KEY204"
DUPLICATE_KEY: Final = "KEY205"
KNOWN_PROBLEMS: Final = frozenset(
    {
        "INTERR",
        "NS200",
        "NS250",
        "SYN",
        "SYN100",
        "SYN105",
        "RTEDEST",
        "RTUDEST",
        "KEY204",
        "KEY205",
    }
)
"""Codes that may be repeated: whatever else a peer writes may hold anything."""
_DETAILS: Final = "2.16.840.1.113883.5.1100"
_INTERACTION: Final = "MCCI_IN000002UV01"


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Whether the message `request_id` was taken; `problem` says by its code why it was not."""

    message_id: II
    creation_time: TS
    sender: HomeCommunityId | None
    receiver: HomeCommunityId | None
    request_id: II | None
    accepted: bool = True
    problem: str | None = None


def correlation_key(identifier: II) -> str:
    """A message's id as text, by which what comes later finds it."""
    return f"{identifier.root or ''}^{identifier.extension or ''}"


def read_acknowledgement(message: Element) -> Acknowledgement:
    """What became of a message that we sent.

    Raises:
        UnexpectedMessage: it is no MCCI_IN000002UV01.
        MalformedMessage: it has no id.
    """
    expect(message, _INTERACTION)
    detail = child(message, "acknowledgement/acknowledgementDetail")
    return Acknowledgement(
        message_id=demanded_ii(message, "id"),
        creation_time=read_creation_time(message),
        sender=read_community(message, "sender"),
        receiver=read_community(message, "receiver"),
        request_id=ii_at(message, "acknowledgement/targetMessage/id"),
        accepted=code_at(message, "acknowledgement/typeCode") in {"AA", "CA"},
        problem=None if detail is None else code_at(detail, "code"),
    )


def write_acknowledgement(acknowledgement: Acknowledgement) -> Element:
    """The acknowledgement as MCCI_IN000002UV01.

    Raises:
        ValueError: it does not say which message it is about.
    """
    if acknowledgement.request_id is None:
        raise ValueError("an acknowledgement names the message that it is about")
    message = start_message(
        a_tree,
        _INTERACTION,
        message_id=acknowledgement.message_id,
        creation_time=acknowledgement.creation_time,
        processing="P",
        accept_ack="NE",
    )
    write_community(message, "receiver", "RCV", acknowledgement.receiver)
    write_community(message, "sender", "SND", acknowledgement.sender)
    type_code = "AA" if acknowledgement.accepted else "AE"
    written = write_acknowledged(message, type_code, acknowledgement.request_id)
    if acknowledgement.problem is not None:
        detail = append(written, "acknowledgementDetail", typeCode="E")
        append(detail, "code", code=acknowledgement.problem, codeSystem=_DETAILS)
    return message
