"""One person or two: what a match needs, what no score outweighs, and what is left out."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccda.hl7v3 import AD, II, PN, TEL, TS, US_SSN
from ccda.model import Patient
from gateway.exchange.matching import (
    Ambiguous,
    BestMatch,
    Found,
    MatchResult,
    NotFound,
    best_match,
    compare,
    demographics_of,
    is_below_minimum,
    minimum_set_missing,
    read_person,
)
from gateway.model.identity import MemberId
from ihe.xcpd import Demographics

PLAN = "2.999.7"
HOME = AD(("12 Elm Street",), "Springfield", "IL", "62701", "US")
ANNA = Demographics(
    names=(PN("Keller", ("Anna", "Ruth")),),
    birth_time=TS("19750501"),
    gender="F",
    addresses=(HOME,),
    telecoms=(TEL("tel:+1(217)555-0142"),),
)


def ssn(number: str) -> II:
    return II(US_SSN, number)


def named(family: str, *given: str, suffix: tuple[str, ...] = ()) -> Demographics:
    return replace(ANNA, names=(PN(family, given, suffix=suffix),))


def best(candidates: list[tuple[MemberId, Demographics]], asked: Demographics) -> BestMatch:
    return best_match([(one, read_person(known)) for one, known in candidates], read_person(asked))


def decision(theirs: Demographics, ours: Demographics = ANNA) -> str:
    there, back = compare(ours, theirs), compare(theirs, ours)
    assert (there.score, there.decision) == (back.score, back.decision)
    return there.decision


def agreements(result: MatchResult) -> dict[str, str]:
    return {reason.attribute: reason.agreement for reason in result.reasons}


def test_the_same_demographics_match() -> None:
    assert decision(ANNA) == "match"


def test_name_birth_date_and_gender_alone_are_only_possible() -> None:
    assert decision(replace(ANNA, addresses=(), telecoms=())) == "possible"


@pytest.mark.parametrize(
    ("family", "given"),
    [
        ("KELLER", ("ANNA", "R.")),
        ("Keller", ("Anna",)),
        ("Kéller", ("Anna",)),
        ("Keler", ("Anna",)),
        ("Keller-Brandt", ("Anna",)),
        ("Keller", ("Ann",)),
        ("Keller", ("Annah",)),
    ],
)
def test_spelling_case_hyphen_and_a_short_form_do_not_part_a_person(
    family: str, given: tuple[str, ...]
) -> None:
    spelt = decision(named(family, *given))
    assert spelt == ("possible" if given == ("Ann",) else "match")


def test_a_nickname_matches_beside_an_address() -> None:
    assert decision(named("Ortiz", "Bob"), named("Ortiz", "Robert")) == "match"


def test_a_former_name_still_matches() -> None:
    married = replace(ANNA, names=(PN("Brandt", ("Anna",)), PN("Keller", ("Anna",))))
    result = compare(ANNA, married)
    assert result.decision == "match"
    assert agreements(result)["family"] == "other name"


def test_a_womans_new_family_name_needs_the_ssn() -> None:
    """Door and telephone do not do: a document is not filed under a name that it does not bear."""
    married = named("Brandt", "Anna")
    assert agreements(compare(ANNA, married))["family"] == "changed"
    assert decision(married) == "possible"
    ours = replace(ANNA, ids=(ssn("219-09-1234"),))
    assert decision(replace(married, ids=ours.ids, addresses=(), telecoms=()), ours) == "match"


def test_another_family_name_of_a_man_needs_the_ssn() -> None:
    ours = replace(named("Keller", "Anton"), gender="M")
    other = replace(named("Brandt", "Anton"), gender="M")
    assert decision(other, ours) != "match"
    same = (ssn("219-09-1234"),)
    assert decision(replace(other, ids=same), replace(ours, ids=same)) == "match"


@pytest.mark.parametrize("twin", ["Berta", "Hanna", "Ann", "Anne Marie", "Anja", "A"])
def test_twins_never_match(twin: str) -> None:
    policy = (II(PLAN, "M100"),)
    ours = replace(ANNA, ids=policy)
    assert decision(replace(named("Keller", twin), ids=policy), ours) != "match"


def test_twins_of_the_same_ssn_are_for_a_reviewer() -> None:
    shared = (ssn("219-09-1234"),)
    theirs = replace(named("Keller", "Berta"), ids=shared)
    assert decision(theirs, replace(ANNA, ids=shared)) == "possible"


@pytest.mark.parametrize(("one", "other"), [("Jr", "Sr"), ("III", "Jr."), ("II", "Senior")])
def test_generations_never_match(one: str, other: str) -> None:
    ours, theirs = (named("Keller", "Anna", suffix=(text,)) for text in (one, other))
    assert decision(theirs, ours) == "no_match"


def test_junior_is_the_second() -> None:
    ours, theirs = (named("Keller", "Anna", suffix=(text,)) for text in ("Jr", "II"))
    assert decision(theirs, ours) == "match"


def test_a_suffix_written_into_the_family_name_counts() -> None:
    assert decision(named("Keller Sr", "Anna"), named("Keller, Jr.", "Anna")) == "no_match"


def test_a_parent_of_the_same_name_at_the_same_address_is_no_match() -> None:
    assert decision(replace(ANNA, birth_time=TS("19450501"))) == "no_match"


@pytest.mark.parametrize("birth", ["19750105", "19750502", "19760501"])
def test_a_slip_in_the_birth_date_needs_the_same_door_and_telephone(birth: str) -> None:
    theirs = replace(ANNA, birth_time=TS(birth))
    assert decision(theirs) == "match"
    assert decision(replace(theirs, telecoms=())) == "possible"
    assert decision(replace(theirs, addresses=())) == "possible"


@pytest.mark.parametrize("birth", ["1975", "197505", None])
def test_a_birth_date_that_only_nearly_agrees_needs_an_identifier(birth: str | None) -> None:
    theirs = replace(ANNA, birth_time=TS(birth) if birth else None)
    assert decision(theirs) == "possible"
    same = (ssn("219-09-1234"), II(PLAN, "M100"))
    assert decision(replace(theirs, ids=same), replace(ANNA, ids=same)) == "match"


@pytest.mark.parametrize("birth", ["19000101", "18000101", "19010101", "99991231", "19751301"])
def test_a_placeholder_birth_date_is_left_out_and_said(birth: str) -> None:
    result = compare(ANNA, replace(ANNA, birth_time=TS(birth)))
    assert result.decision == "possible"
    assert [ignored.attribute for ignored in result.ignored] == ["birth date"]


def test_the_first_of_january_for_a_known_day_needs_an_identifier() -> None:
    theirs = replace(ANNA, birth_time=TS("19750101"))
    assert agreements(compare(ANNA, theirs))["birth date"] == "first of January"
    assert decision(theirs) == "possible"
    same = (ssn("219-09-1234"),)
    assert decision(replace(theirs, ids=same), replace(ANNA, ids=same)) == "match"


def test_a_slip_in_the_ssn_needs_the_same_door_or_telephone() -> None:
    ours, theirs = (replace(ANNA, ids=(ssn(n),)) for n in ("219-09-1234", "219-09-1284"))
    assert decision(theirs, ours) == "match"
    assert decision(replace(theirs, addresses=(), telecoms=()), ours) == "possible"
    assert decision(replace(theirs, names=named("Keller", "Anja").names), ours) != "match"


def test_the_next_ssn_may_be_the_twins_and_needs_another_id() -> None:
    ours, theirs = (replace(ANNA, ids=(ssn(n),)) for n in ("219-09-1239", "219-09-1240"))
    assert agreements(compare(ours, theirs))["SSN"] == "next"
    assert decision(theirs, ours) == "possible"


def test_another_second_name_is_another_person_whatever_the_policy() -> None:
    policy = (II(PLAN, "M100"),)
    ours, theirs = (replace(named("Keller", "Mary", n), ids=policy) for n in ("Ann", "Jo"))
    assert decision(theirs, ours) == "possible"


@pytest.mark.parametrize("number", ["000-00-0000", "123-45-6789", "999-99-9999", "666121234"])
def test_a_placeholder_ssn_is_no_agreement_and_said(number: str) -> None:
    result = compare(*(replace(ANNA, ids=(ssn(number),)) for _ in "ab"))
    assert "SSN" not in agreements(result)
    assert [ignored.attribute for ignored in result.ignored] == ["SSN"]


def test_one_bad_field_is_dropped_and_the_rest_still_matches() -> None:
    bad = AD(("12 Elm St.",), "Springfield", "ZZ", "00000")
    result = compare(ANNA, replace(ANNA, addresses=(bad,)))
    assert result.decision == "match"
    assert {ignored.attribute for ignored in result.ignored} == {"state", "zip"}


@pytest.mark.parametrize(
    ("one", "other"),
    [("PO Box 1123", "P.O. Box 1124"), ("County Road 1123", "County Road 1124")],
)
def test_another_number_is_no_slip_in_a_street(one: str, other: str) -> None:
    ours, theirs = (
        replace(ANNA, addresses=(replace(HOME, lines=(line,)),), telecoms=())
        for line in (one, other)
    )
    assert agreements(compare(ours, theirs))["address"] == "different"
    assert decision(theirs, ours) == "possible"


def test_the_same_flat_and_none_are_one_door() -> None:
    flat = replace(ANNA, addresses=(replace(HOME, lines=("12 Elm Street #4",)),), telecoms=())
    assert agreements(compare(ANNA, flat))["address"] == "exact"


def test_a_placeholder_for_a_street_or_an_ssn_proves_nothing() -> None:
    nowhere = AD(("No fixed address",), "Springfield", "IL", "62701")
    ours = replace(ANNA, addresses=(nowhere,), telecoms=(), ids=(ssn("XXX-XX-0000"),))
    assert decision(ours, ours) == "possible"


def test_a_zip_code_alone_proves_nothing_of_who_has_no_door() -> None:
    only_zip = replace(ANNA, addresses=(AD(postal_code="62701"),), telecoms=())
    assert decision(only_zip) == "match"
    nowhere = replace(only_zip, addresses=(AD(("Refused",), postal_code="62701"),))
    assert decision(nowhere) == "possible"


def test_a_middle_initial_is_no_generation() -> None:
    assert (
        decision(named("Smith", "James", "V"), named("Smith", "James", "Victor", suffix=("Jr",)))
        == "match"
    )


def test_brothers_whose_names_differ_by_a_mark_are_two() -> None:
    taiki, daiki = (
        named("\u3084\u307e\u3060", name) for name in ("\u305f\u3044\u304d", "\u3060\u3044\u304d")
    )
    assert decision(taiki, daiki) == "possible"


def test_a_namesake_of_the_same_day_and_town_is_only_possible() -> None:
    elsewhere = replace(HOME, lines=("300 Oak Ave",))
    assert decision(replace(ANNA, addresses=(elsewhere,), telecoms=())) == "possible"


@pytest.mark.parametrize(
    ("one", "other"),
    [("John", "Jon"), ("Jonathan", "Nathan"), ("William", "Liam"), ("Maria", "Marie")],
)
def test_names_that_brothers_and_sisters_have_are_not_one_name(one: str, other: str) -> None:
    assert decision(named("Keller", other), named("Keller", one)) != "match"


def test_different_ssns_are_never_a_match() -> None:
    ours, theirs = (replace(ANNA, ids=(ssn(n),)) for n in ("219-09-1234", "318-22-9876"))
    assert decision(theirs, ours) == "possible"


def test_different_genders_are_never_a_match() -> None:
    assert decision(replace(ANNA, gender="M")) == "possible"


def test_reasons_and_ignored_fields_hold_no_values() -> None:
    theirs = replace(named("Keler", "Annika"), ids=(ssn("123-45-6789"),), birth_time=TS("1900"))
    text = repr(compare(replace(ANNA, ids=(ssn("219091234"),)), theirs)).casefold()
    secrets = ("keller", "keler", "anna", "annika", "1975", "1900", "elm", "62701", "5550142")
    assert not [secret for secret in secrets if secret in text]


def test_the_one_candidate_who_matches_is_found() -> None:
    candidates = [(MemberId("a"), ANNA), (MemberId("b"), named("Keller", "Berta"))]
    found = best(candidates, ANNA)
    assert isinstance(found, Found)
    assert found.member == "a"


def test_two_who_match_are_ambiguous() -> None:
    found = best([(MemberId("a"), ANNA), (MemberId("b"), ANNA)], ANNA)
    assert isinstance(found, Ambiguous)
    assert [member for member, _ in found.candidates] == ["a", "b"]


def test_one_without_an_ssn_is_not_found_under_anothers() -> None:
    """Ruth goes by her middle name, which is her twin's first; the SSN is hers."""
    hers = replace(named("Keller", "Ruth", "Anna"), ids=(ssn("219-09-1234"),))
    twins = named("Keller", "Anna")
    asked = replace(named("Keller", "Anna"), ids=hers.ids)
    found = best([(MemberId("hers"), hers), (MemberId("twins"), twins)], asked)
    assert isinstance(found, Ambiguous)
    alone = best([(MemberId("twins"), twins)], asked)
    assert isinstance(alone, Found)


def test_a_twin_is_not_found_for_one_who_goes_by_that_name() -> None:
    """Ruth goes by Anna, as her twin is called; the roster has the SSN of neither."""
    policies = [(II(PLAN, number),) for number in ("M100", "M101")]
    hers = replace(named("Keller", "Ruth", "Anna"), ids=policies[0])
    twins = replace(named("Keller", "Anna"), ids=policies[1])
    both = [(MemberId("hers"), hers), (MemberId("twins"), twins)]
    asked = replace(named("Keller", "Anna"), ids=(ssn("219-09-1234"),))
    assert isinstance(best(both, asked), Ambiguous)
    # What is her twin's own says that the twin is meant.
    found = best(both, replace(asked, ids=policies[1]))
    assert isinstance(found, Found)
    assert found.member == "twins"


def test_a_slip_between_two_brothers_names_is_neithers_spelling() -> None:
    assert decision(named("Keller", "Joseh"), named("Keller", "Jose")) == "possible"
    assert decision(named("Keller", "Sara"), named("Keller", "Sarah")) == "match"


def test_a_possible_candidate_is_left_to_a_reviewer() -> None:
    found = best([(MemberId("a"), replace(ANNA, gender="M"))], ANNA)
    assert isinstance(found, NotFound)
    assert [member for member, _ in found.possible] == ["a"]


def test_nobody_is_found_among_strangers() -> None:
    stranger = Demographics((PN("Okafor", ("Ikenna",)),), TS("19880304"), "M")
    assert best([(MemberId("a"), stranger)], ANNA) == NotFound()


def test_the_member_number_of_the_payers_section_counts() -> None:
    patient = Patient(names=ANNA.names, birth_time=ANNA.birth_time, gender="F")
    theirs = demographics_of(patient, (II(PLAN, "M100"),))
    assert decision(theirs, replace(ANNA, ids=(II(PLAN, "M100"),))) == "match"


def lacks(asked: Demographics) -> tuple[str, ...]:
    return minimum_set_missing(read_person(asked))


def test_the_minimum_set_depends_on_the_request_alone() -> None:
    assert lacks(ANNA) == ()
    assert lacks(replace(ANNA, addresses=())) == ()
    assert lacks(Demographics(ANNA.names, ANNA.birth_time)) == (
        "LivingSubjectAdministrativeGenderRequested",
        "PatientAddressRequested",
        "PatientTelecomRequested",
    )
    assert lacks(replace(ANNA, gender="UN")) == ()


@pytest.mark.parametrize(
    ("changes", "is_below"),
    [
        ({}, False),
        ({"gender": None}, True),
        ({"gender": "FTM"}, False),
        ({"names": (PN("Keller"),)}, True),
        ({"birth_time": TS("1975")}, True),
        ({"birth_time": TS("19000101")}, True),
        ({"birth_time": TS("19000101"), "ids": (II(US_SSN, "219-09-1234"),)}, False),
        ({"birth_time": None, "ids": (II(US_SSN, "999-99-9999"),)}, True),
        ({"addresses": (), "telecoms": ()}, True),
        ({"addresses": (AD(("unknown",)),), "telecoms": (TEL("555"),)}, True),
    ],
)
def test_a_request_is_answered_from_our_records_from_the_minimum_set_on(
    changes: dict[str, object], is_below: bool
) -> None:
    assert is_below_minimum(read_person(replace(ANNA, **changes))) is is_below


names = st.sampled_from(["Anna", "Ann", "Hanna", "Bob", "Robert", "Mary Ann", "J", "Unknown", ""])
people = st.builds(
    lambda family, first, middle, suffix, birth, gender, street, zip5, phone, number, policy: (
        Demographics(
            names=(PN(family or None, tuple(g for g in (first, middle) if g), (), suffix),),
            birth_time=TS(birth) if birth else None,
            gender=gender,
            addresses=(AD((street,), "Springfield", "IL", zip5),),
            telecoms=(TEL(phone),),
            ids=(ssn(number), II(PLAN, policy)),
        )
    ),
    st.sampled_from(["Keller", "Keler", "Keller Brandt", "de la Cruz", "Anna", ""]),
    names,
    names,
    st.sampled_from([(), ("Jr",), ("Sr",), ("II",)]),
    st.sampled_from(["19750501", "19750105", "1975", "19000101", "19850501", "19750101", ""]),
    st.sampled_from(["M", "F", "UN", None]),
    st.sampled_from(["12 Elm St", "12 Elms St", "14 Elm St", "unknown"]),
    st.sampled_from(["62701", "62702", "00000"]),
    st.sampled_from(["2175550142", "2175550143", "0000000000"]),
    st.sampled_from(["219091234", "219091235", "318229876", "000000000", "xxx-xx-1234"]),
    st.sampled_from(["M100", "M200", ""]),
)


@given(people, people)
@settings(max_examples=400)
def test_it_does_not_matter_which_side_is_ours(one: Demographics, other: Demographics) -> None:
    there, back = compare(one, other), compare(other, one)
    assert (there.score, there.decision) == (back.score, back.decision)
    assert set(there.reasons) == set(back.reasons)
    assert there.ignored == back.ignored


@given(people, people)
@settings(max_examples=400)
def test_a_match_never_rests_on_names_that_differ(one: Demographics, other: Demographics) -> None:
    result = compare(one, other)
    if result.decision == "match":
        assert agreements(result)["given"] != "different"
        assert agreements(result).get("suffix") != "different"
        assert agreements(result).get("SSN") != "different"
