"""Envelopes as they may be shown to whoever looks into a partner's trouble: form, and no data.

By allow-list: a text or attribute that is not known to be about nobody is replaced by a mark,
whatever a partner puts where.
"""

from typing import Final

from lxml import etree

from ccda.safe_xml import Element
from ihe.namespaces import name
from ihe.soap import parse_envelope

MARK: Final = "•••"
_V3: Final = "{urn:hl7-org:v3}"
_XSI_TYPE: Final = "{http://www.w3.org/2001/XMLSchema-instance}type"

_TEXTS: Final = frozenset(
    {
        *(name(f"wsa:{one}") for one in ("Action", "MessageID", "RelatesTo", "To", "Address")),
        *(name(f"wsu:{one}") for one in ("Created", "Expires")),
        name("soap:Value"),
    }
)
_TEXT_NAMES: Final = frozenset({"HomeCommunityId", "RepositoryUniqueId", "mimeType"})
_ATTRIBUTES: Final = frozenset(
    "root classCode moodCode determinerCode typeCode contextControlCode ITSVersion codeSystem "
    "codeSystemName use nullFlavor status errorCode severity location returnType "
    "returnComposedObjects objectType classificationScheme identificationScheme nodeRepresentation "
    "home mustUnderstand Algorithm URI Id ID Version ValueType EncodingType TokenType Name "
    "NameFormat Format Method AssertionID NotBefore NotOnOrAfter IssueInstant AuthnInstant "
    "href startIndex maxResults".split()
)
"""What says how a message is built, or which community, repository or code system is meant."""
_CODED: Final = frozenset(
    _V3 + one
    for one in (
        "typeCode", "queryResponseCode", "acceptAckCode", "processingCode", "processingModeCode",
        "statusCode", "responseModalityCode", "responsePriorityCode", "acknowledgementDetail",
        "PurposeOfUse", "PurposeForUse",
    )
)  # fmt: skip
"""HL7 V3 elements whose code says how an exchange went, or for which purpose it was."""
_NAMED: Final = frozenset({_V3 + "interactionId", _V3 + "typeId"})
_STORED_QUERY: Final = "{urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0}AdhocQuery"
_SLOT: Final = "{urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0}Slot"


def redact(envelope: bytes) -> str:
    """The envelope's XML, indented; what may be about a person is a mark.

    Raises:
        MalformedMessage, MessageTooLarge: it is no XML that we take.
    """
    root = parse_envelope(envelope)
    for element in root.iter(etree.Element):
        _redact_element(element)
    return _indented(root)


def indented(envelope: bytes) -> str:
    """The envelope's XML, indented, with all it says.

    Raises:
        MalformedMessage, MessageTooLarge: it is no XML that we take.
    """
    root = parse_envelope(envelope)
    for element in root.iter(etree.Element):
        element.text = (element.text or "").strip() or None
        element.tail = None
    return _indented(root)


def _redact_element(element: Element) -> None:
    local = etree.QName(element).localname
    is_shown = element.tag in _TEXTS or local in _TEXT_NAMES
    text = (element.text or "").strip()
    element.text = (text if is_shown else MARK) if text else None
    element.tail = MARK if (element.tail or "").strip() else None
    for key in element.attrib:
        if not _is_shown(element, key):
            element.set(key, MARK)


def _is_shown(element: Element, key: str) -> bool:
    local = key.rpartition("}")[2]
    if key == _XSI_TYPE or local in _ATTRIBUTES:
        return True
    if local == "code":
        return element.tag in _CODED
    if local == "extension":
        return element.tag in _NAMED
    if local == "id":
        return element.tag == _STORED_QUERY
    return local == "name" and element.tag == _SLOT


def _indented(root: Element) -> str:
    etree.indent(root, "  ")
    return etree.tostring(root, encoding="unicode")
