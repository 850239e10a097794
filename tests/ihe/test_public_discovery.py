"""Every public ITI-55 message and SAML assertion: what is read in it, or how it is refused."""

from pathlib import Path

import pytest

from ccda.errors import CcdaError
from ccda.safe_xml import Element, parse_xml
from ihe.discovery import Matched, MoreDemographicsRequested, NoMatch
from ihe.errors import IheError
from ihe.mtom import MultipartReader, PartStart, RootPart, is_multipart
from ihe.saml import read_assertion
from ihe.xcpd import read_discovery_request, read_discovery_response

pytestmark = pytest.mark.public_samples
SAMPLES = Path(__file__).resolve().parents[3] / "shared/samples/ihe"
PDQ_AUTHORITY = "1.2.840.114350.1.13.99998.8734"
GALLOW = [("D123401", "1.1", "1.1", "Younger", 100)]
MOORE = [("801", "1.2.3.4.5.1000", "2.16.840.1.113883.3.72.6.1", "Moore", 100)]

# CONNECT's are named for the project and case they were taken out of; this much tells them apart.
# Family, given, birth, gender, number of ids, sender, deferred, minimum degree, patient id.
REQUESTS = {
    "AdapterPatientDiscoveryRequest_02": (
        ("YOUNGER", ("GALLOW",), "19990627", "M", 0, "1.1", False, None, "D123401")
    ),
    # Placeholders that were never filled in are values like any other.
    "EntityPatientDiscovery_01": (
        "${#Project#FamilyName}",
        ("${#Project#GivenName}",),
        "${#Project#BirthTime}",
        "${#Project#Gender}",
        1,
        "1.2.345.678.999",
        False,
        None,
        None,
    ),
    "xcpd_findpatient_request": (
        "$lastName_id$",
        ("$firstName_id$", "$secondName_id$"),
        "$dob_id$",
        "$gender_id$",
        1,
        "1.2.840.114350.1.13.99998",
        False,
        None,
        "801",
    ),
    "01_PDQQuery1": (
        ("Jones", ("Jimmy",), "19630804", "M", 1, "1.2.840.114350.1.13.999.567", False, 75, None)
    ),
    "iti55-sample-request": (
        ("Jones", ("Jimmy",), "19630805", "M", 1, "1.2.3.928.955", False, 100, "1234")
    ),
    "iti55-sample-request-deferred": (
        ("Jones", ("Jimmy",), "19630805", "M", 1, "1.2.3.928.955", True, 100, "1234")
    ),
}
# Patient id, its authority, home community, family, degree of each match; or what else was said.
ANSWERS = {
    "Patient-Discovery_Mock-Response_02": GALLOW,
    "Patient-Discovery_Mock-Response_03": GALLOW,
    "Patient-Discovery_Mock-Response_04": GALLOW,
    "Patient-Discovery_Mock-Response_05": GALLOW,
    "Patient-Discovery_Mock-Response_06": GALLOW,
    "Patient-Discovery_Mock-Response_07": GALLOW,
    "NhinPatientDiscoveryMockResponse_01": GALLOW,
    # Its patient id has no extension: nothing could be asked for with it.
    "FindCandidates_Gallow-1_08": "a match has no patient id that could be asked for",
    "AdapterPatientDiscoveryAsyncResp_01": "no match",
    "xcpd_FindPatientResponse": MOORE,
    "xcpd_FindPatientResponseS": MOORE,
    "02_PDQQuery1Response": [
        (str(number), PDQ_AUTHORITY, PDQ_AUTHORITY, "Jones", 92 if number == 1 else 85)
        for number in range(1, 8)
    ],
    "03_PDQQueryEmptyResponse": "no match",
    "iti55-sample-response": [
        ("34827K410", PDQ_AUTHORITY, PDQ_AUTHORITY, "Jones", 92),
        ("34827R534", PDQ_AUTHORITY, PDQ_AUTHORITY, "Jones", 85),
    ],
}
# Subject, home community, role, purpose; or the refusal.
ASSERTIONS = {
    "saml_authFrameworkAssertion": ("Karl S Skagerberg", "1.1", "307969004", "PUBLICHEALTHKIERAN"),
    "saml_saml_header_diff_order": ("Karl S Skagerberg", "1.1", "307969004", "PUBLICHEALTH"),
    "saml_complete_saml": (
        "Interop IT Testcase",
        "2.16.840.1.113883.3.424",
        "46255001",
        "OPERATIONS",
    ),
    "saml_saml_missingValues": (None, None, None, None),
    # It states user, role and purpose twice: what may be read either way decides nothing.
    "saml2-assertion-for-xua": "the assertion states what decides on access in two ways",
}


def found(tag: str) -> dict[str, Element]:
    """The first such element of each file that has one, by the file's name without its ending."""
    elements: dict[str, Element] = {}
    for file in sorted(SAMPLES.rglob("*.xml")) if SAMPLES.is_dir() else ():
        if f"{tag.rpartition('}')[2]}".encode() in file.read_bytes():
            try:
                root = parse_xml(file.read_bytes())
            except CcdaError:
                continue
            element = next(root.iter(tag), None)
            if element is not None:
                elements[file.stem] = element
    return elements


def expected(table: dict[str, object], stem: str) -> object:
    (value,) = [value for name, value in table.items() if stem.endswith(name)]
    return value


@pytest.mark.parametrize(
    ("tag", "table"),
    [
        ("{urn:hl7-org:v3}PRPA_IN201305UV02", REQUESTS),
        ("{urn:hl7-org:v3}PRPA_IN201306UV02", ANSWERS),
        ("{urn:oasis:names:tc:SAML:2.0:assertion}Assertion", ASSERTIONS),
    ],
    ids=["requests", "answers", "assertions"],
)
def test_every_public_sample_is_read_as_the_table_says(tag: str, table: dict[str, object]) -> None:
    readings = {stem: READERS[tag](element) for stem, element in found(tag).items()}
    assert len(readings) == len(table)
    assert readings == {stem: expected(table, stem) for stem in readings}


# ---- packages --------------------------------------------------------------------------------


# The types of the parts behind the root: both are XDR with one document, from Axis2.
@pytest.mark.parametrize(
    ("file", "content_types"),
    [
        ("mtom_sample_pnr_multipart.txt", ["text/plain"]),
        ("validator_http-mtom-pnr.txt", ["text/plain"]),
    ],
)
def test_every_public_package_is_read(file: str, content_types: list[str]) -> None:
    header, body = content_type_and_body((SAMPLES / "iheos-toolkit2" / file).read_bytes())
    reader = MultipartReader(header)
    events = reader.feed(body)
    reader.close()
    roots = [event for event in events if isinstance(event, RootPart)]
    assert [b"ProvideAndRegisterDocumentSetRequest" in root.content for root in roots] == [True]
    started = [event for event in events if isinstance(event, PartStart)]
    assert [(event.content_type or "").split(";")[0] for event in started] == content_types


def content_type_and_body(message: bytes) -> tuple[str, bytes]:
    """Of an HTTP request as it was logged, or of a package alone, whose first line says enough."""
    if message.startswith(b"--"):
        return f'multipart/related; boundary="{message.split()[0][2:].decode()}"', message
    head, _, body = message.partition(b"\n\n")
    (line,) = [one for one in head.splitlines() if one.lower().startswith(b"content-type:")]
    return line.partition(b":")[2].strip().decode(), body


def test_a_header_of_a_public_package_names_its_boundary() -> None:
    head = (SAMPLES / "iheos-toolkit2/http_boundryTest_request_hdr.txt").read_bytes()
    header, _ = content_type_and_body(head.replace(b"\r\n", b"\n"))
    boundary = "uuid:898b3ded-c057-48c5-9f07-43a15680b58d+id=5"
    assert is_multipart(header)
    reader = MultipartReader(header)
    part = f"--{boundary}\r\nContent-ID: <http://tempuri.org/0>\r\n\r\n<a/>\r\n--{boundary}--"
    events = reader.feed(part.encode())
    reader.close()
    assert [event.content for event in events if isinstance(event, RootPart)] == [b"<a/>"]


# ---- what was read, in few words -------------------------------------------------------------


def read_request(element: Element) -> object:
    request = read_discovery_request(element)
    person = request.demographics
    assert person.birth_time is not None
    return (
        person.names[0].family,
        person.names[0].given,
        person.birth_time.value,
        person.gender,
        len(person.ids),
        str(request.sender),
        request.deferred,
        request.minimum_degree_match,
        request.patient_id.id if request.patient_id else None,
    )


def read_answer(element: Element) -> object:
    try:
        discovery = read_discovery_response(element).discovery
    except IheError as error:
        return error.reason
    match discovery:
        case Matched(matches, unreadable):
            assert unreadable == 0
            return [
                (
                    one.patient_id.id,
                    str(one.patient_id.authority),
                    str(one.home_community_id),
                    one.demographics.names[0].family,
                    one.degree,
                )
                for one in matches
            ]
        case NoMatch():
            return "no match"
        case MoreDemographicsRequested():
            return "more is asked for"


def read_identity(element: Element) -> object:
    try:
        assertion = read_assertion(element)
    except IheError as error:
        return error.reason
    return (
        assertion.subject and " ".join(assertion.subject.split()),
        str(assertion.home_community_id) if assertion.home_community_id else None,
        assertion.role and assertion.role.code,
        assertion.purpose_of_use and assertion.purpose_of_use.code,
    )


READERS = {
    "{urn:hl7-org:v3}PRPA_IN201305UV02": read_request,
    "{urn:hl7-org:v3}PRPA_IN201306UV02": read_answer,
    "{urn:oasis:names:tc:SAML:2.0:assertion}Assertion": read_identity,
}
