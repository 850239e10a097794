"""The invented patient, document and parties that an interop run is about."""

from collections.abc import Mapping
from importlib.resources import files

RESPONDER_HOME = "urn:oid:2.16.840.1.113883.3.9999.1"
ELSEWHERE_HOME = "urn:oid:2.16.840.1.113883.3.9999.4"
INITIATOR_HOME = "urn:oid:2.16.840.1.113883.3.9999.2"
GATEWAY_HOME = "urn:oid:2.16.840.1.113883.3.9999.3"

# The person whom the document is about; only then may who receives it file it.
PATIENT: Mapping[str, str] = {
    "patient.id": "interop-4711",
    "patient.root": "2.16.840.1.113883.3.9999.1.7",
    "patient.given": "Rosalind",
    "patient.family": "Sampleton",
    "patient.gender": "F",
    "patient.birth": "19580314",
    "patient.street": "214 Sample Orchard Road",
    "patient.city": "Exampleton",
    "patient.state": "WI",
    "patient.zip": "53999",
    "patient.telecom": "tel:+1-608-555-0142",
}

RESPONDER: Mapping[str, str] = {
    **PATIENT,
    "own.home": RESPONDER_HOME,
    "own.repository": "2.16.840.1.113883.3.9999.1.8",
    # Where else its patient is known (ITI-56).
    "elsewhere.home": ELSEWHERE_HOME,
    "document.entry-id": "urn:uuid:6f0fa5a8-6a4f-4c39-9d3e-0c6f4b1a2d10",
    "document.unique-id": "2.16.840.1.113883.3.9999.1.9.1",
    "document.mime-type": "text/xml",
    # In whose name a deferred result is brought.
    "user.name": "Interop Hospital",
    "user.organization": "Interop Hospital",
    "user.role": "106331006",
    "user.role.name": "Administrator",
    "user.purpose": "PAYMENT",
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

# The same person asks our gateway, or submits a document to it.
INITIATOR_OF_OURS: Mapping[str, str] = {
    **INITIATOR,
    "partner.home": GATEWAY_HOME,
    "own.repository": "2.16.840.1.113883.3.9999.2.8",
    "document.entry-id": "urn:uuid:0c0f0b0e-53a1-4f2e-8a55-2d6a3e0f9b11",
    "document.unique-id": "2.16.840.1.113883.3.9999.2.9.1",
}

# Not ASCII alone, and not canonical: a document must arrive byte for byte.
DOCUMENT = (
    files("gateway.demo.documents")
    .joinpath("northfield_ccd.xml")
    .read_bytes()
    .replace(b"\n", b"\r\n")
    .replace(b"<title>Northfield Health", b"<title>R\xc3\xa9sum\xc3\xa9", 1)
)

# Two more of the same person, told apart by their own ids.
MORE_DOCUMENTS = tuple(
    DOCUMENT.replace(b"CCD-20250318-01", f"CCD-20250318-0{number}".encode()).replace(
        b"CCD-220871", f"CCD-22087{number}".encode()
    )
    for number in (2, 3)
)
