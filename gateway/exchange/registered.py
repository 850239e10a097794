"""How our documents are registered: submission sets, and what replaces or repeats what.

Nothing of it is stored: it follows from the documents, and has the same ids each time.
"""

from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

from gateway.exchange.metadata import LOINC, house_author, moment, patient_id
from gateway.model.community import Community
from gateway.model.document import Document
from gateway.model.member import Member
from ihe.identifiers import UniqueId
from ihe.metadata import Association, AssociationType, Code, SubmissionSet

_SUBMISSION: Final = 1 << 64
"""The bit by which a submission set's id differs from that of the document it registered.

So each is found from the other. It is none of those that say the UUID's version and variant.
"""
_OID_OF_UUID: Final = "2.25."


def submission_set(document: Document, member: Member, community: Community) -> SubmissionSet:
    """The act by which a document of ours was registered: it alone, by us, when it came.

    We know of no other: what a partner or a file sent together, its sender may have put together
    for reasons of its own. Its type is that of the document, which is why it was registered.
    """
    submitted = _other(UUID(document.id))
    code = document.type_code
    display = document.type_display or code
    return SubmissionSet(
        entry_uuid=submitted.urn,
        unique_id=UniqueId(f"{_OID_OF_UUID}{submitted.int}"),
        source_id=community.device,
        patient_id=patient_id(member, community),
        home_community_id=community.home_community_id,
        availability="Approved",
        submission_time=moment(document.received),
        content_type=Code(code, document.type_system or LOINC, display) if code else None,
        authors=(house_author(community),),
    )


def registered_by(submission: str) -> str | None:
    """The entry UUID of the document of this submission set, by its entry UUID or unique id."""
    given = uuid_of(submission)
    return None if given is None else _other(given).urn


def uuid_of(identifier: str) -> UUID | None:
    """The UUID in an id of ours, an entry UUID or a unique id; None for what is none of ours."""
    try:
        if identifier.startswith(_OID_OF_UUID):
            return UUID(int=int(identifier.removeprefix(_OID_OF_UUID)[:39]))
        return UUID(identifier)
    except ValueError:
        return None


def association(
    kind: AssociationType, source: str, target: str, community: Community
) -> Association:
    """That the one object does so to the other; of the same two it is always the same."""
    return Association(
        entry_uuid=uuid5(NAMESPACE_URL, f"{kind} {source} {target}").urn,
        type=kind,
        source=source,
        target=target,
        home_community_id=community.home_community_id,
        availability="Approved",
        is_original=True if kind is AssociationType.HAS_MEMBER else None,
    )


def _other(one: UUID) -> UUID:
    return UUID(int=one.int ^ _SUBMISSION)
