"""Device: implants and supplies, with the identifier that is printed on them (US Core: implants).

A unique device identifier is given as it stands; its device identifier is told only where the
document tells it: it is never computed from the whole.
"""

from collections.abc import Sequence
from typing import Any, Final

from ccda.fhir.datatypes import concept, form_concept, notes, stated, text_identifiers, words
from ccda.fhir.resources import Resources
from ccda.fhir.service_requests import add_service_request
from ccda.fhir.statement import Statement
from ccda.fhir.times import Json, date_time

_FDA: Final = "2.16.840.1.113883.3.3719"


def add_devices(statements: Sequence[Statement], resources: Resources) -> None:
    """What a patient has; what is only to be supplied is asked for."""
    for statement in statements:
        entry = statement.entry
        if entry.mood not in (None, "EVN"):
            add_service_request(statement, resources)
            continue
        given = statement.one("device")
        form = _device(given if isinstance(given, dict) else {}, statement, resources)
        named = concept(entry.code, entry.text)
        if named is not None:
            form["type"] = named
        said = stated(
            status=_status(statement), note=notes(entry.details.get("comment"), statement.conflict)
        )
        resources.state(statement, "Device", {**said, **form})


def _status(statement: Statement) -> str | None:
    """FHIR R4: that of the record. A device that was denied is not there: it does not count."""
    if statement.is_in_error:
        return "entered-in-error"
    return "inactive" if statement.entry.negated else None


def device_of(
    form: Any, statement: Statement, resources: Resources, number: int = 0
) -> Json | None:
    """A Device that took part in a procedure."""
    if not isinstance(form, dict):
        return None
    body = _device(form, statement, resources)
    return resources.add("Device", f"{statement.key} {number}", body, statement.documents)


def _device(form: Json, statement: Statement, resources: Resources) -> Json:
    """US Core: implantable device. The ids whose root is the FDA's are UDIs."""
    printed = [text for text in form.get("ids", ()) if text.partition("^")[0] == _FDA]
    others = [text for text in form.get("ids", ()) if text not in printed]
    parts = statement.one("udi")
    told = parts if isinstance(parts, dict) else {}
    carrier = stated(
        deviceIdentifier=_identifier(told),
        carrierHRF=next((words(text.partition("^")[2]) for text in printed), None),
    )
    ids = text_identifiers(others)
    model = words(form.get("model"))
    return stated(
        identifier=ids,
        udiCarrier=[carrier] if carrier else None,
        distinctIdentifier=_text(told, "distinct_identification_code"),
        manufacturer=_text(told, "company_name") or words(form.get("manufacturer")),
        manufactureDate=_date(told, "manufacturing_date"),
        expirationDate=_date(told, "expiration_date"),
        lotNumber=_text(told, "lot_number"),
        serialNumber=_text(told, "serial_number"),
        deviceName=[{"name": model, "type": "model-name"}] if model else None,
        modelNumber=_text(told, "model_number"),
        type=form_concept(form.get("code")),
        patient=resources.patient,
    )


def _identifier(told: Json) -> str | None:
    """The identifier itself, without the OID of who issues such identifiers."""
    written = _text(told, "device_identifier")
    return None if written is None else words(written.rpartition("^")[2])


def _text(told: Json, name: str) -> str | None:
    found = told.get(name)
    if isinstance(found, dict):
        found = found.get("value") or found.get("display") or found.get("code")
    return words(found)


def _date(told: Json, name: str) -> str | None:
    return date_time(_text(told, name))
