"""A member's merged summary as a CCD (C-CDA R2.1: 1.1.2, 2.16.840.1.113883.10.20.22.1.2)."""

from collections.abc import Mapping

from lxml import etree

from ccda.hl7v3 import II, TS, hl7_time
from ccda.model import Patient
from ccda.summary import Summary
from ccda.writer.elements import add, new_document, printable
from ccda.writer.header import AuthoringDevice, Header, Organization, write_header
from ccda.writer.rows import Origin
from ccda.writer.sections import write_sections


def write_ccd(
    summary: Summary,
    *,
    patient: Patient,
    author: AuthoringDevice,
    custodian: Organization,
    document_id: II,
    set_id: II,
    version: int,
    now: TS,
    sources: Mapping[str, II] | None = None,
    title: str = "Continuity of Care Document, derived from received documents",
    confidentiality: str = "N",
    language: str = "en-US",
) -> bytes:
    """The summary as one document, byte for byte the same for the same arguments.

    `sources` gives, for each document of the summary, the id under which its author knows it.
    Withdrawn facts stand in the narrative alone. Our own reader finds the same facts in it.
    """
    header = Header(
        document_id=document_id,
        set_id=set_id,
        version=version,
        now=now,
        author=author,
        custodian=custodian,
        title=title,
        confidentiality=confidentiality,
        language=language,
    )
    fit: Summary = printable(summary)
    origin = Origin(
        document_id=document_id,
        documents={document.id: document for document in fit.documents},
        source_ids=printable(dict(sources or {})),
    )
    document = new_document()
    write_header(document, printable(header), printable(patient), _oldest(fit))
    body = add(add(document, "component"), "structuredBody")
    write_sections(body, fit, origin)
    return etree.tostring(document, xml_declaration=True, encoding="UTF-8")


def _oldest(summary: Summary) -> TS | None:
    """When the oldest document of the summary was written."""
    times = sorted(hl7_time(one.time) for one in summary.documents if one.time)
    return TS(times[0]) if times else None
