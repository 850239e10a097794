"""What ITI-55 answers of a person: matches, requests for more, problems (ITI TF-2: 3.55.4.2)."""

from collections.abc import Iterator
from itertools import chain
from typing import Final, assert_never, get_args

from ccda.hl7v3 import II, text_of, v3
from ccda.hl7v3_writing import Written, append, write_ii
from ccda.safe_xml import Element
from ihe.demographics import read_person, write_person
from ihe.discovery import (
    Discovery,
    Match,
    Matched,
    MoreDemographicsRequested,
    NoMatch,
    RequestedAttribute,
)
from ihe.errors import CommunityCouldNotAnswer, MalformedMessage
from ihe.identifiers import HomeCommunityId, PatientId
from ihe.v3_message import (
    child,
    code_at,
    demand,
    demanded_ii,
    home_community,
    ii_at,
    read_oid,
    whole_number,
    write_integer,
)

_LOCATOR: Final = "1.3.6.1.4.1.19376.1.2.27.2"
_REQUESTED: Final = "1.3.6.1.4.1.19376.1.2.27.1"
_PROBLEM: Final = "1.3.6.1.4.1.19376.1.2.27.3"
_ISSUES: Final = "2.16.840.1.113883.5.4"

# Quirk: `PatientAdressRequested`; CONNECT writes it so to this day.
_SPELLINGS: Final[dict[str, RequestedAttribute]] = {
    **{name.lower(): name for name in get_args(RequestedAttribute)},
    "patientadressrequested": "PatientAddressRequested",
}


# ---- reading ---------------------------------------------------------------------------------


def read_answer(message: Element, act: Element, community: HomeCommunityId | None) -> Discovery:
    acknowledged = code_at(message, "acknowledgement/typeCode")
    answer = code_at(act, "queryAck/queryResponseCode")
    registrations = act.findall(f"{v3('subject')}/{v3('registrationEvent')}")
    if registrations and answer == "NF":
        raise MalformedMessage("the answer says not found and names a person")
    if registrations:
        return _read_matches(registrations, community)
    requested = tuple(_requested_codes(act))
    if requested:
        known = tuple(_SPELLINGS[code.lower()] for code in requested if code.lower() in _SPELLINGS)
        others = tuple(code for code in requested if code.lower() not in _SPELLINGS)
        return MoreDemographicsRequested(known, others)
    if acknowledged in {"AE", "AR", "CE", "CR"} or answer in {"AE", "QE"}:
        raise CommunityCouldNotAnswer(_problem(message, act))
    if acknowledged is None and answer is None:
        raise MalformedMessage("the answer neither acknowledges nor answers")
    return NoMatch()


def _read_matches(registrations: list[Element], community: HomeCommunityId | None) -> Matched:
    """Every match that can be used; that some cannot is said, that none can is refused."""
    matches: list[Match] = []
    problem: MalformedMessage | None = None
    for registration in registrations:
        try:
            matches.append(_read_match(registration, community))
        except MalformedMessage as error:
            problem = error
    if problem is not None and not matches:
        raise problem
    return Matched(tuple(matches), unreadable=len(registrations) - len(matches))


def _requested_codes(act: Element) -> Iterator[str]:
    issues = act.iterfind(f"{v3('reasonOf')}/{v3('detectedIssueEvent')}")
    for required in (node for issue in issues for node in issue.iter(v3("actOrderRequired"))):
        if code := code_at(required, "code"):
            yield code


def _problem(message: Element, act: Element) -> str | None:
    """The problem by its code, best first: the issue's management, else the acknowledgement's."""
    for management in act.iter(v3("detectedIssueManagement")):
        if code := code_at(management, "code"):
            return code
    detail = child(message, "acknowledgement/acknowledgementDetail")
    return None if detail is None else code_at(detail, "code") or text_of(child(detail, "text"))


def _read_match(registration: Element, community: HomeCommunityId | None) -> Match:
    patient = demand(registration, "subject1/patient")
    custodian = child(registration, "custodian/assignedEntity")
    holder = None if custodian is None else ii_at(custodian, "id")
    home = (None if holder is None else home_community(holder.root)) or community
    if home is None:
        raise MalformedMessage("a match names no home community")
    identifier = demanded_ii(patient, "id")
    authority = read_oid(identifier)
    if authority is None or not identifier.extension:
        raise MalformedMessage("a match has no patient id that could be asked for")
    degree = child(patient, "subjectOf1/queryMatchObservation/value")
    locator = None if custodian is None else code_at(custodian, "code")
    return Match(
        patient_id=PatientId(identifier.extension, authority),
        home_community_id=home,
        demographics=read_person(patient),
        degree=None if degree is None else whole_number(degree.get("value") or degree.text),
        supports_locator=locator == "SupportsHealthDataLocator",
    )


# ---- writing ---------------------------------------------------------------------------------


def write_answer(act: Written, discovery: Discovery | CommunityCouldNotAnswer) -> str:
    """Write what was found, and say its queryResponseCode (ITI TF-2: 3.55.4.2.3)."""
    match discovery:
        case Matched(matches=matches):
            if not matches:
                raise ValueError("Matched means that there is a match")
            for each in matches:
                _write_match(act, each)
            return "OK"
        case MoreDemographicsRequested():
            _write_requested(act, discovery)
            return "OK"
        case NoMatch():
            return "NF"
        case CommunityCouldNotAnswer():
            if discovery.problem is not None:
                mitigation = append(_write_issue(act), "mitigatedBy", typeCode="MITGT")
                management = append(
                    mitigation, "detectedIssueManagement", classCode="ACT", moodCode="EVN"
                )
                append(management, "code", code=discovery.problem, codeSystem=_PROBLEM)
            return "AE"
        case _:
            assert_never(discovery)


def _write_requested(act: Written, more: MoreDemographicsRequested) -> None:
    issue = _write_issue(act)
    for code in chain(more.attributes, more.others):
        trigger = append(issue, "triggerFor", typeCode="TRIG")
        order = append(trigger, "actOrderRequired", classCode="ACT", moodCode="RQO")
        append(order, "code", code=code, codeSystem=_REQUESTED)


def _write_issue(act: Written) -> Written:
    reason = append(act, "reasonOf", typeCode="RSON")
    issue = append(reason, "detectedIssueEvent", classCode="ALRT", moodCode="EVN")
    append(issue, "code", code="ActAdministrativeDetectedIssueCode", codeSystem=_ISSUES)
    return issue


def _write_match(act: Written, match: Match) -> None:
    subject = append(act, "subject", typeCode="SUBJ")
    registration = append(subject, "registrationEvent", classCode="REG", moodCode="EVN")
    append(registration, "id", nullFlavor="NA")
    append(registration, "statusCode", code="active")
    about = append(registration, "subject1", typeCode="SBJ")
    patient = append(about, "patient", classCode="PAT")
    write_ii(patient, "id", II(str(match.patient_id.authority), match.patient_id.id))
    append(patient, "statusCode", code="active")
    write_person(patient, match.demographics)
    observation = append(
        append(patient, "subjectOf1"), "queryMatchObservation", classCode="COND", moodCode="EVN"
    )
    append(observation, "code", code="IHE_PDQ")
    write_integer(observation, match.degree)
    custodian = append(registration, "custodian", typeCode="CST")
    entity = append(custodian, "assignedEntity", classCode="ASSIGNED")
    append(entity, "id", root=str(match.home_community_id))
    locator = "SupportsHealthDataLocator" if match.supports_locator else "NotHealthDataLocator"
    append(entity, "code", code=locator, codeSystem=_LOCATOR)
