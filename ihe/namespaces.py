"""The namespaces of an envelope and of what its headers hold, each under one prefix."""

from functools import cache
from typing import Final

from ccda.safe_xml import Element

SOAP: Final = "http://www.w3.org/2003/05/soap-envelope"
SOAP_1_1: Final = "http://schemas.xmlsoap.org/soap/envelope/"
WSA: Final = "http://www.w3.org/2005/08/addressing"
WSSE: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
WSSE11: Final = "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd"
DS: Final = "http://www.w3.org/2000/09/xmldsig#"
DSIG11: Final = "http://www.w3.org/2009/xmldsig11#"
EXCLUSIVE: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
SAML: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
XOP: Final = "http://www.w3.org/2004/08/xop/include"
HL7: Final = "urn:hl7-org:v3"
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
XS: Final = "http://www.w3.org/2001/XMLSchema"

PREFIXES: Final = {
    "soap": SOAP,
    "wsa": WSA,
    "wsse": WSSE,
    "wsu": WSU,
    "wsse11": WSSE11,
    "ds": DS,
    "dsig11": DSIG11,
    "ec": EXCLUSIVE,
    "saml2": SAML,
    "hl7": HL7,
    "xsi": XSI,
    "xs": XS,
}


@cache
def name(prefixed: str) -> str:
    """`wsu:Created` as lxml spells it: `{namespace}Created`."""
    prefix, _, local = prefixed.partition(":")
    return f"{{{PREFIXES[prefix]}}}{local}"


def children(parent: Element, prefixed: str) -> list[Element]:
    """The children of that name: `findall`, in a third of the time, for every message is asked."""
    return list(parent.iterchildren(name(prefixed)))


def child(parent: Element, prefixed: str) -> Element | None:
    """The first child of that name."""
    return next(parent.iterchildren(name(prefixed)), None)


def spaces(*prefixes: str) -> dict[str | None, str]:
    """The declarations of `prefixes`, as lxml takes them."""
    return {prefix: PREFIXES[prefix] for prefix in prefixes}
