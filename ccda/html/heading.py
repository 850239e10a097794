"""The head of a page: whose document it is, what it is, who wrote and keeps it."""

from ccda.html.entries import Fact, author_words, facts
from ccda.html.markup import NOTHING, Html, tag, text
from ccda.html.words import (
    CONFIDENTIALITIES,
    GENDERS,
    address_words,
    id_words,
    name_of,
    name_words,
    named_code,
    period_words,
    telecom_words,
    time_words,
)
from ccda.model import ClinicalDocument, Participant, RelatedDocument
from ccda.participations import read_participations

_RELATIONS = {"RPLC": "Replaces", "APND": "Adds to", "XFRM": "Made from"}
_OTHERS = {
    "dataEnterer": "Entered by",
    "informant": "Told by",
    "informationRecipient": "Meant for",
    "legalAuthenticator": "Signed by",
    "authenticator": "Also signed by",
    "participant": "Took part",
    "performer": "Care team",
    "guardian": "Guardian",
    "responsibleParty": "Responsible",
    "encounterParticipant": "Took part",
}


def title_of(document: ClinicalDocument) -> str:
    return document.title or name_of(document.code) or "Clinical document"


def write_heading(document: ClinicalDocument) -> Html:
    """The cards above the contents; one that has nothing to say is left out."""
    cards = (
        _card("Patient", _patient(document)),
        _card("Document", _document(document)),
        _card("Author and custodian", _origin(document)),
        _card("Encounter", _encounter(document)),
        _card("Others named", _others(document)),
    )
    return tag("div", *cards, class_="cards")


def _card(heading: str, given: list[Fact]) -> Html:
    listed = facts(given, "facts")
    if not listed:
        return NOTHING
    return tag("section", tag("h2", text(heading)), listed, class_="card")


def _patient(document: ClinicalDocument) -> list[Fact]:
    patient = document.patient
    gender = patient.gender
    return [
        *(("Name", name_words(name)) for name in patient.names),
        ("Born", time_words(patient.birth_time)),
        ("Died", time_words(patient.deceased_time) or ("Yes" if patient.deceased else None)),
        ("Gender", None if gender is None else GENDERS.get(gender, gender)),
        *(("Id", id_words(identifier)) for identifier in patient.ids),
        *(("Address", address_words(address)) for address in patient.addresses),
        *(("Contact", telecom_words(telecom)) for telecom in patient.telecoms),
        *(("Race", name_of(race)) for race in patient.races),
        *(("Ethnicity", name_of(ethnicity)) for ethnicity in patient.ethnicities),
        ("Language", patient.language),
        ("Marital status", name_of(patient.marital_status)),
        ("Religion", name_of(patient.religion)),
        *map(_took_part, patient.guardians),
    ]


def _document(document: ClinicalDocument) -> list[Fact]:
    confidentiality = document.confidentiality
    return [
        ("Type", named_code(document.code)),
        ("Written", time_words(document.effective_time)),
        ("Confidentiality", CONFIDENTIALITIES.get(confidentiality or "", confidentiality)),
        ("Version", document.version),
        ("Language", document.language),
        ("Id", id_words(document.id)),
        *(_related(related) for related in document.related),
    ]


def _related(related: RelatedDocument) -> Fact:
    relation = related.type_code or ""
    return _RELATIONS.get(relation, "Related to"), id_words(related.id)


def _origin(document: ClinicalDocument) -> list[Fact]:
    authors = (("Author", author_words(author)) for author in document.authors)
    return [*authors, ("Custodian", document.custodian)]


def _encounter(document: ClinicalDocument) -> list[Fact]:
    encounter = document.encounter
    if encounter is None:
        return []
    when = ("Period", period_words(encounter.start, encounter.end))
    return [
        ("Kind", named_code(encounter.code)),
        ("Time", time_words(encounter.start)) if encounter.is_moment else when,
        ("Location", encounter.location),
        ("Discharged", named_code(encounter.disposition)),
        *map(_took_part, encounter.participants),
        *(("Id", id_words(identifier)) for identifier in encounter.ids),
    ]


def _others(document: ClinicalDocument) -> list[Fact]:
    """Whom the header names besides patient, authors and custodian."""
    named = read_participations(document)
    performers = (one for event in named.service_events for one in event.performers)
    return [_took_part(one) for one in (*named.participants, *performers) if one.kind in _OTHERS]


def _took_part(one: Participant) -> Fact:
    organization = one.organization.names if one.organization else ()
    told = (
        *map(name_words, one.names),
        name_of(one.function) or name_of(one.code),
        *organization,
    )
    return _OTHERS[one.kind], ", ".join(part for part in told if part) or None
