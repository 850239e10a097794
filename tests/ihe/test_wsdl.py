"""Our WSDL, as zeep and any other reader sees it."""

import io
from typing import Any

import pytest
import zeep
from lxml import etree

from ccda.hl7v3 import II, TS
from ccda.safe_xml import Element, parse_xml
from ihe.discovery import Demographics
from ihe.identifiers import HomeCommunityId, Oid, PatientId, UniqueId
from ihe.patient_location import write_location_request
from ihe.wsdl import WsdlName, wsdl_bytes
from ihe.xca_query import FindDocumentsQuery, write_adhoc_query_request
from ihe.xca_retrieve import DocumentRequest, RetrieveDocumentSetRequest, write_retrieve_request
from ihe.xcpd import PatientDiscoveryRequest, write_discovery_request
from ihe.xdr import write_provide_and_register
from tests.ihe.submissions import SUBMISSION

HOME = HomeCommunityId(Oid("2.999.20"))
SOAP = "{http://www.w3.org/2003/05/soap-envelope}"
WSA = "{http://www.w3.org/2005/08/addressing}"
DISCOVERY = write_discovery_request(
    PatientDiscoveryRequest(
        II("2.999.1", "m"),
        TS("20260301"),
        HOME,
        HOME,
        II("2.999.1", "q"),
        Demographics(ids=(II("2.999.2", "x"),)),
    )
)
LOCATE = write_location_request(PatientId("A-1", Oid("2.999.5")))
QUERY = write_adhoc_query_request(FindDocumentsQuery(PatientId("A-1", Oid("2.999.5"))))
RETRIEVE = write_retrieve_request(
    RetrieveDocumentSetRequest((DocumentRequest(Oid("2.999.7"), UniqueId("d1"), HOME),))
)
SUBMIT = write_provide_and_register(SUBMISSION)
ADDRESS = 'https://gateway.example/ihe?a=1&b="2"'


def client(name: WsdlName) -> Any:
    settings = zeep.Settings(forbid_dtd=True, forbid_external=True)
    return zeep.Client(io.BytesIO(wsdl_bytes(name, ADDRESS)), settings=settings)


def content(element: Element) -> list[tuple[Any, dict[Any, Any], str | None]]:
    """What an element says, whatever prefixes it says it with."""
    return [(each.tag, dict(each.attrib), each.text) for each in element.iter()]


@pytest.mark.parametrize(
    ("name", "operation", "body", "action"),
    [
        (
            "xcpd",
            "RespondingGateway_PRPA_IN201305UV02",
            DISCOVERY,
            "urn:hl7-org:v3:PRPA_IN201305UV02:CrossGatewayPatientDiscovery",
        ),
        (
            "xcpd",
            "RespondingGateway_Deferred_PRPA_IN201305UV02",
            DISCOVERY,
            "urn:hl7-org:v3:PRPA_IN201305UV02:Deferred:CrossGatewayPatientDiscovery",
        ),
        (
            "xcpd",
            "RespondingGateway_PatientLocationQuery",
            LOCATE,
            "urn:ihe:iti:2009:PatientLocationQuery",
        ),
        (
            "xca",
            "RespondingGateway_CrossGatewayQuery",
            QUERY,
            "urn:ihe:iti:2007:CrossGatewayQuery",
        ),
        (
            "xca",
            "RespondingGateway_CrossGatewayRetrieve",
            RETRIEVE,
            "urn:ihe:iti:2007:CrossGatewayRetrieve",
        ),
        (
            "xdr",
            "DocumentRecipient_ProvideAndRegisterDocumentSet-b",
            SUBMIT,
            "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b",
        ),
        (
            "xdr",
            "RespondingGateway_CrossGatewayDocumentProvide",
            SUBMIT,
            "urn:ihe:iti:2015:CrossGatewayDocumentProvide",
        ),
    ],
)
def test_zeep_wraps_our_bodies_unchanged(
    name: WsdlName, operation: str, body: Element, action: str
) -> None:
    made = client(name)
    role = "DocumentRecipient" if name == "xdr" else "RespondingGateway"
    service = made.bind(f"{role}_Service", f"{role}_Port_Soap12")
    envelope = made.create_message(
        service,
        operation,
        _value_1=list(parse_xml(etree.tostring(body))),
        _attr_1=dict(body.attrib),
    )
    assert content(envelope.find(f"{SOAP}Body")[0]) == content(body)
    assert envelope.findtext(f"{SOAP}Header/{WSA}Action") == action
    assert envelope.findtext(f"{SOAP}Header/{WSA}To") == ADDRESS


@pytest.mark.parametrize(
    ("name", "namespace", "role"),
    [
        ("xcpd", "urn:ihe:iti:xcpd:2009", "RespondingGateway"),
        ("xca", "urn:ihe:iti:xds-b:2007", "RespondingGateway"),
        ("xdr", "urn:ihe:iti:xds-b:2007", "DocumentRecipient"),
    ],
)
def test_names_are_those_of_the_profile(name: WsdlName, namespace: str, role: str) -> None:
    definitions = parse_xml(wsdl_bytes(name, ADDRESS))
    assert definitions.get("targetNamespace") == namespace
    assert list(client(name).wsdl.bindings) == [f"{{{namespace}}}{role}_Binding_Soap12"]


def test_the_address_is_escaped_into_place() -> None:
    definitions = parse_xml(wsdl_bytes("xca", ADDRESS))
    (address,) = definitions.iter("{http://schemas.xmlsoap.org/wsdl/soap12/}address")
    assert address.get("location") == ADDRESS
