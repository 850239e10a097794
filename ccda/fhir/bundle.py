"""A document, or a member's merged summary, as a Bundle (HL7 C-CDA on FHIR 2.0.0; US Core 6.1).

Both go the same way: statements, each kind to its mapper, then the patient, the source documents
and the provenance of all. Nothing is drawn from a clock or from chance.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ccda.fhir.actors import author_reference, organization
from ccda.fhir.allergies import add_allergies, denied_class
from ccda.fhir.care_teams import add_care_teams, add_header_care_team
from ccda.fhir.completeness import add_completeness
from ccda.fhir.conditions import add_concerns, add_problems
from ccda.fhir.coverage import add_coverage
from ccda.fhir.datatypes import stated
from ccda.fhir.devices import add_devices
from ccda.fhir.encounters import add_encounters, add_header_encounter
from ccda.fhir.family_history import add_family_history
from ccda.fhir.findings import add_findings
from ccda.fhir.goals import add_goals
from ccda.fhir.immunizations import add_immunizations
from ccda.fhir.medications import add_medications
from ccda.fhir.notes import add_notes, add_source
from ccda.fhir.patient import add_patient
from ccda.fhir.plans import add_plans
from ccda.fhir.procedures import add_procedures
from ccda.fhir.provenance import add_provenance
from ccda.fhir.resources import Resources, resource_id
from ccda.fhir.results import add_results
from ccda.fhir.social_history import add_social_history
from ccda.fhir.statement import (
    Position,
    Statement,
    document_statements,
    summary_statements,
)
from ccda.fhir.times import Json, date_time, instant, when
from ccda.fhir.us_core import claim
from ccda.fhir.vital_signs import add_vital_signs
from ccda.hl7v3 import II
from ccda.model import KINDS, ClinicalDocument, Kind, Patient
from ccda.participations import read_service_events
from ccda.summary import Completeness, Summary

Mapper = Callable[[Sequence[Statement], Resources], None]

_MAPPERS: Final[Mapping[Kind, Mapper]] = {
    "problem": add_problems,
    "allergy": add_allergies,
    "medication": add_medications,
    "immunization": add_immunizations,
    "result": add_results,
    "vital_sign": add_vital_signs,
    "procedure": add_procedures,
    "encounter": add_encounters,
    "social_history": add_social_history,
    "family_history": add_family_history,
    "functional_status": add_findings,
    "mental_status": add_findings,
    "device": add_devices,
    "coverage": add_coverage,
    "advance_directive": add_findings,
    "goal": add_goals,
    "plan": add_plans,
    "concern": add_concerns,
    "care_team": add_care_teams,
    "note": add_notes,
}
# Observations have a focus, and a family's history its relatives.
_MAY_BE_ABOUT_OTHERS: Final[frozenset[Kind]] = frozenset(
    ("result", "vital_sign", "social_history", "functional_status", "mental_status",
     "advance_directive", "family_history")
)  # fmt: skip
_OBSERVED: Final[frozenset[Kind]] = frozenset(
    ("result", "vital_sign", "social_history", "functional_status", "mental_status",
     "advance_directive")
)  # fmt: skip
_AHEAD: Final = frozenset(("INT", "RQO", "PRMS", "PRP", "APT", "ARQ", "GOL"))
# FHIR R4 has no word for that these are not so.
_NEVER_DENIED: Final[frozenset[Kind]] = frozenset(("coverage", "care_team", "note"))


@dataclass(frozen=True, slots=True)
class Conversion:
    """A bundle, and for each entry that states something the fullUrls of what it became."""

    bundle: Json
    resources: Mapping[Position, tuple[str, ...]]


def document_bundle(
    document: ClinicalDocument, *, document_id: str, partner: str | None = None
) -> Json:
    """A document as a Bundle of type collection, byte for byte the same for the same arguments.

    `document_id` is the id under which the document is held: all resources are named by it.
    """
    return document_conversion(document, document_id=document_id, partner=partner).bundle


def document_conversion(
    document: ClinicalDocument, *, document_id: str, partner: str | None = None
) -> Conversion:
    """The bundle, and what became of each entry: (section, position) to fullUrls."""
    written = None if document.effective_time is None else document.effective_time.iso
    resources = Resources(document_id, when(document.effective_time))
    documents = (document_id,)
    statements = document_statements(document, document_id)
    add_patient(document.patient, documents, resources, statements)
    _add_all(statements, resources)
    if document.head:
        add_header_care_team(read_service_events(document), documents, resources)
    encounter = None
    if document.encounter is not None:
        encounter = add_header_encounter(document.encounter, documents, resources)
    transmitter = organization(resources, documents, partner)
    custodian = organization(resources, documents, document.custodian)
    authors = [author_reference(one, documents, resources)[0] for one in document.authors]
    add_source(
        document_id,
        resources,
        own_id=document.id,
        type_code=document.code,
        title=document.title,
        written=written,
        authors=[one for one in authors if one is not None],
        custodian=custodian,
        context={"encounter": [encounter]} if encounter else None,
    )
    add_provenance(
        resources,
        recorded=instant(written),
        authors={document_id: document.authors},
        transmitters={document_id: transmitter} if transmitter else {},
    )
    return _conversion(resources, instant(written))


def summary_bundle(
    summary: Summary,
    *,
    member_id: str,
    patient: Patient,
    sources: Mapping[str, II] | None = None,
    completeness: Sequence[Completeness] = (),
) -> Json:
    """A member's merged summary as a Bundle: every fact once, with all the documents that say it.

    `sources` gives, for each document of the summary, the id under which its author knows it;
    `completeness` how each partner answered, which the bundle tells in its OperationOutcome.
    What was withdrawn is left out: a reader who does not know our mark for it would believe it.
    """
    resources = Resources(member_id, date_time(summary.as_of))
    documents = tuple(document.id for document in summary.documents)
    statements = summary_statements(summary)
    add_patient(patient, documents, resources, statements)
    _add_all(statements, resources)
    transmitters: dict[str, Json] = {}
    for document in summary.documents:
        partner = organization(resources, (document.id,), document.partner)
        if partner is not None:
            transmitters[document.id] = partner
        add_source(
            document.id,
            resources,
            own_id=(sources or {}).get(document.id),
            title=document.title,
            written=document.time,
            superseded=document.superseded,
            custodian=partner,
        )
    add_provenance(
        resources, recorded=instant(summary.as_of), authors={}, transmitters=transmitters
    )
    add_completeness(completeness, resources)
    return _conversion(resources, instant(summary.as_of)).bundle


def _add_all(statements: Sequence[Statement], resources: Resources) -> None:
    """Each kind to its mapper; what only says that nothing is known becomes nothing."""
    by_kind: dict[Kind, list[Statement]] = {kind: [] for kind in KINDS}
    for one in statements:
        if _is_told(one):
            by_kind["plan" if _is_ahead(one) else one.entry.kind].append(one)
    for one in by_kind["problem"]:
        for identifier in one.entry.ids:
            reference = resources.reference_to(one, "Condition")
            resources.problems.setdefault(str(identifier), reference)
    for kind, told in by_kind.items():
        if told:
            _MAPPERS[kind](told, resources)


def _is_told(one: Statement) -> bool:
    """What is about someone else is told where FHIR R4 can say so, and else would be a lie."""
    if one.about_other is not None and (
        one.entry.kind not in _MAY_BE_ABOUT_OTHERS or _is_ahead(one)
    ):
        return False
    if one.entry.kind in _NEVER_DENIED and _is_denied(one):
        return False
    if not one.entry.no_information:
        return True
    return one.entry.kind == "allergy" and denied_class(one) is not None


def _is_ahead(one: Statement) -> bool:
    """What is to be measured, or reached: nothing that was observed."""
    return one.entry.kind in _OBSERVED and one.entry.mood in _AHEAD


def _is_denied(one: Statement) -> bool:
    """Itself, or the team whose member it is."""
    around = one.parent.entry if one.parent is not None else one.entry
    return one.entry.negated or (around.kind == one.entry.kind and around.negated)


def _conversion(resources: Resources, moment: str | None) -> Conversion:
    entries = [
        {"fullUrl": url, "resource": claim(resource)} for url, resource in resources.made.items()
    ]
    bundle = {
        "resourceType": "Bundle",
        "id": resource_id("Bundle", resources.scope),
        "type": "collection",
        **stated(timestamp=moment),
        "entry": entries,
    }
    links = {position: tuple(urls) for position, urls in resources.links.items()}
    return Conversion(bundle, links)
