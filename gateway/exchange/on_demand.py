"""A member's summary as partners get it: offered on demand, made when it is retrieved.

It says what the documents say that the same partner may have for the same purpose, and nothing
else (DECISIONS 10): each of those, and the summary itself, needs a rule. What was given is kept
as a snapshot, in the transaction of its record; the same facts asked for again are the same one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from typing import Final
from uuid import UUID, uuid4, uuid5

import orjson

from ccda.hl7v3 import II
from ccda.summary import Summary, summary_json
from gateway.exchange.archive import Archive
from gateway.exchange.asker import Way
from gateway.exchange.derived import SOFTWARE
from gateway.exchange.metadata import describe_summary, entry_uuid, unique_id
from gateway.exchange.moments import written
from gateway.exchange.sensitivity import PART_2_NOTICE
from gateway.exchange.summarize import summarize
from gateway.exchange.summary_document import source_ids, write_member_ccd
from gateway.model.community import Community
from gateway.model.document import Blob, Document, OfferedDocument, Snapshot, Source
from gateway.model.identity import DocumentId
from gateway.model.member import Member
from gateway.store import clinical, documents, snapshots
from gateway.store.database import Transaction
from ihe.ebrim import entry_xml

_CLASS: Final = "34133-9"
_TITLE: Final = "Summary of what is known of the patient, made when it is retrieved"
_NOT_YET: Final = datetime.min.replace(tzinfo=UTC)
_CONFIDENTIALITY: Final = ("U", "L", "M", "N", "R", "V")
"""HL7 Confidentiality, rising."""
ROUNDS: Final = 5
"""How often an answer is made anew because another kept the same meanwhile: at the second, what
was kept is found."""


@dataclass(frozen=True, slots=True)
class OnDemand:
    """A summary that may be given: of whom, to whom, and from which documents.

    `notice` has to go with it: facts under 42 CFR part 2 stay so wherever they are told (2.32).
    """

    offered: OfferedDocument
    way: Way
    member: Member
    sources: tuple[DocumentId, ...]
    notice: str | None = None


def may_be_summarized(way: Way) -> bool:
    """Whether a rule of the asker's speaks of summaries at all."""
    return any(rule.on_demand for rule in way.rules)


def on_demand(
    given: Sequence[OfferedDocument], way: Way, member: Member, community: Community
) -> OnDemand | None:
    """The summary of the `given` documents, which are open to the asker; None if it is not.

    A document whose confidentiality no rule lets a summary have is not part of it.
    """
    rules = tuple(rule for rule in way.rules if rule.on_demand)
    if not rules:
        return None
    narrow, unmade = replace(way, rules=rules, withheld=[]), _unmade(member)
    stated = {one.confidentiality for one in given}
    allowed = [
        code
        for code in _CONFIDENTIALITY
        if code in stated and narrow.gives(_bare(unmade, code), member)
    ]
    if not allowed:
        return None
    told = [one for one in given if one.confidentiality in allowed]
    notice = PART_2_NOTICE if any(PART_2_NOTICE in one.entry_xml for one in told) else None
    return OnDemand(
        _register(unmade, member, community, allowed[-1], notice),
        way,
        member,
        tuple(one.document.id for one in told),
        notice,
    )


def _unmade(member: Member) -> Document:
    """The summary without a document yet; its ids are the member's own."""
    return Document(
        id=DocumentId(member.id),
        plan=member.plan,
        state="filed",
        blob=Blob("", 0, "", ""),
        source=Source("ON-DEMAND"),
        received=_NOT_YET,
        member=member.id,
        title=_TITLE,
        is_derived=True,
    )


def _bare(document: Document, confidentiality: str) -> OfferedDocument:
    """The summary as rules see it."""
    return OfferedDocument(
        document=document,
        entry_uuid=entry_uuid(document),
        unique_id=str(unique_id(document)),
        entry_xml="",
        class_code=_CLASS,
        confidentiality=confidentiality,
        third_party=False,
    )


def _register(
    document: Document,
    member: Member,
    community: Community,
    confidentiality: str,
    notice: str | None,
) -> OfferedDocument:
    entry = describe_summary(document, member, community, confidentiality=confidentiality)
    told = entry_xml(replace(entry, comments=notice)).decode()
    return replace(_bare(document, confidentiality), entry_xml=told)


# ---- making it -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Facts:
    """What a summary says, and the snapshot that says just this already."""

    summary: Summary
    sources: Mapping[str, II]
    digest: str
    known: Snapshot | None


@dataclass(frozen=True, slots=True)
class Taken:
    """A summary as it is given; one that `is_new` has to be kept with the record of that."""

    snapshot: Snapshot
    is_new: bool


class MadeMeanwhile(Exception):
    """Another request has kept a snapshot of the same facts: the answer is to be made anew."""


def take_snapshot(
    archive: Archive, asked: OnDemand, community: Community, *, now: datetime
) -> Taken:
    """The summary as it is now; made only when its facts are new to this asker."""
    facts = archive.database.read(lambda tx: _facts(tx, asked, community, now))
    if facts.known is not None:
        return Taken(facts.known, is_new=False)
    return Taken(_make(archive, asked, facts, community, now), is_new=True)


def keep_snapshot(transaction: Transaction, snapshot: Snapshot) -> None:
    """Keeps what is about to be given, in the transaction of the record that says so.

    Raises:
        MadeMeanwhile: the same facts are kept already, under another id.
    """
    documents.insert(transaction, snapshot.offered.document)
    if not snapshots.put(transaction, snapshot):
        raise MadeMeanwhile


def kept_snapshot(
    archive: Archive, asked: OnDemand, community: Community, *, now: datetime
) -> Snapshot:
    """The summary as it is now, kept at once: for mail, whose record comes when it is sent.

    Raises:
        MadeMeanwhile: others were faster each time.
    """
    for left in reversed(range(ROUNDS)):
        taken = take_snapshot(archive, asked, community, now=now)
        if not taken.is_new:
            break
        try:
            archive.database.write(partial(keep_snapshot, snapshot=taken.snapshot))
            break
        except MadeMeanwhile:
            if not left:
                raise
    return taken.snapshot


def _facts(
    transaction: Transaction, asked: OnDemand, community: Community, now: datetime
) -> _Facts:
    plan, member = asked.member.plan, asked.member
    wanted = frozenset(asked.sources)
    filed = clinical.of_member(transaction, plan=plan, member=member.id)
    held = [(document, entries) for document, entries in filed if document.id in wanted]
    summary = summarize(
        ((document, entry) for document, entries in held for entry in entries),
        as_of=now,
        documents=[document for document, _ in held],
    )
    sources = source_ids(transaction, plan=plan, summary=summary)
    said = summary_json(replace(summary, as_of=""), member={}, completeness=())
    header = repr((member.demographics, sorted(sources.items()), community))
    marks = [asked.offered.confidentiality, *((asked.notice,) if asked.notice else ())]
    digest = sha256(orjson.dumps([said, header, *marks])).hexdigest()
    return _Facts(summary, sources, digest, _known(transaction, asked, digest))


def _known(transaction: Transaction, asked: OnDemand, digest: str) -> Snapshot | None:
    return snapshots.find(
        transaction,
        plan=asked.member.plan,
        member=asked.member.id,
        partner=asked.way.partner.id,
        purpose=asked.way.purpose.code,
        digest=digest,
    )


def _make(
    archive: Archive, asked: OnDemand, facts: _Facts, community: Community, now: datetime
) -> Snapshot:
    way, member = asked.way, asked.member
    number = str(uuid4())
    series = str(uuid5(UUID(member.id), f"{way.partner.id} {way.purpose.code}"))
    confidentiality = asked.offered.confidentiality or "N"
    # As in ITI-55, a partner is told our opaque id alone: no plan's number, no SSN.
    shown = replace(member, demographics=replace(member.demographics, ids=()))
    content = write_member_ccd(
        facts.summary,
        member=shown,
        plan=replace(way.plan, member_id_root=None),
        community=community,
        sources=dict(facts.sources),
        number=number,
        now=now,
        series=series,
        confidentiality=confidentiality,
        notice=asked.notice,
    )
    root = str(community.messages)
    document = replace(
        asked.offered.document,
        id=DocumentId(number),
        blob=archive.store(member.plan, content),
        received=now,
        mime_type="text/xml",
        type_code=_CLASS,
        type_system="2.16.840.1.113883.6.1",
        type_display="Summarization of Episode Note",
        effective_time=written(now).value,
        clinical_id=str(II(root, number)),
        set_id=str(II(root, series)),
        version=int(now.timestamp()),
        author=SOFTWARE,
        custodian=community.organization,
    )
    offered = _register(document, member, community, confidentiality, asked.notice)
    return Snapshot(offered, way.partner.id, way.purpose.code, facts.digest, asked.sources)
