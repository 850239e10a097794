"""How ITI-55 writes a person: asked for as parameters, answered as a patientPerson."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from ccda.hl7v3 import (
    II,
    PN,
    TS,
    US_SSN,
    XSI_TYPE,
    hl7_time,
    read_ad,
    read_ii,
    read_ivl,
    read_pn,
    read_tel,
    read_ts,
    text_of,
    v3,
)
from ccda.hl7v3_writing import Written, append, write_ad, write_ii, write_pn, write_tel
from ccda.safe_xml import Element
from ihe.discovery import Demographics
from ihe.v3_message import child, code_at, write_time

GENDERS: Final = "2.16.840.1.113883.5.1"
RELATIONS: Final = "2.16.840.1.113883.5.111"

_VALUE: Final = v3("value")
T = TypeVar("T")


# ---- as query parameters (ITI TF-2: 3.55.4.1.2.1) --------------------------------------------


def read_parameters(parameters: Element) -> Demographics:
    """The person asked for. Repeated parameters and repeated values are all taken, save the empty.

    Of what a person has one of, the first that says something counts.
    """

    stated: dict[str, list[Element]] = {}
    for parameter in parameters:
        stated.setdefault(str(parameter.tag), []).extend(parameter.iterchildren(_VALUE))

    def values(name: str, read: Callable[[Element], T]) -> tuple[T, ...]:
        return tuple([read(value) for value in stated.get(v3(name), ()) if not _is_null(value)])

    def first(
        name: str, read: Callable[[Element], T], says: Callable[[T], object] = bool
    ) -> T | None:
        found = values(name, read)
        return next((one for one in found if says(one)), found[0] if found else None)

    return Demographics(
        names=values("livingSubjectName", read_pn),
        birth_time=first("livingSubjectBirthTime", _birth_time, lambda time: time.value),
        gender=first("livingSubjectAdministrativeGender", lambda value: value.get("code")),
        addresses=values("patientAddress", read_ad),
        telecoms=values("patientTelecom", read_tel),
        ids=values("livingSubjectId", read_ii),
        mothers_maiden_name=first("mothersMaidenName", read_pn),
        birth_place=first("livingSubjectBirthPlaceAddress", read_ad),
        birth_place_name=first("livingSubjectBirthPlaceName", text_of),
    )


_SAYS_NOTHING: Final = frozenset({"nullFlavor", XSI_TYPE, "codeSystem", "codeSystemName"})


def _is_null(value: Element) -> bool:
    """Whether it says only that nothing is known; beside a flavour a value may still stand."""
    return value.get("nullFlavor") is not None and not (
        len(value) or value.text or set(value.keys()) - _SAYS_NOTHING
    )


def write_parameters(parameters: Written, person: Demographics, ids: Sequence[II]) -> None:
    """Append one parameter for each thing known, in the order of the schema."""
    if person.gender is not None:
        gender = _parameter(parameters, "livingSubjectAdministrativeGender")
        append(gender, "value", code=person.gender, codeSystem=GENDERS)
        _semantics(gender, "LivingSubject.administrativeGender")
    if person.birth_place is not None:
        _values(parameters, "livingSubjectBirthPlaceAddress", write_ad, (person.birth_place,))
    if person.birth_place_name is not None:
        place = _parameter(parameters, "livingSubjectBirthPlaceName")
        append(place, "value").text = person.birth_place_name
        _semantics(place, "LivingSubject.birthPlace.Place.Name")
    if person.birth_time is not None:
        _values(parameters, "livingSubjectBirthTime", write_time, (person.birth_time,))
    for identifier in ids:
        _values(parameters, "livingSubjectId", write_ii, (identifier,))
    for name in person.names:
        _values(parameters, "livingSubjectName", write_pn, (name,))
    if person.mothers_maiden_name is not None:
        _values(parameters, "mothersMaidenName", write_pn, (person.mothers_maiden_name,))
    # At most one element of each of these, with as many values as there are.
    _values(parameters, "patientAddress", write_ad, person.addresses)
    _values(parameters, "patientTelecom", write_tel, person.telecoms)


_SEMANTICS: Final = {
    "livingSubjectBirthPlaceAddress": "LivingSubject.birthPlace.Addr",
    "livingSubjectBirthTime": "LivingSubject.birthTime",
    "livingSubjectId": "LivingSubject.id",
    "livingSubjectName": "LivingSubject.name",
    "mothersMaidenName": "Person.MothersMaidenName",
    "patientAddress": "Patient.addr",
    "patientTelecom": "Patient.telecom",
}


def _values(
    parameters: Written,
    name: str,
    write: Callable[[Written, str, T], Written],
    values: Iterable[T],
) -> None:
    parameter: Written | None = None
    for value in values:
        if parameter is None:
            parameter = _parameter(parameters, name)
        write(parameter, "value", value)
    if parameter is not None:
        _semantics(parameter, _SEMANTICS[name])


def _parameter(parameters: Written, name: str) -> Written:
    return append(parameters, name)


def _semantics(parameter: Written, text: str) -> None:
    append(parameter, "semanticsText").text = text


def _birth_time(value: Element) -> TS:
    """A date of birth; an interval states one only when it lies within one day, or is a point."""
    interval = read_ivl(value)
    if interval.value is not None:
        return interval.value
    low, high = interval.low, interval.high
    if low is not None and high is not None and low.value and high.value:
        if low == high:
            return low
        day = _day(low.value)
        if day is not None and day == _day(high.value):
            return TS(day)
    return TS(None, interval.null_flavor)


def _day(time: str) -> str | None:
    """The date of a time that has one; None of what is less precise."""
    digits = (hl7_time(time) or "")[:8]
    return digits if len(digits) == 8 and digits.isascii() and digits.isdigit() else None


# ---- as a patientPerson (ITI TF-2: 3.55.4.2.2.2) ---------------------------------------------


def read_person(patient: Element) -> Demographics:
    """The person that a `patient` element is about; further patient ids count as ids."""
    person = child(patient, "patientPerson")
    if person is None:
        return Demographics()
    birth_time = child(person, "birthTime")
    birth_place = child(person, "birthPlace/addr")
    return Demographics(
        names=tuple(read_pn(name) for name in person.iterfind(v3("name"))),
        birth_time=None if birth_time is None else read_ts(birth_time),
        gender=code_at(person, "administrativeGenderCode"),
        addresses=_of_both(patient, person, "addr", read_ad),
        telecoms=_of_both(patient, person, "telecom", read_tel),
        ids=_ids(patient, person),
        mothers_maiden_name=_mothers_maiden_name(person),
        birth_place=None if birth_place is None else read_ad(birth_place),
        birth_place_name=text_of(child(person, "birthPlace/birthplace/name")),
    )


def write_person(patient: Written, person: Demographics) -> None:
    """Append the `patientPerson`, in the order of the schema.

    Raises:
        ValueError: a person without a name.
    """
    if not person.names:
        raise ValueError("an answered person has a name")
    element = append(patient, "patientPerson", classCode="PSN", determinerCode="INSTANCE")
    for name in person.names:
        write_pn(element, "name", name)
    for telecom in person.telecoms:
        write_tel(element, "telecom", telecom)
    if person.gender is not None:
        append(element, "administrativeGenderCode", code=person.gender, codeSystem=GENDERS)
    if person.birth_time is not None:
        write_time(element, "birthTime", person.birth_time)
    for address in person.addresses:
        write_ad(element, "addr", address)
    for identifier in person.ids:
        _write_other_id(element, identifier)
    if person.mothers_maiden_name is not None:
        _write_mother(element, person.mothers_maiden_name)
    _write_birth_place(element, person)


def _of_both(
    patient: Element, person: Element, name: str, read: Callable[[Element], T]
) -> tuple[T, ...]:
    """Quirk: address and telecom at the patient; some send them there, once, some twice."""
    found = (*person.iterfind(v3(name)), *patient.iterfind(v3(name)))
    return tuple(dict.fromkeys(read(element) for element in found))


def _ids(patient: Element, person: Element) -> tuple[II, ...]:
    others = person.iterfind(f"{v3('asOtherIDs')}/{v3('id')}")
    further = list(patient.iterfind(v3("id")))[1:]
    return tuple(
        dict.fromkeys(read_ii(each) for each in (*person.iterfind(v3("id")), *others, *further))
    )


def _mothers_maiden_name(person: Element) -> PN | None:
    for relation in person.iterfind(v3("personalRelationship")):
        name = child(relation, "relationshipHolder1/name")
        if code_at(relation, "code") == "MTH" and name is not None:
            return read_pn(name)
    return None


def _write_other_id(person: Written, identifier: II) -> None:
    # An SSN is the state's id of a citizen, any other is someone's patient id.
    kind = "CIT" if identifier.root == US_SSN else "PAT"
    other = append(person, "asOtherIDs", classCode=kind)
    write_ii(other, "id", identifier)
    scoper = append(other, "scopingOrganization", classCode="ORG", determinerCode="INSTANCE")
    write_ii(scoper, "id", II(identifier.root, null_flavor=None if identifier.root else "UNK"))


def _write_mother(person: Written, name: PN) -> None:
    relation = append(person, "personalRelationship", classCode="PRS")
    append(relation, "code", code="MTH", codeSystem=RELATIONS)
    mother = append(relation, "relationshipHolder1", classCode="PSN", determinerCode="INSTANCE")
    write_pn(mother, "name", name)


def _write_birth_place(person: Written, known: Demographics) -> None:
    if known.birth_place is None and known.birth_place_name is None:
        return
    place = append(person, "birthPlace", classCode="BIRTHPL")
    if known.birth_place is not None:
        write_ad(place, "addr", known.birth_place)
    if known.birth_place_name is not None:
        named = append(place, "birthplace", classCode="PLC", determinerCode="INSTANCE")
        append(named, "name").text = known.birth_place_name
