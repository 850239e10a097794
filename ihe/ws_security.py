"""The Security header, made (WSS 1.1.1, SAML Token Profile 1.1; DECISIONS 3 and 4).

A request carries the assertion, a Timestamp, and the Timestamp's Signature by the key that the
assertion names. An answer carries a signed Timestamp and confirms the request's signatures.
`sign_request` works on any envelope whose addressing and body are in place, zeep's as well as
ours; how a header is checked is in `ws_verification`.
"""

import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final
from xml.sax.saxutils import escape

from cryptography import x509
from lxml import etree

from ccda.safe_xml import Element
from ihe.key_info import write_certificate, write_key_info
from ihe.namespaces import PREFIXES, SOAP, WSA, WSSE, WSSE11, WSU, name, spaces
from ihe.saml import Assertion, write_time
from ihe.saml_writing import AssertionStyle, write_assertion
from ihe.signature import Digest, sign_detached, sign_enveloped, write_signature
from ihe.trust import SigningKey

# Five minutes proved too short for partners that retry with the same envelope.
DEFAULT_LIFETIME: Final = timedelta(minutes=10)

_TOKEN_PROFILE: Final = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#"  # noqa: S105 (a namespace)
_SAML_TOKEN: Final = f"{_TOKEN_PROFILE}SAMLV2.0"
_SAML_ID: Final = f"{_TOKEN_PROFILE}SAMLID"
_WSS_2004: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
X509_TOKEN: Final = f"{_WSS_2004}x509-token-profile-1.0#X509v3"
_BASE64: Final = f"{_WSS_2004}soap-message-security-1.0#Base64Binary"

# Of an answer, beside what differs from one to the next.
_SECURITY: Final = (
    f'<wsse:Security xmlns:wsse="{WSSE}" xmlns:wsse11="{WSSE11}" xmlns:wsu="{WSU}"'
    ' soap:mustUnderstand="1">'
)
_TOKEN: Final = (
    f'<wsse:BinarySecurityToken EncodingType="{_BASE64}" ValueType="{X509_TOKEN}"'
    ' wsu:Id="{identifier}">{content}</wsse:BinarySecurityToken>'
)
_TOKEN_REFERENCE: Final = (
    "<ds:KeyInfo><wsse:SecurityTokenReference>"
    f'<wsse:Reference URI="#{{identifier}}" ValueType="{X509_TOKEN}"/>'
    "</wsse:SecurityTokenReference></ds:KeyInfo>"
)
"""The Timestamp's key is that of a certificate beside it (WSS X.509 1.1: 3.2.2)."""
_QUOTE: Final = {'"': "&quot;"}

_MUST_UNDERSTAND: Final = name("soap:mustUnderstand")
_WSU_ID: Final = name("wsu:Id")


def sign_request(
    envelope: Element,
    *,
    assertion: Assertion,
    signing_key: SigningKey,
    now: datetime,
    lifetime: timedelta = DEFAULT_LIFETIME,
    style: AssertionStyle = AssertionStyle(),  # noqa: B008 - frozen
    digest: Digest = "sha256",
) -> tuple[str, ...]:
    """Puts a signed Security header into an envelope that is complete otherwise.

    A holder-of-key assertion names the key that signs the Timestamp; beside one for whoever bears
    it that key's certificate stands in a token of its own. `digest` is SHA-1 only where an
    operator's exception says so.

    Returns the SignatureValues, the Timestamp's first: the answer must confirm that one. Nothing
    under a signature may be touched afterwards; writing the tree out does not.

    Raises:
        ValueError: the envelope has no header, or declares our prefixes for something else; or
            SHA-1 is asked for, and our key is not RSA.
    """
    security = _add_security(envelope)
    certificate = signing_key.certificate
    unsigned = write_assertion(
        assertion,
        holder=certificate.subject.rfc4514_string(),
        key_info=write_key_info(certificate, with_key_value=True),
        resource=envelope.findtext(f"{name('soap:Header')}/{name('wsa:To')}", ""),
        style=style,
    )
    timestamp = _write_timestamp(now, lifetime)
    if style.confirmation == "bearer":
        token_id = _new_id("X509")
        security.append(_write_token(certificate, token_id))
        reference = _refer_to_token(token_id)
    else:
        reference = _refer_to_assertion(assertion.id)
    signature = sign_detached(timestamp, signing_key, reference, digest)
    security.append(timestamp)
    signed = sign_enveloped(unsigned, signing_key, digest)
    security.append(signed)
    security.append(signature)
    return _signature_value(security), _signature_value(signed)


def answer_security(
    *,
    confirmations: Iterable[str] | None,
    signing_key: SigningKey | None,
    now: datetime,
    lifetime: timedelta = DEFAULT_LIFETIME,
) -> str:
    """The Security header of an answer or fault, as text for `write_answer` (DECISIONS 4).

    It confirms each signature of the request, or says with an empty confirmation that there was
    none (WSS 1.1: 8.5); None is for a fault to a request that could not be read. Without
    `signing_key` the Timestamp is not signed.
    """
    timestamp_id, token_id = _new_id("TS"), _new_id("X509")
    # In its canonical form: it is digested as it stands here.
    timestamp = (
        f'<wsu:Timestamp xmlns:wsu="{WSU}" wsu:Id="{timestamp_id}">'
        f"<wsu:Created>{write_time(now)}</wsu:Created>"
        f"<wsu:Expires>{write_time(now + lifetime)}</wsu:Expires></wsu:Timestamp>"
    )
    parts = [timestamp]
    if signing_key is not None:
        reference = _TOKEN_REFERENCE.format(identifier=token_id)
        token = _TOKEN.format(
            identifier=token_id, content=write_certificate(signing_key.certificate)
        )
        signature = write_signature(timestamp.encode(), timestamp_id, signing_key, reference)
        parts = [token, timestamp, signature]
    for value in () if confirmations is None else (tuple(confirmations) or (None,)):
        confirmed = "" if value is None else f' Value="{escape(value, _QUOTE)}"'
        parts.append(f'<wsse11:SignatureConfirmation wsu:Id="{_new_id("SC")}"{confirmed}/>')
    return f"{_SECURITY}{''.join(parts)}</wsse:Security>"


def _add_security(envelope: Element) -> Element:
    header = envelope.find(name("soap:Header"))
    if header is None:
        raise ValueError("the envelope has no header")
    # lxml renames a prefix when an element moves under another one for the same namespace, and
    # the name is part of what was signed.
    for prefix, namespace in header.nsmap.items():
        ours = namespace in PREFIXES.values() and namespace not in (SOAP, WSA)
        if ours and PREFIXES.get(prefix or "") != namespace:
            raise ValueError("the envelope declares a namespace of ours under another prefix")
    security = etree.SubElement(header, name("wsse:Security"), nsmap=spaces("wsse", "wsu"))
    security.set(_MUST_UNDERSTAND, "1")
    return security


def _write_timestamp(now: datetime, lifetime: timedelta) -> Element:
    timestamp = etree.Element(name("wsu:Timestamp"), {_WSU_ID: _new_id("TS")}, nsmap=spaces("wsu"))
    etree.SubElement(timestamp, name("wsu:Created")).text = write_time(now)
    etree.SubElement(timestamp, name("wsu:Expires")).text = write_time(now + lifetime)
    return timestamp


def _refer_to_assertion(assertion_id: str) -> Element:
    """The Timestamp's key is the assertion's (WSS SAML 1.1: 3.4)."""
    key_info, reference = _token_reference()
    reference.set(name("wsse11:TokenType"), _SAML_TOKEN)
    identifier = etree.SubElement(reference, name("wsse:KeyIdentifier"), {"ValueType": _SAML_ID})
    identifier.text = assertion_id
    return key_info


def _refer_to_token(token_id: str) -> Element:
    key_info, reference = _token_reference()
    etree.SubElement(
        reference, name("wsse:Reference"), {"URI": f"#{token_id}", "ValueType": X509_TOKEN}
    )
    return key_info


def _token_reference() -> tuple[Element, Element]:
    key_info = etree.Element(name("ds:KeyInfo"), nsmap=spaces("ds"))
    reference = etree.SubElement(
        key_info, name("wsse:SecurityTokenReference"), nsmap=spaces("wsse", "wsse11")
    )
    return key_info, reference


def _write_token(certificate: x509.Certificate, token_id: str) -> Element:
    token = etree.Element(
        name("wsse:BinarySecurityToken"),
        {"EncodingType": _BASE64, "ValueType": X509_TOKEN, _WSU_ID: token_id},
        nsmap=spaces("wsse", "wsu"),
    )
    token.text = write_certificate(certificate)
    return token


def _new_id(kind: str) -> str:
    return f"{kind}-{secrets.token_hex(16)}"


def _signature_value(parent: Element) -> str:
    path = f"{name('ds:Signature')}/{name('ds:SignatureValue')}"
    return "".join((parent.findtext(path) or "").split())
