"""What ITI-55 answers of a person: matches, requests for more, problems (ITI TF-2: 3.55.4.2)."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import Final, assert_never, get_args

from ccda.hl7v3 import II, US_SSN, read_iis, text_of, v3
from ccda.hl7v3_writing import Written, append, write_ii
from ccda.safe_xml import Element
from ihe.demographics import read_person, write_person
from ihe.discovery import (
    Demographics,
    Discovery,
    Match,
    Matched,
    MoreDemographicsRequested,
    NoMatch,
    RequestedAttribute,
)
from ihe.errors import CommunityCouldNotAnswer, MalformedMessage
from ihe.identifiers import HomeCommunityId, Oid, PatientId
from ihe.v3_message import (
    child,
    code_at,
    demand,
    home_community,
    ii_at,
    read_oid,
    whole_number,
    write_integer,
)

_LOCATOR: Final = "1.3.6.1.4.1.19376.1.2.27.2"
_REQUESTED: Final = "1.3.6.1.4.1.19376.1.2.27.1"
_PROBLEM: Final = "1.3.6.1.4.1.19376.1.2.27.3"
_PROBLEMS: Final = frozenset({"ResponderBusy", "AnswerNotAvailable", "InternalError"})
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
        return _read_matches(registrations, community, _own_authority(act))
    requested = tuple(_requested_codes(act))
    if requested:
        known = tuple(_SPELLINGS[code.lower()] for code in requested if code.lower() in _SPELLINGS)
        others = tuple(code for code in requested if code.lower() not in _SPELLINGS)
        return MoreDemographicsRequested(known, others)
    failed = acknowledged in {"AE", "AR", "CE", "CR"} or answer in {"AE", "QE"}
    if failed or _reports_problem(act):
        raise CommunityCouldNotAnswer(_problem(message, act))
    if acknowledged is None and answer is None:
        raise MalformedMessage("the answer neither acknowledges nor answers")
    return NoMatch()


def _own_authority(act: Element) -> Oid | None:
    """Who gives out the ids of whoever asked: the query is repeated, and its first id of a person
    is the asker's own (`write_discovery_request`); None where it is not repeated."""
    path = "queryByParameter/parameterList/livingSubjectId/value"
    return read_oid(ii_at(act, path))


def _read_matches(
    registrations: list[Element], community: HomeCommunityId | None, own: Oid | None
) -> Matched:
    """Every match that can be used; that some cannot is said, that none can is refused."""
    matches: list[Match] = []
    problem: MalformedMessage | None = None
    for registration in registrations:
        try:
            matches.append(_read_match(registration, community, own))
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


def _reports_problem(act: Element) -> bool:
    """Quirk: case 5 in an answer that is else of case 4, or of none. Its code says that nobody
    was looked for, and so not that there is nobody (ITI TF-2: 3.55.4.2.2.7)."""
    managements = act.iter(v3("detectedIssueManagement"))
    codes = [code for one in managements if (code := child(one, "code")) is not None]
    return any(
        code.get("codeSystem") == _PROBLEM or code.get("code") in _PROBLEMS for code in codes
    )


def _problem(message: Element, act: Element) -> str | None:
    """The problem by its code, best first: the issue's management, else the acknowledgement's."""
    for management in act.iter(v3("detectedIssueManagement")):
        if code := code_at(management, "code"):
            return code
    detail = child(message, "acknowledgement/acknowledgementDetail")
    return None if detail is None else code_at(detail, "code") or text_of(child(detail, "text"))


def _read_match(registration: Element, community: HomeCommunityId | None, own: Oid | None) -> Match:
    patient = demand(registration, "subject1/patient")
    custodian = child(registration, "custodian/assignedEntity")
    holder = None if custodian is None else ii_at(custodian, "id")
    home = (None if holder is None else home_community(holder.root)) or community
    if home is None:
        raise MalformedMessage("a match names no home community")
    usable = tuple(_usable_ids(patient))
    if not usable:
        raise MalformedMessage("a match has no patient id that could be asked for")
    # The asker's own id serves only where nothing else is given: two may share an authority.
    patient_id = next((one for one in usable if one.authority != own), usable[0])
    degree = child(patient, "subjectOf1/queryMatchObservation/value")
    locator = None if custodian is None else code_at(custodian, "code")
    return Match(
        patient_id=patient_id,
        home_community_id=home,
        demographics=_read_person(patient, patient_id),
        degree=None if degree is None else whole_number(degree.get("value") or degree.text),
        supports_locator=locator == "SupportsHealthDataLocator",
    )


def _read_person(patient: Element, asked_by: PatientId) -> Demographics:
    """The person; ids beside the one that is asked for are known of it, wherever they stand."""
    person = read_person(patient)
    taken = (str(asked_by.authority), asked_by.id)
    ids = (*read_iis(patient, "id")[:1], *person.ids)
    others = (one for one in ids if one.root and (str(read_oid(one)), one.extension) != taken)
    return replace(person, ids=tuple(others))


def _usable_ids(patient: Element) -> Iterator[PatientId]:
    """The ids by which documents can be asked for.

    Quirk: more than the one of ITI TF-2: 3.55.4.2.2.3, in any order: one that is null, or the
    Social Security number, which no community keeps its documents under.
    """
    for identifier in read_iis(patient, "id"):
        authority, extension = read_oid(identifier), identifier.extension or ""
        if authority is not None and str(authority) != US_SSN and extension.strip():
            yield PatientId(extension, authority)


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
