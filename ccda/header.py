"""The header of a document: what it is, who it is about, who made it and why (CDA R2: 4.2)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from ccda.hl7v3 import CD, II, IVL, TS, read_ad, read_ii, text_of
from ccda.model import (
    ClinicalDocument,
    Consent,
    Encounter,
    Issue,
    Order,
    Patient,
    Place,
    RelatedDocument,
)
from ccda.narrative import Narrative, words
from ccda.participations import (
    NOTHING,
    read_organization,
    read_participant,
    read_period,
)
from ccda.patient import read_patient, read_time, sdtc
from ccda.safe_xml import Element
from ccda.sections.participants import read_authors
from ccda.sections.statement import Children, children_of, first

_STATUS, _CATEGORY = sdtc("statusCode"), sdtc("category")
_DISPOSITION: Final = sdtc("dischargeDispositionCode")
_RELATIONS: Final = frozenset(("RPLC", "APND", "XFRM"))


def read_header(children: Children, narrative: Narrative) -> ClinicalDocument:
    """The document without its sections, from the children of its root."""
    patients = [read_patient(one, narrative) for one in children.get("recordTarget", NOTHING)]
    patient, *others = patients or [Patient()]
    header = ClinicalDocument(
        id=_read_id(children, "id"),
        code=read_code(children, "code", narrative),
        title=words(children["title"][0]) if "title" in children else None,
        effective_time=read_time(children),
        patient=patient,
        set_id=_read_id(children, "setId"),
        version=_attribute(children, "versionNumber", "value"),
        related=tuple(_related(one, narrative) for one in children.get("relatedDocument", ())),
        templates=read_templates(children),
        confidentiality=_attribute(children, "confidentialityCode"),
        language=_attribute(children, "languageCode"),
        authors=read_authors(children.get("author", ())),
        custodian=_custodian(children),
        encounter=_encounter(children, narrative),
        other_patients=tuple(others),
        orders=tuple(_orders(children, narrative)),
        consents=tuple(_consents(children, narrative)),
        status=_attribute(children, _STATUS),
        copy_time=read_time(children, "copyTime"),
        realms=tuple(code for one in children.get("realmCode", ()) if (code := one.get("code"))),
        categories=_codes(children, _CATEGORY, narrative),
    )
    issues = (*_missing(children), *_oddities(header))
    return header if not issues else replace(header, issues=issues)


def read_templates(children: Children) -> tuple[str, ...]:
    """Roots, each once: R2.1 repeats a root without its version for older readers."""
    found = children.get("templateId", NOTHING)
    return tuple(dict.fromkeys([root for element in found if (root := element.get("root"))]))


def read_code(children: Children, name: str, narrative: Narrative) -> CD | None:
    found = children.get(name)
    return narrative.code(found[0]) if found else None


def _read_id(children: Children, name: str) -> II | None:
    found = children.get(name)
    return read_ii(found[0]) if found else None


def _ids(children: Children) -> tuple[II, ...]:
    return tuple([read_ii(one) for one in children.get("id", NOTHING)])


def _attribute(children: Children, name: str, attribute: str = "code") -> str | None:
    found = children.get(name)
    return found[0].get(attribute) if found else None


def _codes(children: Children, name: str, narrative: Narrative) -> tuple[CD, ...]:
    found = (narrative.code(one) for one in children.get(name, NOTHING))
    return tuple([code for code in found if code is not None])


def _custodian(children: Children) -> str | None:
    found = children.get("custodian")
    organization = first(
        found[0] if found else None, "assignedCustodian", "representedCustodianOrganization"
    )
    return text_of(first(organization, "name"))


# ---- what it stands in for, records, fulfils and may be used for -------------------------------


def _inner(children: Children, holder: str, name: str) -> Iterator[tuple[Element, Children]]:
    """The element `name` in each `holder`, with its children."""
    for element in children.get(holder, NOTHING):
        found = first(element, name)
        if found is not None:
            yield found, children_of(found)


def _related(element: Element, narrative: Narrative) -> RelatedDocument:
    parent = first(element, "parentDocument")
    parts = {} if parent is None else children_of(parent)
    return RelatedDocument(
        element.get("typeCode"),
        _read_id(parts, "id"),
        _read_id(parts, "setId"),
        _attribute(parts, "versionNumber", "value"),
        read_code(parts, "code", narrative),
        narrative.text(parts["text"][0]) if "text" in parts else None,
    )


def _orders(children: Children, narrative: Narrative) -> Iterator[Order]:
    for _, parts in _inner(children, "inFulfillmentOf", "order"):
        yield Order(
            _ids(parts),
            read_code(parts, "code", narrative),
            read_code(parts, "priorityCode", narrative),
        )


def _consents(children: Children, narrative: Narrative) -> Iterator[Consent]:
    for _, parts in _inner(children, "authorization", "consent"):
        yield Consent(
            _ids(parts), read_code(parts, "code", narrative), _attribute(parts, "statusCode")
        )


# ---- the encounter -----------------------------------------------------------------------------


def _encounter(children: Children, narrative: Narrative) -> Encounter | None:
    """componentOf/encompassingEncounter."""
    _, parts = next(_inner(children, "componentOf", "encompassingEncounter"), (None, None))
    if parts is None:
        return None
    period = read_period(parts, "effectiveTime") or IVL()
    start, end = _said(period.low), _said(period.high)
    moment = None if start else read_time(parts)
    place = _place(parts, narrative)
    return Encounter(
        ids=_ids(parts),
        code=read_code(parts, "code", narrative),
        start=start or moment,
        end=end,
        location=None if place is None else place.name or _name_of_organization(place),
        disposition=read_code(parts, "dischargeDispositionCode", narrative)
        or read_code(parts, _DISPOSITION, narrative),
        place=place,
        participants=tuple(
            read_participant(one, kind, narrative)
            for kind in ("responsibleParty", "encounterParticipant")
            for one in parts.get(kind, NOTHING)
        ),
        is_moment=moment is not None and bool(moment.value) and end is None,
    )


def _said(bound: TS | None) -> TS | None:
    """The bound, if it says when or why not."""
    return bound if bound is not None and (bound.value or bound.null_flavor) else None


def _place(parts: Children, narrative: Narrative) -> Place | None:
    """location/healthCareFacility."""
    _, facility = next(_inner(parts, "location", "healthCareFacility"), (None, None))
    if facility is None:
        return None
    _, place = next(((one, children_of(one)) for one in facility.get("location", ())), (None, {}))
    organization = facility.get("serviceProviderOrganization")
    return Place(
        name=text_of(place["name"][0]) if "name" in place else None,
        address=read_ad(place["addr"][0]) if "addr" in place else None,
        ids=_ids(facility),
        code=read_code(facility, "code", narrative),
        organization=None
        if organization is None
        else read_organization(organization[0], narrative),
    )


def _name_of_organization(place: Place) -> str | None:
    organization = place.organization
    return organization.names[0] if organization is not None and organization.names else None


# ---- what is odd -------------------------------------------------------------------------------


def _missing(children: Children) -> Iterator[Issue]:
    """What a header cannot do without (CDA R2: 4.2)."""
    for name in ("id", "code", "effectiveTime", "recordTarget"):
        if name not in children:
            yield Issue("warning", f"the document has no {name}")


def _oddities(header: ClinicalDocument) -> Iterator[Issue]:
    if header.other_patients:
        yield Issue("error", "the document is about several people; the first is read")
    patient, encounter = header.patient, header.encounter
    if patient.deceased is False and patient.deceased_time is not None:
        yield Issue("warning", "the patient is said to be alive, and has a time of death")
    for related in header.related:
        if related.type_code not in _RELATIONS:
            yield Issue("warning", "a related document is neither replaced, added to nor changed")
        if related.id is not None and related.id == header.id:
            yield Issue("warning", "the document names itself as the one it is related to")
    if encounter is not None and _ends_before_it_starts(encounter.start, encounter.end):
        yield Issue("warning", "the encounter ends before it starts")


def _ends_before_it_starts(start: TS | None, end: TS | None) -> bool:
    """As far as both are written: the dates, to the coarser precision."""
    dates = [one.value[:8] for one in (start, end) if one is not None and one.value]
    if len(dates) < 2:
        return False
    precision = min(map(len, dates))
    return dates[1][:precision] < dates[0][:precision]
