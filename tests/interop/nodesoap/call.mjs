// One call of node-soap, made from a `?wsdl` alone: a job in JSON on stdin, what it read on stdout.
import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { randomUUID } from 'node:crypto';
import soap from 'soap';
import { SignedXml } from 'xml-crypto';

const WSS = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-';
const [WSSE, WSU] = [`${WSS}secext-1.0.xsd`, `${WSS}utility-1.0.xsd`];
const WSA = 'http://www.w3.org/2005/08/addressing';
const SAML = 'urn:oasis:names:tc:SAML:2.0:assertion';
const DS = 'http://www.w3.org/2000/09/xmldsig#';
const EXCLUSIVE = 'http://www.w3.org/2001/10/xml-exc-c14n#';
const RSA_SHA256 = 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256';
const SHA256 = 'http://www.w3.org/2001/04/xmlenc#sha256';
const UNIQUE_ID = 'urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab';

const job = JSON.parse(readFileSync(0, 'utf8'));
const key = readFileSync(job.signing_key, 'utf8');
const certificate = readFileSync(job.signing_certificate, 'utf8');
const httpsAgent = new Agent({
  key: readFileSync(job.tls_key),
  cert: readFileSync(job.tls_certificate),
  ca: readFileSync(job.authority),
});

// ---- SAML ------------------------------------------------------------------------------------

/** node-soap's security seam: it is handed the envelope last, and puts the header in. */
const saml = {
  addOptions(options) {
    options.httpsAgent = httpsAgent;
  },
  toXML: () => '',
  postProcess(envelope, prefix) {
    const now = new Date();
    const assertion = signedAssertion(now);
    const timestamp = timestampOf(now);
    const header =
      `<wsse:Security xmlns:wsse="${WSSE}" ${prefix}:mustUnderstand="1">` +
      `${timestamp.xml}${assertion.xml}${signatureOver(timestamp, assertion.id)}</wsse:Security>`;
    return envelope.replace(`</${prefix}:Header>`, `${header}</${prefix}:Header>`);
  },
};

function timestampOf(now) {
  const id = `TS-${randomUUID()}`;
  const expires = new Date(now.getTime() + 300_000);
  const xml =
    `<wsu:Timestamp xmlns:wsu="${WSU}" wsu:Id="${id}"><wsu:Created>${now.toISOString()}` +
    `</wsu:Created><wsu:Expires>${expires.toISOString()}</wsu:Expires></wsu:Timestamp>`;
  return { id, xml };
}

function signedAssertion(now) {
  const id = `_${randomUUID()}`;
  const name = 'urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName';
  const bare = certificate.split('-----')[2].replace(/\s/g, '');
  const at = (minutes) => new Date(now.getTime() + minutes * 60_000).toISOString();
  const unsigned =
    `<saml2:Assertion xmlns:saml2="${SAML}" ID="${id}" Version="2.0" IssueInstant="${at(0)}">` +
    `<saml2:Issuer Format="${name}">CN=node-soap</saml2:Issuer>` +
    `<saml2:Subject><saml2:NameID Format="${name}">CN=node-soap</saml2:NameID>` +
    '<saml2:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:holder-of-key">' +
    `<saml2:SubjectConfirmationData><ds:KeyInfo xmlns:ds="${DS}"><ds:X509Data>` +
    `<ds:X509Certificate>${bare}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>` +
    '</saml2:SubjectConfirmationData></saml2:SubjectConfirmation></saml2:Subject>' +
    `<saml2:Conditions NotBefore="${at(-1)}" NotOnOrAfter="${at(5)}"/>` +
    `<saml2:AuthnStatement AuthnInstant="${at(0)}"><saml2:AuthnContext>` +
    '<saml2:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:X509' +
    '</saml2:AuthnContextClassRef></saml2:AuthnContext></saml2:AuthnStatement>' +
    `<saml2:AttributeStatement>${attributes()}</saml2:AttributeStatement></saml2:Assertion>`;
  const signer = new SignedXml({ privateKey: key, publicCert: certificate, idAttributes: ['ID'] });
  const xpath = `//*[local-name(.)='Assertion']`;
  sign(signer, xpath, ['http://www.w3.org/2000/09/xmldsig#enveloped-signature', EXCLUSIVE]);
  signer.computeSignature(unsigned, {
    prefix: 'ds',
    location: { reference: `//*[local-name(.)='Issuer']`, action: 'after' },
  });
  return { id, xml: signer.getSignedXml() };
}

function attributes() {
  const user = job.user;
  const subject = 'urn:oasis:names:tc:xspa:1.0:subject';
  const values = {
    [`${subject}:subject-id`]: user['user.name'],
    [`${subject}:organization`]: user['user.organization'],
    [`${subject}:organization-id`]: user['own.home'],
    'urn:nhin:names:saml:homeCommunityId': user['own.home'],
    'urn:oasis:names:tc:xacml:2.0:subject:role': coded(
      'Role', user['user.role'], '2.16.840.1.113883.6.96'),
    [`${subject}:purposeofuse`]: coded(
      'PurposeOfUse', user['user.purpose'], '2.16.840.1.113883.3.18.7.1'),
  };
  return Object.entries(values)
    .map(([name, value]) =>
      `<saml2:Attribute Name="${name}"><saml2:AttributeValue>${value}</saml2:AttributeValue>` +
      '</saml2:Attribute>')
    .join('');
}

function coded(element, code, system) {
  return `<hl7:${element} xmlns:hl7="urn:hl7-org:v3" code="${code}" codeSystem="${system}"/>`;
}

function signatureOver(timestamp, assertionId) {
  const profile = 'http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#';
  const signer = new SignedXml({
    idMode: 'wssecurity',
    privateKey: key,
    getKeyInfoContent: () =>
      `<wsse:SecurityTokenReference xmlns:wsse="${WSSE}"><wsse:KeyIdentifier ` +
      `ValueType="${profile}SAMLID">${assertionId}</wsse:KeyIdentifier>` +
      '</wsse:SecurityTokenReference>',
  });
  sign(signer, `//*[local-name(.)='Timestamp']`, [EXCLUSIVE]);
  signer.computeSignature(timestamp.xml, { prefix: 'ds' });
  return signer.getSignatureXml();
}

function sign(signer, xpath, transforms) {
  signer.signatureAlgorithm = RSA_SHA256;
  signer.canonicalizationAlgorithm = EXCLUSIVE;
  signer.addReference({ xpath, transforms, digestAlgorithm: SHA256 });
}

// ---- the call --------------------------------------------------------------------------------

const client = await soap.createClientAsync(job.wsdl, {
  forceSoap12Headers: true,
  parseReponseAttachments: true,
  wsdl_options: { httpsAgent },
});
client.setSecurity(saml);
client.setEndpoint(job.address);
client.addSoapHeader(
  `<wsa:Action xmlns:wsa="${WSA}" soap:mustUnderstand="1">${job.action}</wsa:Action>` +
  `<wsa:To xmlns:wsa="${WSA}">${job.address}</wsa:To>` +
  `<wsa:MessageID xmlns:wsa="${WSA}">${job.message_id}</wsa:MessageID>` +
  `<wsa:ReplyTo xmlns:wsa="${WSA}"><wsa:Address>${WSA}/anonymous</wsa:Address></wsa:ReplyTo>`);
// The WSDL leaves the content open, so it is handed over as it is, in the root that the WSDL names.
const [service] = Object.values(client.wsdl.definitions.services);
const [port] = Object.values(service.ports);
const root = port.binding.methods[job.operation].input.$name;
const [, namespaces, children] = /^<holder([^>]*)>([\s\S]*)<\/holder>$/.exec(job.content);
const attributed = Object.entries(job.attributes).map(([name, value]) => ` ${name}="${value}"`);
const [result, , , , attached] = await client[`${job.operation}Async`]({
  _xml: `<${root}${namespaces}${attributed.join('')}>${children}</${root}>`,
});
console.log(JSON.stringify({
  ...read(result),
  attachments: (attached?.parts ?? []).map((part) => Buffer.from(part.body).toString('base64')),
}));

// ---- what node-soap read ---------------------------------------------------------------------

function read(answer) {
  if (job.operation.endsWith('PRPA_IN201305UV02')) {
    const event = one(answer.controlActProcess.subject).registrationEvent;
    const id = event.subject1.patient.id.attributes;
    return {
      patient_id: `${id.extension}^^^&${id.root}&ISO`,
      home: event.custodian.assignedEntity.id.attributes.root,
    };
  }
  if (job.operation.endsWith('Query')) {
    const entry = one(answer.RegistryObjectList.ExtrinsicObject);
    const unique = entry.ExternalIdentifier.find(
      (id) => id.attributes.identificationScheme === UNIQUE_ID);
    const repository = entry.Slot.find((slot) => slot.attributes.name === 'repositoryUniqueId');
    return { unique_id: unique.attributes.value, repository: repository.ValueList.Value };
  }
  const document = one(answer.DocumentResponse);
  return { unique_id: document.DocumentUniqueId, mime_type: document.mimeType };
}

function one(found) {
  return Array.isArray(found) ? found[0] : found;
}
