"""A document around a few entries, turned into FHIR, and its resources by their type."""

from collections.abc import Callable
from typing import Any

import pytest

from ccda import ClinicalDocument, parse_document
from ccda.fhir import document_bundle

Json = dict[str, Any]
Resources = dict[str, list[Json]]
Convert = Callable[..., Resources]

_DOCUMENT = """<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:sdtc="urn:hl7-org:sdtc"
  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<id root="2.999.1"/><code code="34133-9" codeSystem="2.16.840.1.113883.6.1"/>
<effectiveTime value="20240301120000-0500"/>{header}
<component><structuredBody>{sections}</structuredBody></component></ClinicalDocument>"""
_SECTION = """<component><section><code code="{code}" codeSystem="2.16.840.1.113883.6.1"/>
<text>{text}</text>{entries}</section></component>"""


def document_xml(sections: str, header: str = "<recordTarget/>") -> bytes:
    return _DOCUMENT.format(header=header, sections=sections).encode()


def clinical_document(sections: str, header: str = "<recordTarget/>") -> ClinicalDocument:
    return parse_document(document_xml(sections, header))


def section(code: str, *statements: str, text: str = "") -> str:
    entries = "".join(f"<entry>{statement}</entry>" for statement in statements)
    return _SECTION.format(code=code, text=text, entries=entries)


def by_type(bundle: Json) -> Resources:
    found: Resources = {}
    for entry in bundle["entry"]:
        found.setdefault(entry["resource"]["resourceType"], []).append(entry["resource"])
    return found


@pytest.fixture
def convert() -> Convert:
    """The resources of a section with that LOINC code and those statements."""
    return lambda code, *statements, **more: by_type(
        document_bundle(clinical_document(section(code, *statements, **more)), document_id="one")
    )
