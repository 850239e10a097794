"""Clients that know nothing of us but our `?wsdl`: zeep in a process of its own, and node-soap."""

import hashlib
import json
import subprocess
import sys
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from tests.installs import fingerprint, require, run_until_done
from tests.interop import facts
from tests.interop.certificates import Certificates
from tests.interop.peer import Addresses

_HERE: Final = Path(__file__).parent
_NODE_SOAP: Final = _HERE / "nodesoap"
_SECONDS: Final = 120


def build() -> None:
    """Makes node-soap ready.

    Raises:
        Unavailable: there is no npm, or a download failed every time.
    """
    require("make interop", {"npm": "Node.js 20, with npm"})
    installed = _NODE_SOAP / "node_modules" / ".made-from"
    wanted = fingerprint(_NODE_SOAP, ["package.json", "package-lock.json", ".npmrc"])
    if not installed.is_file() or installed.read_text() != wanted:
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        run_until_done(command, folder=_NODE_SOAP)
        installed.write_text(wanted)


@dataclass(frozen=True, slots=True)
class Message:
    """A body as a client is handed it: an operation of the WSDL, and what its root holds."""

    door: str
    operation: str
    action: str
    attributes: Mapping[str, str]
    content: str


@dataclass(frozen=True, slots=True)
class WsdlClient:
    """One of the two programs, over mutual TLS as the initiator."""

    command: tuple[str, ...]
    certificates: Certificates

    def call(self, message: Message, addresses: Addresses) -> Mapping[str, Any]:
        """What the program read in the answer; `attachments` are SHA-256 of what came beside it."""
        party = self.certificates.initiator
        address = addresses.discovery if message.door == "xcpd" else addresses.query
        job = {
            "wsdl": f"{address}?wsdl",
            "address": address,
            "operation": message.operation,
            "action": message.action,
            "attributes": message.attributes,
            "content": message.content,
            "message_id": f"urn:uuid:{uuid4()}",
            "authority": str(self.certificates.authority),
            "tls_key": str(party.tls.key),
            "tls_certificate": str(party.tls.certificate),
            "signing_key": str(party.signing.key),
            "signing_certificate": str(party.signing.certificate),
            "user": {name: facts.INITIATOR[name] for name in facts.INITIATOR},
        }
        run = subprocess.run(
            self.command,
            input=json.dumps(job),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            cwd=_HERE.parents[1],
            check=False,
        )
        assert run.returncode == 0, run.stderr[-3000:]
        answer: dict[str, Any] = json.loads(run.stdout)
        return answer


def zeep_client(certificates: Certificates) -> WsdlClient:
    return WsdlClient((sys.executable, "-m", "tests.interop.zeep_client"), certificates)


def node_soap(certificates: Certificates) -> WsdlClient:
    return WsdlClient(("node", str(_NODE_SOAP / "call.mjs")), certificates)


CLIENTS: Final[Mapping[str, Callable[[Certificates], WsdlClient]]] = {
    "zeep": zeep_client,
    "node-soap": node_soap,
}


def digest_of(attachment: str) -> str:
    """SHA-256 of an attachment in base64."""
    return hashlib.sha256(b64decode(attachment)).hexdigest()


# ---- what is asked ---------------------------------------------------------------------------


def discovery() -> Message:
    """ITI-55 for the patient of facts.py."""
    device = (
        '<device classCode="DEV" determinerCode="INSTANCE"><id root="{home}.1"/>'
        '<asAgent classCode="AGNT"><representedOrganization classCode="ORG"'
        ' determinerCode="INSTANCE"><id root="{home}"/></representedOrganization></asAgent>'
        "</device>"
    )
    asking = facts.INITIATOR_HOME.removeprefix("urn:oid:")
    asked = facts.GATEWAY_HOME.removeprefix("urn:oid:")
    person = facts.PATIENT
    content = f"""\
<id root="{_oid()}"/><creationTime value="20260101000000+0000"/>
<interactionId root="2.16.840.1.113883.1.6" extension="PRPA_IN201305UV02"/>
<processingCode code="T"/><processingModeCode code="T"/><acceptAckCode code="AL"/>
<receiver typeCode="RCV">{device.format(home=asked)}</receiver>
<sender typeCode="SND">{device.format(home=asking)}</sender>
<controlActProcess classCode="CACT" moodCode="EVN">
  <code code="PRPA_TE201305UV02" codeSystem="2.16.840.1.113883.1.6"/>
  <authorOrPerformer typeCode="AUT">
    <assignedDevice classCode="ASSIGNED"><id root="{asking}"/></assignedDevice>
  </authorOrPerformer>
  <queryByParameter>
    <queryId root="{_oid()}"/><statusCode code="new"/>
    <responseModalityCode code="R"/><responsePriorityCode code="I"/>
    <parameterList>
      <livingSubjectAdministrativeGender>
        <value code="{person["patient.gender"]}" codeSystem="2.16.840.1.113883.5.1"/>
        <semanticsText>LivingSubject.administrativeGender</semanticsText>
      </livingSubjectAdministrativeGender>
      <livingSubjectBirthTime>
        <value value="{person["patient.birth"]}"/>
        <semanticsText>LivingSubject.birthTime</semanticsText>
      </livingSubjectBirthTime>
      <livingSubjectName>
        <value><family>{person["patient.family"]}</family><given>{person["patient.given"]}</given></value>
        <semanticsText>LivingSubject.name</semanticsText>
      </livingSubjectName>
      <patientAddress>
        <value><streetAddressLine>{person["patient.street"]}</streetAddressLine>
          <city>{person["patient.city"]}</city><state>{person["patient.state"]}</state>
          <postalCode>{person["patient.zip"]}</postalCode></value>
        <semanticsText>Patient.addr</semanticsText>
      </patientAddress>
      <patientTelecom>
        <value use="HP" value="{person["patient.telecom"]}"/>
        <semanticsText>Patient.telecom</semanticsText>
      </patientTelecom>
    </parameterList>
  </queryByParameter>
</controlActProcess>"""
    return Message(
        "xcpd",
        "RespondingGateway_PRPA_IN201305UV02",
        "urn:hl7-org:v3:PRPA_IN201305UV02:CrossGatewayPatientDiscovery",
        {"ITSVersion": "XML_1.0"},
        f'<holder xmlns="urn:hl7-org:v3">{content}</holder>',
    )


def find_documents(patient_id: str) -> Message:
    """ITI-38 for all documents of a patient in CX."""
    patient = patient_id.replace("&", "&amp;")
    types = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
    slots = {
        "$XDSDocumentEntryPatientId": f"'{patient}'",
        "$XDSDocumentEntryStatus": "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')",
        "$XDSDocumentEntryType": f"('{types}')",
    }
    written = "".join(
        f'<rim:Slot name="{name}"><rim:ValueList><rim:Value>{value}</rim:Value></rim:ValueList>'
        "</rim:Slot>"
        for name, value in slots.items()
    )
    return Message(
        "xca",
        "RespondingGateway_CrossGatewayQuery",
        "urn:ihe:iti:2007:CrossGatewayQuery",
        {},
        '<holder xmlns="urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"'
        ' xmlns:rim="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0">'
        '<ResponseOption returnComposedObjects="true" returnType="LeafClass"/>'
        '<rim:AdhocQuery id="urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"'
        f' home="{facts.GATEWAY_HOME}">{written}</rim:AdhocQuery></holder>',
    )


def retrieve(repository: str, unique_id: str) -> Message:
    """ITI-39 for one document."""
    return Message(
        "xca",
        "RespondingGateway_CrossGatewayRetrieve",
        "urn:ihe:iti:2007:CrossGatewayRetrieve",
        {},
        '<holder xmlns="urn:ihe:iti:xds-b:2007"><DocumentRequest>'
        f"<HomeCommunityId>{facts.GATEWAY_HOME}</HomeCommunityId>"
        f"<RepositoryUniqueId>{repository}</RepositoryUniqueId>"
        f"<DocumentUniqueId>{unique_id}</DocumentUniqueId></DocumentRequest></holder>",
    )


def _oid() -> str:
    return f"2.25.{uuid4().int}"
