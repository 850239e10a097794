"""Documents for tests of ingest, made as each of them needs, and what becomes of them."""

from dataclasses import replace
from datetime import UTC, datetime

from ccda.hl7v3 import II, PN
from gateway.app.house import House
from gateway.exchange.ingest import Ingested, Received, ingest
from gateway.exchange.reading import read_document
from gateway.exchange.summaries import read_summary
from gateway.model.document import Document, OfferedDocument, Source
from gateway.model.identity import MemberId, PartnerId
from gateway.model.member import Member
from gateway.store import documents, offers
from tests.gateway.clients.asking_house import MEMBER, NUMBER_ROOT, PLAN

PARTNER = Source(door="ITI-39", partner=PartnerId("p1"), partner_name="P1")
TWIN = Member(
    MemberId("00000000-0000-4000-8000-0000000000bb"),
    PLAN,
    "DM-100046",
    replace(
        MEMBER.demographics,
        names=(PN("Sampleton", ("Marguerite",), use="L"),),
        ids=(II(NUMBER_ROOT, "DM-100046"),),
    ),
)


def cda(
    *,
    number: str = "1",
    code: str | None = "34133-9",
    set_id: str | None = None,
    version: int | None = None,
    replaces: str | None = None,
    replaces_version: tuple[str, int] | None = None,
    effective: str = "20250102",
    given: str = "Rosalind",
    family: str = "Sampleton",
    birth: str = "19580314",
    address: bool = True,
    ids: str = '<id root="2.999.1" extension="X-1"/>',
    sections: str = "",
) -> bytes:
    """A document of the demo's person; any of it otherwise."""
    coded = f'<code code="{code}" codeSystem="2.16.840.1.113883.6.1"/>' if code else ""
    versions = f'<setId root="2.999.5" extension="{set_id}"/>' if set_id else ""
    versions += f'<versionNumber value="{version}"/>' if version else ""
    home = (
        "<addr><streetAddressLine>214 Sample Orchard Road</streetAddressLine><city>Exampleton"
        "</city><state>WI</state><postalCode>53999</postalCode></addr>"
    )
    parent = f'<id root="2.999.4" extension="{replaces}"/>' if replaces else ""
    if replaces_version:
        parent += '<setId root="2.999.5" extension="{}"/><versionNumber value="{}"/>'.format(
            *replaces_version
        )
    related = (
        '<relatedDocument typeCode="RPLC"><parentDocument>'
        f"{parent}</parentDocument></relatedDocument>"
        if parent
        else ""
    )
    return (
        '<ClinicalDocument xmlns="urn:hl7-org:v3">'
        f'<id root="2.999.4" extension="{number}"/>{coded}<title>A note</title>'
        f'<effectiveTime value="{effective}"/>{versions}<recordTarget><patientRole>{ids}'
        f"{home if address else ''}<patient><name><given>{given}</given><family>{family}</family>"
        f'</name><administrativeGenderCode code="F"/><birthTime value="{birth}"/></patient>'
        f"</patientRole></recordTarget>{related}<component><structuredBody>{sections}"
        "</structuredBody></component></ClinicalDocument>"
    ).encode()


PROBLEM = (
    '<component><section><code code="11450-4" codeSystem="2.16.840.1.113883.6.1"/><text>x</text>'
    '<entry><observation classCode="OBS" moodCode="EVN">'
    '<templateId root="2.16.840.1.113883.10.20.22.4.4"/><id root="2.999.9" extension="1"/>'
    '<code code="55607006" codeSystem="2.16.840.1.113883.6.96"/><statusCode code="completed"/>'
    '<value xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CD" code="{code}" '
    'codeSystem="2.16.840.1.113883.6.96" displayName="{name}"/></observation></entry></section>'
    "</component>"
)
ASTHMA = PROBLEM.format(code="195967001", name="Asthma")
GOUT = PROBLEM.format(code="90560007", name="Gout")
PAYERS = (
    '<component><section><code code="48768-6" codeSystem="2.16.840.1.113883.6.1"/><text>x</text>'
    '<entry><act classCode="ACT" moodCode="EVN">'
    '<templateId root="2.16.840.1.113883.10.20.22.4.60"/><id root="2.999.9" extension="2"/>'
    '<code code="48768-6" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/>'
    '<entryRelationship typeCode="COMP"><act classCode="ACT" moodCode="EVN">'
    '<templateId root="2.16.840.1.113883.10.20.22.4.61"/><id root="2.999.9" extension="3"/>'
    '<code code="72" codeSystem="2.16.840.1.113883.3.221.5"/><statusCode code="completed"/>'
    '<participant typeCode="COV"><participantRole classCode="PAT">'
    f'<id root="{NUMBER_ROOT}" extension="DM-100045"/></participantRole></participant>'
    "</act></entryRelationship></act></entry></section></component>"
)


def take(
    house: House,
    content: bytes,
    *,
    plan: str = PLAN,
    source: Source | None = None,
    candidate: MemberId | None = None,
    create_members: bool = False,
) -> Ingested:
    """What becomes of a document; it is read in this process."""
    (done,) = take_all(
        house, content, plan=plan, source=source, candidate=candidate, create=create_members
    )
    return done


def take_all(
    house: House,
    *contents: bytes,
    plan: str = PLAN,
    source: Source | None = None,
    candidate: MemberId | None = None,
    create: bool = False,
) -> tuple[Ingested, ...]:
    own = house.plan(plan)
    assert own is not None
    received = [
        Received(
            house.archive.store(own.id, content),
            read_document(content),
            source or Source(door="FILE"),
            candidate,
        )
        for content in contents
    ]
    return house.database.write(
        lambda tx: ingest(
            tx,
            received,
            plan=own,
            community=house.community,
            now=datetime.now(UTC),
            create_members=create,
        )
    )


def reload(house: House, done: Ingested) -> Document:
    found = house.database.read(
        lambda tx: documents.get(tx, plan=done.document.plan, document=done.document.id)
    )
    assert found is not None
    return found


def offered(house: House, member: MemberId = MEMBER.id) -> tuple[OfferedDocument, ...]:
    return house.database.read(lambda tx: offers.of_member(tx, plan=PLAN, member=member))


def problems(house: House) -> dict[str, bool]:
    """The problems of the summary, each with whether it was withdrawn."""
    read = house.database.read(lambda tx: read_summary(tx, member=MEMBER, now=datetime.now(UTC)))
    return {one["display"]: one["withdrawn"] for one in read["sections"]["problems"]}
