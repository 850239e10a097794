"""One call of zeep, made from a `?wsdl` alone: a job in JSON on stdin, what zeep read on stdout.

It shares no code with the gateway: its SAML plugin signs with signxml by its own hand.
"""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests
import zeep
from lxml import etree
from signxml import SignatureConstructionMethod, methods
from signxml.signer import XMLSigner
from zeep.transports import Transport

SOAP = "http://www.w3.org/2003/05/soap-envelope"
WSA = "http://www.w3.org/2005/08/addressing"
WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-"
WSSE, WSU = f"{WSS}secext-1.0.xsd", f"{WSS}utility-1.0.xsd"
WSSE11 = "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd"
SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
DS = "http://www.w3.org/2000/09/xmldsig#"
UNIQUE_ID = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"


class Saml:
    """zeep's wsse seam: a holder-of-key assertion whose key signs the Timestamp."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._user = job["user"]
        self._key = Path(job["signing_key"]).read_bytes()
        self._certificate = Path(job["signing_certificate"]).read_text()

    def apply(self, envelope: etree._Element, headers: Any) -> tuple[etree._Element, Any]:
        header = envelope.find(f"{{{SOAP}}}Header")
        assert header is not None
        security = etree.SubElement(header, f"{{{WSSE}}}Security", nsmap={"wsse": WSSE})
        security.set(f"{{{SOAP}}}mustUnderstand", "1")
        now = datetime.now(UTC)
        assertion = self._assertion(now)
        timestamp = self._timestamp(now)
        for part in (timestamp, assertion, self._signature(timestamp, assertion.get("ID", ""))):
            security.append(part)
        return envelope, headers

    def verify(self, envelope: etree._Element) -> etree._Element:
        confirmed = envelope.iterfind(f".//{{{WSSE11}}}SignatureConfirmation")
        assert [one.get("Value") for one in confirmed], "nothing is confirmed"
        return envelope

    def _timestamp(self, now: datetime) -> etree._Element:
        timestamp = etree.Element(f"{{{WSU}}}Timestamp", nsmap={"wsu": WSU})
        timestamp.set(f"{{{WSU}}}Id", f"TS-{uuid4().hex}")
        for name, at in (("Created", now), ("Expires", now + timedelta(minutes=5))):
            etree.SubElement(timestamp, f"{{{WSU}}}{name}").text = _time(at)
        return timestamp

    def _assertion(self, now: datetime) -> etree._Element:
        bare = "".join(self._certificate.split("-----")[2].split())
        nsprefix = "urn:oasis:names:tc:xspa:1.0:subject"
        values = {
            f"{nsprefix}:subject-id": self._user["user.name"],
            f"{nsprefix}:organization": self._user["user.organization"],
            f"{nsprefix}:organization-id": self._user["own.home"],
            "urn:nhin:names:saml:homeCommunityId": self._user["own.home"],
            "urn:oasis:names:tc:xacml:2.0:subject:role": _coded(
                "Role", self._user["user.role"], "2.16.840.1.113883.6.96"
            ),
            f"{nsprefix}:purposeofuse": _coded(
                "PurposeOfUse", self._user["user.purpose"], "2.16.840.1.113883.3.18.7.1"
            ),
        }
        attributes = "".join(
            f'<saml2:Attribute Name="{name}"><saml2:AttributeValue>{value}</saml2:AttributeValue>'
            "</saml2:Attribute>"
            for name, value in values.items()
        )
        name = "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName"
        unsigned = etree.fromstring(f"""\
<saml2:Assertion xmlns:saml2="{SAML}" xmlns:ds="{DS}" ID="_{uuid4().hex}" Version="2.0"
 IssueInstant="{_time(now)}"><saml2:Issuer Format="{name}">CN=zeep</saml2:Issuer>
<ds:Signature Id="placeholder"/>
<saml2:Subject><saml2:NameID Format="{name}">CN=zeep</saml2:NameID>
<saml2:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:holder-of-key">
<saml2:SubjectConfirmationData><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{bare}</ds:X509Certificate>
</ds:X509Data></ds:KeyInfo></saml2:SubjectConfirmationData></saml2:SubjectConfirmation></saml2:Subject>
<saml2:Conditions NotBefore="{_time(now - timedelta(minutes=1))}"
 NotOnOrAfter="{_time(now + timedelta(minutes=5))}"/>
<saml2:AuthnStatement AuthnInstant="{_time(now)}"><saml2:AuthnContext><saml2:AuthnContextClassRef>\
urn:oasis:names:tc:SAML:2.0:ac:classes:X509</saml2:AuthnContextClassRef></saml2:AuthnContext>
</saml2:AuthnStatement><saml2:AttributeStatement>{attributes}</saml2:AttributeStatement>
</saml2:Assertion>""")
        signer = XMLSigner(method=methods.enveloped, c14n_algorithm=EXCLUSIVE)
        return signer.sign(
            unsigned,
            key=self._key,
            cert=self._certificate,
            reference_uri=unsigned.get("ID"),
            id_attribute="ID",
        )

    def _signature(self, timestamp: etree._Element, assertion_id: str) -> etree._Element:
        profile = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#"
        key_info = etree.fromstring(
            f'<ds:KeyInfo xmlns:ds="{DS}" xmlns:wsse="{WSSE}"><wsse:SecurityTokenReference>'
            f'<wsse:KeyIdentifier ValueType="{profile}SAMLID">{assertion_id}</wsse:KeyIdentifier>'
            "</wsse:SecurityTokenReference></ds:KeyInfo>"
        )
        signer = XMLSigner(method=SignatureConstructionMethod.detached, c14n_algorithm=EXCLUSIVE)
        return signer.sign(
            timestamp,
            key=self._key,
            key_info=key_info,
            reference_uri=timestamp.get(f"{{{WSU}}}Id"),
            id_attribute="Id",
        )


class Addressing(zeep.Plugin):
    """What zeep's own addressing leaves out: the reply address, and that Action is understood."""

    def __init__(self, message_id: str) -> None:
        self._message_id = message_id

    def egress(self, envelope: Any, http_headers: Any, operation: Any, options: Any) -> Any:
        header = envelope.find(f"{{{SOAP}}}Header")
        header.find(f"{{{WSA}}}Action").set(f"{{{SOAP}}}mustUnderstand", "1")
        header.find(f"{{{WSA}}}MessageID").text = self._message_id
        reply_to = etree.SubElement(header, f"{{{WSA}}}ReplyTo")
        etree.SubElement(reply_to, f"{{{WSA}}}Address").text = f"{WSA}/anonymous"
        return envelope, http_headers


def call(job: dict[str, Any]) -> dict[str, Any]:
    session = requests.Session()
    session.trust_env = False  # else a bundle named there wins over the authority
    session.cert = (job["tls_certificate"], job["tls_key"])
    session.verify = job["authority"]
    client = zeep.Client(
        job["wsdl"],
        transport=Transport(session=session),
        wsse=Saml(job),
        plugins=[Addressing(job["message_id"])],
    )
    content = {
        "_value_1": list(etree.fromstring(job["content"])),
        "_attr_1": dict(job["attributes"]),
    }
    answer = client.service[job["operation"]](**content)
    if hasattr(answer, "attachments"):
        answer = answer.root
    return _read(
        job["operation"],
        [part for part in answer["_value_1"] if isinstance(part, etree._Element)],
    )


def _read(operation: str, elements: list[etree._Element]) -> dict[str, Any]:
    body = etree.Element("answer")
    body.extend(elements)
    if operation.endswith("PRPA_IN201305UV02"):
        patient = body.find(".//{*}subject1/{*}patient/{*}id")
        assert patient is not None
        home = body.find(".//{*}custodian/{*}assignedEntity/{*}id")
        assert home is not None
        return {
            "patient_id": f"{patient.get('extension')}^^^&{patient.get('root')}&ISO",
            "home": home.get("root"),
        }
    if operation.endswith("Query"):
        unique = body.find(f".//{{*}}ExternalIdentifier[@identificationScheme='{UNIQUE_ID}']")
        assert unique is not None
        repository = body.findtext(".//{*}Slot[@name='repositoryUniqueId']/{*}ValueList/{*}Value")
        return {"unique_id": unique.get("value"), "repository": repository}
    return {
        "unique_id": body.findtext(".//{*}DocumentUniqueId"),
        "mime_type": body.findtext(".//{*}mimeType"),
        # zeep has put the attachment where the include was.
        "attachments": [body.findtext(".//{*}Document")],
    }


def _coded(element: str, code: str, system: str) -> str:
    return (
        f'<hl7:{element} xmlns:hl7="urn:hl7-org:v3"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="hl7:CE"'
        f' code="{code}" codeSystem="{system}" displayName="{code}"/>'
    )


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


if __name__ == "__main__":
    print(json.dumps(call(json.load(sys.stdin))))
