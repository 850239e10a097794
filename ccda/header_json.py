"""A document's header as JSON values: what `gateway parse` prints under `document`.

The keys of ARCHITECTURE's door always stand there; what few documents say stands under a key of
its own, there only when it is said. Who took part is read from the document's head for this.
"""

from typing import Any

from ccda.hl7v3 import AD, CD, II, IVL, PN, TEL, TS
from ccda.model import (
    ClinicalDocument,
    Device,
    Encounter,
    Language,
    Organization,
    Participant,
    Patient,
    Place,
    RelatedDocument,
    ServiceEvent,
)
from ccda.participations import read_participations
from ccda.value_json import Json, author_json, code_json, codes_json, put_time, whole_code_json


def header_json(document: ClinicalDocument) -> Json:
    took_part = read_participations(document)
    form: Json = {
        "id": _id_json(document.id),
        "set_id": _id_json(document.set_id),
        "version": document.version,
        "related": [_related_json(related) for related in document.related],
        "type": None if document.code is None else code_json(document.code),
        "title": document.title,
        "effective_time": _iso(document.effective_time),
        "templates": list(document.templates),
        "confidentiality": document.confidentiality,
        "language": document.language,
        "patient": _patient_json(document.patient),
        "authors": [author_json(author) for author in document.authors],
        "custodian": document.custodian,
        "encounter": None if document.encounter is None else _encounter_json(document.encounter),
    }
    if document.recovered:
        form["recovered"] = True
    if (body := document.body) is not None:
        form["body"] = {
            "media_type": body.media_type,
            "size_bytes": len(body.data),
            "reference": body.reference,
        }
    return form | _said(
        participants=[_participant_json(one) for one in took_part.participants],
        service_events=[_service_event_json(event) for event in took_part.service_events],
        orders=[
            _said(ids=_ids_json(order.ids), code=_code(order.code), priority=_code(order.priority))
            for order in document.orders
        ],
        consents=[
            _said(ids=_ids_json(consent.ids), code=_code(consent.code), status=consent.status)
            for consent in document.consents
        ],
        status=document.status,
        copy_time=_iso(document.copy_time),
        realms=list(document.realms),
        categories=codes_json(document.categories),
        other_patients=[_patient_json(patient) for patient in document.other_patients],
    )


def _said(**parts: Any) -> Json:
    """The parts that say something."""
    return {name: part for name, part in parts.items() if part is not None and part != []}


# ---- the document ----------------------------------------------------------------------------


def _related_json(related: RelatedDocument) -> Json:
    form: Json = {
        "type": related.type_code,
        "id": _id_json(related.id),
        "set_id": _id_json(related.set_id),
        "version": related.version,
    }
    return form | _said(code=_code(related.code), text=related.text)


def _encounter_json(encounter: Encounter) -> Json:
    form: Json = {
        "ids": _ids_json(encounter.ids),
        "code": None if encounter.code is None else code_json(encounter.code),
        "start": _iso(encounter.start),
        "end": _iso(encounter.end),
        "location": encounter.location,
    }
    return form | _said(
        disposition=_code(encounter.disposition),
        place=_place_json(encounter.place),
        participants=[_participant_json(one) for one in encounter.participants],
    )


def _service_event_json(event: ServiceEvent) -> Json:
    return _said(
        class_code=event.class_code,
        ids=_ids_json(event.ids),
        code=_code(event.code),
        time=_interval_json(event.time),
        performers=[_participant_json(one) for one in event.performers],
    )


# ---- people and organizations ----------------------------------------------------------------


def _patient_json(patient: Patient) -> Json:
    form: Json = {
        "ids": [_whole_id_json(identifier) for identifier in patient.ids],
        "names": [_name_json(name) for name in patient.names],
        "gender": patient.gender,
        "addresses": [_address_json(address) for address in patient.addresses],
        "telecoms": [_telecom_json(telecom) for telecom in patient.telecoms],
        "race": None if patient.race is None else code_json(patient.race),
        "ethnicity": None if patient.ethnicity is None else code_json(patient.ethnicity),
        "language": patient.language,
    }
    put_time(form, "birth_time", patient.birth_time)
    if patient.deceased_time is not None:
        put_time(form, "deceased_time", patient.deceased_time)
    return form | _said(
        gender_code=_code(patient.gender_code),
        races=codes_json(patient.races),
        ethnicities=codes_json(patient.ethnicities),
        languages=[_language_json(language) for language in patient.languages],
        deceased=patient.deceased,
        multiple_birth=patient.multiple_birth,
        birth_order=patient.birth_order,
        marital_status=_code(patient.marital_status),
        religion=_code(patient.religion),
        birthplace=_place_json(patient.birthplace),
        guardians=[_participant_json(one) for one in patient.guardians],
        provider=_organization_json(patient.provider),
    )


def _language_json(language: Language) -> Json:
    return _said(
        code=language.code,
        mode=_code(language.mode),
        proficiency=_code(language.proficiency),
        preferred=language.preferred,
    )


def _participant_json(one: Participant) -> Json:
    return _said(
        kind=one.kind,
        type_code=one.type_code,
        role_class=one.role_class,
        function=_code(one.function),
        time=_interval_json(one.time),
        signature=one.signature,
        ids=_ids_json(one.ids),
        code=_code(one.code),
        names=[_name_json(name) for name in one.names],
        addresses=[_address_json(address) for address in one.addresses],
        telecoms=[_telecom_json(telecom) for telecom in one.telecoms],
        organization=_organization_json(one.organization),
        device=_device_json(one.device),
    )


def _organization_json(one: Organization | None) -> Json | None:
    if one is None:
        return None
    return _said(
        ids=_ids_json(one.ids),
        names=list(one.names),
        addresses=[_address_json(address) for address in one.addresses],
        telecoms=[_telecom_json(telecom) for telecom in one.telecoms],
        industry=_code(one.industry),
        part_of=_organization_json(one.part_of),
    )


def _device_json(device: Device | None) -> Json | None:
    if device is None:
        return None
    return _said(model=device.model, software=device.software, code=_code(device.code))


def _place_json(place: Place | None) -> Json | None:
    if place is None:
        return None
    return _said(
        name=place.name,
        address=None if place.address is None else _address_json(place.address),
        ids=_ids_json(place.ids),
        code=_code(place.code),
        organization=_organization_json(place.organization),
    )


def _name_json(name: PN) -> Json:
    form: Json = {
        "family": name.family,
        "given": list(name.given),
        "prefix": list(name.prefix),
        "suffix": list(name.suffix),
        "use": name.use,
    }
    return form | _said(
        text=name.text,
        null_flavor=name.null_flavor,
        valid=_interval_json(name.valid),
        qualifiers=[
            {"part": part, "text": text, "qualifier": qualifier}
            for part, text, qualifier in name.qualifiers
        ],
    )


def _address_json(address: AD) -> Json:
    form: Json = {
        "lines": list(address.lines),
        "city": address.city,
        "state": address.state,
        "postal_code": address.postal_code,
        "country": address.country,
        "county": address.county,
        "use": address.use,
    }
    return form | _said(
        text=address.text,
        null_flavor=address.null_flavor,
        period=_interval_json(address.period),
        others=[{"part": part, "text": text} for part, text in address.others],
    )


def _telecom_json(telecom: TEL) -> Json:
    form: Json = {"value": telecom.value, "use": telecom.use}
    return form | _said(null_flavor=telecom.null_flavor, period=_interval_json(telecom.period))


# ---- values ----------------------------------------------------------------------------------


def _whole_id_json(identifier: II) -> Json:
    form: Json = {"root": identifier.root, "extension": identifier.extension}
    return form | _said(
        assigning_authority=identifier.assigning_authority, null_flavor=identifier.null_flavor
    )


def _ids_json(identifiers: tuple[II, ...]) -> list[str]:
    """Those that identify; one that is only a nullFlavor does not."""
    return [text for identifier in identifiers if (text := str(identifier))]


def _id_json(identifier: II | None) -> str | None:
    return None if identifier is None else str(identifier) or None


def _code(code: CD | None) -> Json | None:
    return None if code is None else whole_code_json(code)


def _iso(time: TS | None) -> str | None:
    return None if time is None else time.iso


def _interval_json(interval: IVL | None) -> Json | None:
    """A point is `{"value"}`, an interval `{"low", "high"}`."""
    if interval is None:
        return None
    form: Json = {}
    for name, time in (
        ("value", interval.value),
        ("low", interval.low),
        ("high", interval.high),
    ):
        if time is not None:
            put_time(form, name, time)
    return form | _said(null_flavor=interval.null_flavor)
