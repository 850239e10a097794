"""The header of a document: who it is about, who wrote it, what it replaces (CDA R2: 4.2)."""

from collections.abc import Iterable
from typing import Final

from ccda.hl7v3 import CD, II, SDTC, TS, read_ad, read_ii, read_pn, read_tel, read_ts, text_of
from ccda.model import Encounter, Issue, Patient, RelatedDocument
from ccda.narrative import Narrative
from ccda.safe_xml import Element
from ccda.sections.form import person_name
from ccda.sections.statement import Children, children_of, first

_RACE_MORE: Final = f"{{{SDTC}}}raceCode"
_NOTHING: Final[tuple[Element, ...]] = ()


def read_id(children: Children, name: str) -> II | None:
    found = children.get(name)
    return read_ii(found[0]) if found else None


def read_version(children: Children) -> str | None:
    found = children.get("versionNumber")
    return found[0].get("value") if found else None


def read_time(children: Children, name: str = "effectiveTime") -> TS | None:
    found = children.get(name)
    time = read_ts(found[0]) if found else None
    return time if time is not None and (time.value or time.null_flavor) else None


def read_templates(children: Children) -> tuple[str, ...]:
    """Roots, each once: R2.1 repeats a root without its version for older readers."""
    roots = (element.get("root") for element in children.get("templateId", _NOTHING))
    return tuple(dict.fromkeys(root for root in roots if root))


def read_code(children: Children, name: str, narrative: Narrative) -> CD | None:
    found = children.get(name)
    return narrative.code(found[0]) if found else None


def read_attribute(children: Children, name: str, attribute: str = "code") -> str | None:
    found = children.get(name)
    return found[0].get(attribute) if found else None


def read_related(children: Children) -> tuple[RelatedDocument, ...]:
    related = []
    for element in children.get("relatedDocument", _NOTHING):
        parent = first(element, "parentDocument")
        parts = {} if parent is None else children_of(parent)
        related.append(
            RelatedDocument(
                element.get("typeCode"),
                read_id(parts, "id"),
                read_id(parts, "setId"),
                read_version(parts),
            )
        )
    return tuple(related)


def issues_of(children: Children) -> list[Issue]:
    """What a header cannot do without (CDA R2: 4.2), and what we read only in part."""
    issues = [
        Issue("warning", f"the document has no {name}")
        for name in ("id", "code", "effectiveTime", "recordTarget")
        if name not in children
    ]
    if len(children.get("recordTarget", _NOTHING)) > 1:
        issues.append(Issue("error", "the document is about several people; the first is read"))
    return issues


def read_patient(children: Children) -> Patient:
    """The first recordTarget; a document about several people is not one person's record."""
    found = children.get("recordTarget")
    role = first(found[0], "patientRole") if found else None
    if role is None:
        return Patient()
    parts = children_of(role)
    person = parts.get("patient")
    facts = children_of(person[0]) if person else {}
    return Patient(
        ids=tuple(read_ii(element) for element in parts.get("id", _NOTHING)),
        names=tuple(read_pn(element) for element in facts.get("name", _NOTHING)),
        birth_time=read_time(facts, "birthTime"),
        gender=read_attribute(facts, "administrativeGenderCode"),
        addresses=tuple(read_ad(element) for element in parts.get("addr", _NOTHING)),
        telecoms=tuple(read_tel(element) for element in parts.get("telecom", _NOTHING)),
        race=_said((*facts.get("raceCode", _NOTHING), *facts.get(_RACE_MORE, _NOTHING))),
        ethnicity=_said(facts.get("ethnicGroupCode", _NOTHING)),
        language=_language(facts.get("languageCommunication", _NOTHING)),
    )


def read_custodian(children: Children) -> str | None:
    found = children.get("custodian")
    organization = first(
        found[0] if found else None, "assignedCustodian", "representedCustodianOrganization"
    )
    return text_of(first(organization, "name"))


def read_encounter(children: Children, narrative: Narrative) -> Encounter | None:
    """componentOf/encompassingEncounter."""
    found = children.get("componentOf")
    element = first(found[0] if found else None, "encompassingEncounter")
    if element is None:
        return None
    parts = children_of(element)
    time = parts.get("effectiveTime")
    period = children_of(time[0]) if time else {}
    point = read_time(parts)
    location = first(element, "location", "healthCareFacility")
    return Encounter(
        ids=tuple(read_ii(item) for item in parts.get("id", _NOTHING)),
        code=read_code(parts, "code", narrative),
        start=read_time(period, "low") or point,
        end=read_time(period, "high"),
        location=person_name(first(location, "location", "name"))
        or person_name(first(location, "serviceProviderOrganization", "name")),
    )


def _said(elements: Iterable[Element]) -> CD | None:
    """The first that says something; a nullFlavor only when there is nothing else."""
    codes = [code for element in elements if (code := Narrative().code(element)) is not None]
    return next((code for code in codes if code.code), codes[0] if codes else None)


def _language(elements: Iterable[Element]) -> str | None:
    """The preferred language of several, else the first."""
    known = [
        (first(element, "preferenceInd"), code.get("code"))
        for element in elements
        if (code := first(element, "languageCode")) is not None
    ]
    preferred = [
        c for indicator, c in known if indicator is not None and indicator.get("value") == "true"
    ]
    return next((code for code in [*preferred, *(code for _, code in known)] if code), None)
