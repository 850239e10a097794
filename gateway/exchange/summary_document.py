"""A member's merged summary in the forms of others: a CCD (C-CDA R2.1), a FHIR R4 Bundle."""

from collections.abc import Sequence
from datetime import datetime

from ccda.fhir import fhir_json, summary_bundle
from ccda.hl7v3 import II
from ccda.model import Patient
from ccda.summary import Completeness, Summary
from ccda.writer import AuthoringDevice, Organization, write_ccd
from gateway.exchange.demographics import demographics
from gateway.exchange.derived import SOFTWARE
from gateway.exchange.moments import written
from gateway.model.community import Community
from gateway.model.identity import DocumentId, PlanId
from gateway.model.member import Member, Plan
from gateway.store import documents
from gateway.store.database import Transaction

_TITLE = "Continuity of Care Document, derived from received documents"


def write_member_ccd(
    summary: Summary,
    *,
    member: Member,
    plan: Plan,
    community: Community,
    sources: dict[str, II],
    number: str,
    now: datetime,
    series: str | None = None,
    confidentiality: str = "N",
    notice: str | None = None,
) -> bytes:
    """The summary as a CCD: derived by a device, in one set a member, so that it is recognised.

    `number` is this document's own, `sources` the ids that the merged documents' authors gave.
    `series` names another set: what one reader gets is no newer version of what another got.
    `notice` stands in the title, where whoever reads the document sees it first.
    """
    house = Organization(community.organization, ids=(II(str(community.home_community_id)),))
    root = str(community.messages)
    return write_ccd(
        summary,
        patient=_patient(member, plan, community),
        author=AuthoringDevice(SOFTWARE, SOFTWARE, house, ids=(II(str(community.device)),)),
        custodian=house,
        document_id=II(root, number),
        set_id=II(root, series or member.id),
        version=int(now.timestamp()),
        now=written(now),
        sources=sources,
        confidentiality=confidentiality,
        title=f"{_TITLE}. {notice}" if notice else _TITLE,
    )


def write_member_fhir(
    summary: Summary,
    *,
    member: Member,
    plan: Plan,
    community: Community,
    sources: dict[str, II],
    completeness: Sequence[Completeness],
) -> bytes:
    """The summary as a FHIR R4 Bundle: every fact once, with the documents that say it.

    `completeness` says how each partner answered: what is not in the bundle may be with one.
    """
    bundle = summary_bundle(
        summary,
        member_id=member.id,
        patient=_patient(member, plan, community),
        sources=sources,
        completeness=completeness,
    )
    return fhir_json(bundle)


def _patient(member: Member, plan: Plan, community: Community) -> Patient:
    known = demographics(member, plan)
    return Patient(
        ids=(II(str(community.patient_authority), member.id), *known.ids),
        names=known.names,
        birth_time=known.birth_time,
        gender=known.gender,
        addresses=known.addresses,
        telecoms=known.telecoms,
    )


def source_ids(transaction: Transaction, *, plan: PlanId, summary: Summary) -> dict[str, II]:
    """What their authors call the summary's documents; one without an id is left out."""
    found: dict[str, II] = {}
    for one in summary.documents:
        document = documents.get(transaction, plan=plan, document=DocumentId(one.id))
        if document is not None and document.clinical_id:
            root, _, extension = document.clinical_id.partition("^")
            found[one.id] = II(root or None, extension or None)
    return found
