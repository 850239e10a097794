"""ADT notices create and update encounters, by the same ingest as every document."""

from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest

from ccda.fhir import document_bundle, summary_bundle
from ccda.model import Patient
from gateway.app.house import House
from gateway.exchange.reading import read_document
from gateway.exchange.summaries import build_summary, read_summary
from gateway.model.document import Source
from gateway.store import documents
from tests.gateway.clients.asking_house import MEMBER, NUMBER_ROOT, PLAN
from tests.gateway.exchange.ingesting import TWIN, offered, take

HOSPITAL = Source(door="DIRECT", partner_name="adt@hospital.test")


@pytest.fixture
def house(either_house: House) -> House:
    return either_house


def segment(name: str, fields: dict[int, str]) -> str:
    return "|".join((name, *(fields.get(number, "") for number in range(1, max(fields) + 1))))


def adt(
    event: str,
    *,
    sent: str = "20261120080000-0600",
    visit: str = "v1^^^2.999.31",
    patient_class: str = "I",
    admitted: str = "",
    discharged: str = "",
    ids: str = "",
    given: str = "Rosalind",
    address: str = "214 Sample Orchard Road^^Exampleton^WI^53999",
    more: str = "",
) -> bytes:
    """A notice of the demo's person; any of it otherwise."""
    person = {3: ids, 5: f"Sampleton^{given}", 7: "19580314", 8: "F", 11: address}
    stay = {2: patient_class, 3: "ICU^^^General", 7: "1^Who^Ann", 19: visit}
    return "\r".join(
        (
            f"MSH|^~\\&|EHR|General Hospital|||{sent}||ADT^{event}|c1|P|2.5",
            segment("PID", person),
            segment("PV1", {**stay, 44: admitted, 45: discharged}),
            more,
        )
    ).encode()


ADMITTED = adt("A01", admitted="202611200730-0600")
UPDATED = adt("A08", sent="20261121090000-0600", admitted="202611200715-0600")
DISCHARGED = adt("A03", sent="20261123090000-0600", discharged="202611230845-0600")


def encounters(house: House) -> list[dict[str, Any]]:
    now = datetime.now(UTC)
    read = house.database.read(lambda tx: read_summary(tx, member=MEMBER, now=now))
    return list(read["sections"].get("encounters", ()))


def fhir_encounters(house: House) -> list[dict[str, Any]]:
    """Of the member's summary, as FHIR says them."""
    now = datetime.now(UTC)
    summary = house.database.read(
        lambda tx: build_summary(tx, plan=PLAN, member=MEMBER.id, now=now)
    )
    bundle = summary_bundle(summary, member_id=MEMBER.id, patient=Patient())
    return encounters_of(bundle)


def encounters_of(bundle: dict[str, Any]) -> list[dict[str, Any]]:
    resources = (one["resource"] for one in bundle["entry"])
    return [one for one in resources if one["resourceType"] == "Encounter"]


def test_an_admission_is_an_encounter_with_its_source(house: House) -> None:
    done = take(house, ADMITTED, source=HOSPITAL)
    assert (done.outcome, done.document.member) == ("filed", MEMBER.id)
    assert done.document.title == "Notice of admission (ADT A01)"
    (found,) = encounters(house)
    assert (found["display"], found["status"]) == ("Inpatient", "active")
    assert (found["start"], found["end"]) == ("2026-11-20T07:30-06:00", None)
    (source,) = found["sources"]
    assert (source["document"], source["partner"]) == (done.document.id, "adt@hospital.test")
    assert source["path"] == "PV1"


@pytest.mark.parametrize("order", tuple(permutations((ADMITTED, UPDATED, DISCHARGED))))
def test_later_notices_of_a_visit_update_it_in_whatever_order_they_come(
    house: House, order: tuple[bytes, ...]
) -> None:
    for notice in order:
        take(house, notice, source=HOSPITAL)
    (found,) = encounters(house)
    assert (found["status"], len(found["sources"])) == ("completed", 3)
    # The discharge repeats no admission; the update corrected it.
    assert (found["start"], found["end"]) == ("2026-11-20T07:15-06:00", "2026-11-23T08:45-06:00")


def test_a_cancelled_admission_is_cancelled_and_an_update_after_it_changes_nothing(
    house: House,
) -> None:
    for notice in (ADMITTED, adt("A11", sent="20261121"), adt("A08", sent="20261122")):
        take(house, notice, source=HOSPITAL)
    assert [one["status"] for one in encounters(house)] == ["cancelled"]


def test_a_cancelled_discharge_reopens_the_visit(house: House) -> None:
    for notice in (ADMITTED, DISCHARGED, adt("A13", sent="20261124")):
        take(house, notice, source=HOSPITAL)
    (found,) = encounters(house)
    assert (found["status"], found["end"]) == ("active", None)


def test_an_emergency_visit_that_becomes_a_stay_is_one_encounter(house: House) -> None:
    arrived = adt("A04", patient_class="E", admitted="202611200600-0600")
    for notice in (arrived, adt("A06", sent="20261120140000-0600")):
        take(house, notice, source=HOSPITAL)
    (found,) = encounters(house)
    assert (found["display"], found["start"]) == ("Inpatient", "2026-11-20T06:00-06:00")


def test_the_class_of_a_stay_that_began_as_an_emergency_is_the_last_that_was_said(
    house: House,
) -> None:
    changed = adt("A06", sent="20261120140000-0600")
    for notice in (changed, adt("A04", patient_class="E"), adt("A08", patient_class="")):
        take(house, notice, source=HOSPITAL)
    assert [one["class"].get("code") for one in fhir_encounters(house)] == ["IMP"]


def test_the_same_notice_twice_is_one(house: House) -> None:
    first, again = (take(house, ADMITTED, source=HOSPITAL) for _ in range(2))
    assert again.outcome == "duplicate"
    assert again.document.id == first.document.id
    assert [len(one["sources"]) for one in encounters(house)] == [1]


@pytest.mark.parametrize("other", ["v2^^^2.999.31", "v1^^^2.999.32", "v1^^^ELSEWHERE", ""])
def test_another_visit_is_another_encounter_and_is_not_cancelled_with_it(
    house: House, other: str
) -> None:
    take(house, adt("A01"), source=HOSPITAL)
    take(house, adt("A11", visit=other, sent="20261121"), source=HOSPITAL)
    assert sorted(one["status"] for one in encounters(house)) == ["active", "cancelled"]


def test_a_visit_number_without_an_oid_counts_within_its_sender(house: House) -> None:
    take(house, adt("A01", visit="77"), source=HOSPITAL)
    take(house, adt("A03", visit="77", sent="20261123"), source=HOSPITAL)
    assert [one["status"] for one in encounters(house)] == ["completed"]
    elsewhere = adt("A11", visit="77", sent="20261124").replace(b"General Hospital", b"Another")
    take(house, elsewhere, source=HOSPITAL)
    assert sorted(one["status"] for one in encounters(house)) == ["cancelled", "completed"]


def test_a_pre_admission_is_no_visit_that_took_place(house: House) -> None:
    take(house, adt("A05"), source=HOSPITAL)
    (found,) = encounters(house)
    assert (found["mood"], found["status"]) == ("INT", None)


# ---- whose it is -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, "filed"),
        ({"address": "", "ids": f"DM-100045^^^X&{NUMBER_ROOT}&ISO^MB"}, "filed"),
        ({"address": ""}, "held"),
        ({"address": "", "ids": "DM-100045^^^X^MB"}, "held"),
        ({"given": "Eglantine"}, "held"),
    ],
)
def test_a_notice_is_matched_as_a_document_is(
    house: House, changes: dict[str, str], outcome: str
) -> None:
    done = take(house, adt("A01", **changes), source=HOSPITAL)
    assert done.outcome == outcome
    assert len(encounters(house)) == (outcome == "filed")


def test_the_twin_gets_nothing(house: House) -> None:
    done = take(house, adt("A01", given=TWIN.demographics.names[0].given[0]), source=HOSPITAL)
    assert done.document.member is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (ADMITTED + ADMITTED, "it holds several notices; each must come by itself"),
        (
            ADMITTED + b"\rPID|1||9^^^2.999.1||Other^Person",
            "it holds several notices; each must come by itself",
        ),
        (
            ADMITTED.replace(b"ADT^", b"ORU^"),
            "it is an HL7 v2 message, and no ADT notice we can read",
        ),
    ],
)
def test_what_names_more_than_one_or_is_no_adt_is_kept_and_not_filed(
    house: House, content: bytes, reason: str
) -> None:
    done = take(house, content, source=HOSPITAL)
    assert (done.outcome, done.document.reason) == ("quarantined", reason)
    assert house.archive.load(PLAN, done.document.blob) == content
    assert encounters(house) == []


@pytest.mark.parametrize("event", ["A28", "A31", "A40"])
def test_a_notice_about_a_person_makes_no_encounter(house: House, event: str) -> None:
    done = take(house, adt(event), source=HOSPITAL)
    assert done.outcome == "filed"
    assert encounters(house) == []


def test_a_notice_is_offered_to_nobody(house: House) -> None:
    done = take(house, ADMITTED, source=HOSPITAL)
    assert done.outcome == "filed"
    assert offered(house) == ()


def test_nothing_is_said_that_the_notice_does_not_say() -> None:
    bare = adt("A01", visit="", patient_class="", address="")
    clinical = read_document(bare).clinical
    assert clinical is not None
    assert clinical.sections == ()
    assert (clinical.patient.addresses, clinical.patient.ids) == ((), ())
    named = read_document(adt("A08")).clinical
    assert named is not None
    (visit,) = named.sections[0].entries
    assert (visit.status, visit.start, visit.end, visit.text) == (None, None, None, None)
    assert "discharge_disposition" not in visit.details


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        *(("E", "EMER"), ("I", "IMP"), ("O", "AMB"), ("P", "PRENC")),
        *((unknown, None) for unknown in ("R", "B", "N", "U", "ZZ", "")),
    ],
)
def test_the_patient_class_is_the_class_in_fhir_where_fhir_has_a_word_for_it(
    written: str, expected: str | None
) -> None:
    clinical = read_document(adt("A01", patient_class=written)).clinical
    assert clinical is not None
    (found,) = encounters_of(document_bundle(clinical, document_id="one"))
    assert found["class"].get("code") == expected
    assert ("extension" in found["class"]) == (expected is None)


def test_diagnoses_are_why_and_no_problems() -> None:
    clinical = read_document(adt("A01", more="DG1|1||R07.9^Chest pain^I10")).clinical
    assert clinical is not None
    (visit,) = clinical.sections[0].entries
    assert visit.details["indication"] == [
        {"code": "R07.9", "system": "2.16.840.1.113883.6.90", "display": "Chest pain"}
    ]


def test_what_waits_is_listed_with_the_held(house: House) -> None:
    done = take(house, adt("A01", address=""), source=HOSPITAL)
    held = house.database.read(lambda tx: documents.list_page(tx, plan=PLAN, state="held"))
    assert [one.id for one in held] == [done.document.id]
