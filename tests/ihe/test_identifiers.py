"""Identifiers, checked when made."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ihe.identifiers import HomeCommunityId, Oid, PatientId, UniqueId


@pytest.mark.parametrize("text", ["2.999.1", "urn:oid:2.999.1", "URN:OID:2.999.1", "'2.999.1'"])
def test_a_home_community_is_the_same_in_every_form(text: str) -> None:
    home = HomeCommunityId.parse(text)
    assert str(home) == "2.999.1"
    assert home.urn == "urn:oid:2.999.1"


@pytest.mark.parametrize("text", ["", "2", "3.1", "2.01", "2.999.", "local", "1." * 70 + "1"])
def test_what_is_no_oid_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Oid(text)


@pytest.mark.parametrize(
    ("text", "identifier"),
    [
        ("A-1^^^&2.999.5&ISO", "A-1"),
        ("'A-1^^^&2.999.5&ISO'", "A-1"),
        ("'O''Brien^^^&2.999.5&ISO'", "O'Brien"),
        ("O'Brien^^^&2.999.5&ISO", "O'Brien"),
        ("A-1^^^Clinic&2.999.5&ISO^PI", "A-1"),
        (r"A\T\B\S\C^^^&2.999.5&ISO", "A&B^C"),
        (r"DOM\user^^^&2.999.5&ISO", r"DOM\user"),
    ],
)
def test_a_patient_id_is_read_from_any_usual_cx(text: str, identifier: str) -> None:
    assert PatientId.parse(text) == PatientId(identifier, Oid("2.999.5"))


@pytest.mark.parametrize(
    "text", ["", "A-1", "A-1^^^Clinic", "^^^&2.999.5&ISO", "A-1^^^&local&ISO", "A^^^&2.999&UUID"]
)
def test_what_is_no_patient_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        PatientId.parse(text)


@given(st.text(min_size=1).filter(lambda text: text == text.strip()))
def test_every_patient_id_survives_its_own_writing(text: str) -> None:
    patient_id = PatientId(text, Oid("2.999.5"))
    assert PatientId.parse(patient_id.cx) == patient_id


@pytest.mark.parametrize("text", ["", "x" * 257])
def test_a_unique_id_has_a_length(text: str) -> None:
    with pytest.raises(ValueError):
        UniqueId(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("urn:oid:2.999.1", "2.999.1"),
        ("URN:OID:2.999.1", "2.999.1"),
        ("urn:uuid:ABCDEF00-1111-4222-8333-444455556666", "abcdef00-1111-4222-8333-444455556666"),
    ],
)
def test_a_unique_id_is_the_same_as_a_urn_and_a_uuid_in_any_case(one: str, other: str) -> None:
    assert UniqueId(one).bare == UniqueId(other).bare == other


def test_unique_ids_that_are_no_uuids_differ_by_case() -> None:
    assert UniqueId("2.999.1^abc").bare != UniqueId("2.999.1^ABC").bare
