"""The invented patient, document and parties that an interop run is about."""

from collections.abc import Mapping

RESPONDER_HOME = "urn:oid:2.16.840.1.113883.3.9999.1"
INITIATOR_HOME = "urn:oid:2.16.840.1.113883.3.9999.2"

PATIENT: Mapping[str, str] = {
    "patient.id": "interop-4711",
    "patient.root": "2.16.840.1.113883.3.9999.1.7",
    "patient.given": "Tessa",
    "patient.family": "Testperson",
    "patient.gender": "F",
    "patient.birth": "19700102",
    "patient.street": "1 Example Street",
    "patient.city": "Springfield",
    "patient.state": "IL",
    "patient.zip": "62701",
    "patient.telecom": "tel:+1-555-555-0199",
}

RESPONDER: Mapping[str, str] = {
    **PATIENT,
    "own.home": RESPONDER_HOME,
    "own.repository": "2.16.840.1.113883.3.9999.1.8",
    "document.entry-id": "urn:uuid:6f0fa5a8-6a4f-4c39-9d3e-0c6f4b1a2d10",
    "document.unique-id": "2.16.840.1.113883.3.9999.1.9.1",
    "document.mime-type": "text/xml",
}

INITIATOR: Mapping[str, str] = {
    **PATIENT,
    "own.home": INITIATOR_HOME,
    "partner.home": RESPONDER_HOME,
    "user.name": "Wilma Osler",
    "user.organization": "Interop Clinic",
    "user.role": "112247003",
    "user.role.name": "Medical doctor",
    "user.purpose": "TREATMENT",
}

# Not ASCII alone, and not canonical: a document must arrive byte for byte.
DOCUMENT = (
    b'<?xml version="1.0" encoding="UTF-8"?>\r\n'
    b"<ClinicalDocument  xmlns='urn:hl7-org:v3'><title>R\xc3\xa9sum\xc3\xa9</title>"
    + b"<!-- filler -->\n" * 2000
    + b"</ClinicalDocument>"
)
