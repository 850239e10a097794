"""Who took part in a document, an encounter or a service, and for whom (CDA R2: 4.2.2).

Every participation has one form: an element that says when and how, a role inside it, and in the
role a person, a device or an organization. Only the names of these elements differ.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from ccda.errors import MalformedXml
from ccda.hl7v3 import (
    CD,
    IVL,
    TS,
    read_ad,
    read_ii,
    read_ivl,
    read_pn,
    read_tel,
    text_of,
    v3,
)
from ccda.model import (
    ClinicalDocument,
    Device,
    Organization,
    Participant,
    Participations,
    ServiceEvent,
)
from ccda.namespaces import normalize
from ccda.narrative import Narrative
from ccda.safe_xml import Element, Limits, parse_for_names
from ccda.sections.statement import Children, children_of, first
from ccda.sections.widths import bounded

_NAME: Final = v3("name")
_BODY: Final = b"component"
_ROOT_TAG: Final = re.compile(rb"<((?:[\w.-]+:)?ClinicalDocument)[\s>]")
_BODY_TAG: Final = re.compile(rb"<(?:[\w.-]+:)?component[\s/>]")
_DEEP: Final = Limits(depth=2048)
"""What is cut off in the middle of what was never closed may nest deeper than the whole, which was
within the limits: as deep as libxml2 goes at all."""
NOTHING: Final[tuple[Element, ...]] = ()

# The type codes that CDA's schema fixes, or gives as the default, for each participation.
_TYPE_CODES: Final = {
    "author": "AUT",
    "dataEnterer": "ENT",
    "informant": "INF",
    "custodian": "CST",
    "informationRecipient": "PRCP",
    "legalAuthenticator": "LA",
    "authenticator": "AUTHEN",
    "responsibleParty": "RESP",
}
_IN_HEADER: Final = (
    "author", "dataEnterer", "informant", "custodian", "informationRecipient",
    "legalAuthenticator", "authenticator", "participant",
)  # fmt: skip
_ROLES: Final = (
    "assignedEntity", "assignedAuthor", "associatedEntity", "relatedEntity", "intendedRecipient",
    "assignedCustodian",
)  # fmt: skip
_PERSONS: Final = (
    "assignedPerson", "associatedPerson", "relatedPerson", "informationRecipient",
    "guardianPerson",
)  # fmt: skip
_ORGANIZATIONS: Final = (
    "representedOrganization", "scopingOrganization", "receivedOrganization",
    "representedCustodianOrganization", "guardianOrganization",
)  # fmt: skip


def read_participations(document: ClinicalDocument) -> Participations:
    """Everyone who took part, from the head that `document` keeps.

    A third of a parse would go into people whom most callers never ask for: they are read here.
    """
    children, narrative = _read_head(document)
    return Participations(
        tuple(
            read_participant(element, kind, narrative)
            for kind in _IN_HEADER
            for element in children.get(kind, NOTHING)
        ),
        tuple(_service_events(children, narrative)),
    )


def read_service_events(document: ClinicalDocument) -> tuple[ServiceEvent, ...]:
    """What the document tells of, with those who did it; no one else of the head is read."""
    return tuple(_service_events(*_read_head(document)))


def _read_head(document: ClinicalDocument) -> tuple[Children, Narrative]:
    closed = None if document.recovered else _closed(document.head)
    root, may_be_bare = closed or parse_for_names(document.head, limits=_DEEP, recover=True)
    for _ in normalize(root, may_be_bare, recovered=closed is None):
        pass  # told when the document was read
    return children_of(root), Narrative(root)


def _closed(head: bytes) -> tuple[Element, bool] | None:
    """The head, which ends where the body began, with its root closed; None where more is open.

    A forgiving parse closes whatever is open, and takes five times as long.
    """
    opened = _ROOT_TAG.search(head)
    try:
        return None if opened is None else parse_for_names(b"%b</%b>" % (head, opened[1]))
    except MalformedXml:
        return None


def head_of(xml: bytes) -> bytes:
    """The bytes before the body; all of them where it is not seen, as in UTF-16."""
    start, position = 0, xml.find(_BODY)
    while position >= 0:
        opened = xml.rfind(b"<", start, position)
        found = None if opened < 0 else _BODY_TAG.match(xml, opened)
        if found is not None and not _ends_in_comment(xml, start, opened):
            return xml[:opened]
        start, position = position, xml.find(_BODY, position + 1)
    return xml


def _ends_in_comment(xml: bytes, start: int, end: int) -> bool:
    comment = xml.rfind(b"<!--", start, end)
    return comment >= 0 and xml.find(b"-->", comment, end) < 0


def _service_events(children: Children, narrative: Narrative) -> Iterator[ServiceEvent]:
    for documented in children.get("documentationOf", NOTHING):
        element = first(documented, "serviceEvent")
        if element is not None:
            parts = children_of(element)
            performers = parts.get("performer", NOTHING)
            yield ServiceEvent(
                class_code=element.get("classCode"),
                ids=tuple([read_ii(one) for one in parts.get("id", NOTHING)]),
                code=_code(parts, "code", narrative),
                time=read_period(parts, "effectiveTime"),
                performers=tuple(
                    [read_participant(one, "performer", narrative) for one in performers]
                ),
            )


def read_participant(element: Element, kind: str, narrative: Narrative) -> Participant:
    """The participation `element`; `kind` is its name."""
    parts = children_of(element)
    signature = parts.get("signatureCode")
    return _participant(
        kind,
        _one(parts, _ROLES),
        narrative,
        type_code=element.get("typeCode") or _TYPE_CODES.get(kind),
        function=_code(parts, "functionCode", narrative),
        time=read_period(parts, "time"),
        signature=None if signature is None else signature[0].get("code"),
    )


def read_guardian(role: Element, narrative: Narrative) -> Participant:
    """patient/guardian, which is a role without a participation around it."""
    return _participant("guardian", role, narrative)


def _participant(
    kind: str,
    role: Element | None,
    narrative: Narrative,
    *,
    type_code: str | None = None,
    function: CD | None = None,
    time: IVL | None = None,
    signature: str | None = None,
) -> Participant:
    parts = {} if role is None else children_of(role)
    person, organization = _one(parts, _PERSONS), _one(parts, _ORGANIZATIONS)
    device = parts.get("assignedAuthoringDevice")
    names = NOTHING if person is None else person.iterchildren(_NAME)
    return Participant(
        kind,
        type_code,
        None if role is None else role.get("classCode"),
        function,
        time,
        signature,
        tuple([read_ii(one) for one in parts.get("id", NOTHING)]),
        _code(parts, "code", narrative),
        tuple([read_pn(name) for name in names]),
        tuple([read_ad(one) for one in parts.get("addr", NOTHING)]),
        tuple([read_tel(one) for one in parts.get("telecom", NOTHING)]),
        None if organization is None else read_organization(organization, narrative),
        None if device is None else _device(device[0], narrative),
    )


def _one(parts: Children, names: tuple[str, ...]) -> Element | None:
    """The child that has one of these names."""
    for name in names:
        if name in parts:
            return parts[name][0]
    return None


def _code(parts: Children, name: str, narrative: Narrative) -> CD | None:
    found = parts.get(name)
    return None if found is None else narrative.code(found[0])


def _device(element: Element, narrative: Narrative) -> Device:
    return Device(
        model=text_of(first(element, "manufacturerModelName")),
        software=text_of(first(element, "softwareName")),
        code=narrative.code(first(element, "code")),
    )


def read_organization(element: Element, narrative: Narrative, nested: int = 0) -> Organization:
    """The organization `element`, which stands as the whole in `nested` parts of it."""
    parts = children_of(element)
    whole = parts.get("asOrganizationPartOf")
    larger = None if whole is None else first(whole[0], "wholeOrganization")
    if larger is not None and narrative.is_too_deep(nested + 1):
        larger = None
    names = (text_of(name) for name in parts.get("name", NOTHING))
    return Organization(
        ids=tuple([read_ii(one) for one in parts.get("id", NOTHING)]),
        names=tuple([name for name in names if name]),
        addresses=tuple([read_ad(one) for one in parts.get("addr", NOTHING)]),
        telecoms=tuple([read_tel(one) for one in parts.get("telecom", NOTHING)]),
        industry=_code(parts, "standardIndustryClassCode", narrative),
        part_of=None if larger is None else read_organization(larger, narrative, nested + 1),
    )


def read_period(parts: Children, name: str) -> IVL | None:
    """A time as an interval; a point, which most are, is its `value`.

    A bound that is not written is what the width makes it, where it tells that.
    """
    found = parts.get(name)
    if found is None:
        return None
    element = found[0]
    value = element.get("value")
    if value and not len(element):
        return IVL(value=TS(value))
    period = read_ivl(element)
    if (width := first(element, "width")) is not None:
        amount, unit = width.get("value"), width.get("unit")
        low, high = bounded(period.low, period.high, amount, unit, period.value)
        period = replace(period, low=low, high=high)
    return None if period == IVL() else period
