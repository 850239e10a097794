"""ADT notices read into values, however their senders delimit them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.exchange.adt import AdtId, read_adt


def segment(name: str, fields: dict[int, str]) -> str:
    return "|".join((name, *(fields.get(number, "") for number in range(1, max(fields) + 1))))


WHOLE = "\r".join(
    (
        "MSH|^~\\&|EHR|General Hospital^2.999.9^ISO|||20261126060000-0500||ADT^A03^A03|c1|P|2.5",
        "EVN|A03|20261126060500|||||20261126055900",
        segment(
            "PID",
            {
                3: "mr1^^^Hosp&2.999.1&ISO^MR~mb1^^^PLAN^MB",
                5: "Doe^Jane^Q",
                7: "19610131",
                8: "F",
                11: "1 Main \\T\\ Oak^^Salem^OR^97301",
                19: "123-45-6789",
            },
        ),
        segment(
            "PV1",
            {
                2: "I",
                3: "ICU^1^2^Hosp",
                7: "1^Who^Ann",
                19: "v9^^^2.999.1",
                36: "01",
                44: "20261120",
                45: "20261126",
            },
        ),
        "PV2|||^Chest pain",
        "DG1|1||R07.9^Chest pain^I10",
        segment("IN1", {1: "1", 36: "POL1"}),
    )
)


def test_a_whole_notice() -> None:
    notice = read_adt(WHOLE.encode())
    assert notice is not None
    assert (notice.event, notice.control_id, notice.sending_facility) == (
        "A03",
        "c1",
        "General Hospital",
    )
    assert (notice.sent, notice.happened) == ("20261126060000-0500", "20261126060500")
    patient, visit = notice.patient, notice.visit
    assert patient.ids == (AdtId("mr1", "2.999.1", "MR"), AdtId("mb1", "PLAN", "MB"))
    assert (patient.family, patient.given) == ("Doe", ("Jane", "Q"))
    assert (patient.birth_date, patient.gender, patient.ssn) == ("19610131", "F", "123-45-6789")
    assert (patient.address, patient.postal_code) == ("1 Main & Oak", "97301")
    assert (visit.id, visit.patient_class) == (AdtId("v9", "2.999.1"), "I")
    assert (visit.facility, visit.attending) == ("Hosp", "Ann Who")
    assert (visit.disposition, visit.admitted, visit.discharged) == ("01", "20261120", "20261126")
    assert visit.reason == "Chest pain"
    assert notice.policies == (AdtId("POL1"),)
    assert notice.diagnoses == (("R07.9", "Chest pain", "I10"),)


def test_a_policy_number_is_the_companys_and_the_insureds_own_id_has_its_issuer() -> None:
    insured = segment(
        "IN1", {1: "1", 3: "co^^^Payer&2.999.4&ISO", 36: "POL1", 49: "M1^^^&2.999.5&ISO^MB"}
    )
    notice = read_adt(WHOLE.encode() + b"\r" + insured.encode() + b"\r" + insured.encode())
    assert notice is not None
    assert notice.policies == (
        AdtId("POL1"),
        AdtId("POL1", "2.999.4"),
        AdtId("M1", "2.999.5", "MB"),
    )


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\n\r\n"])
def test_any_line_end(end: str) -> None:
    framed = b"\x0b" + WHOLE.replace("\r", end).encode() + b"\x1c\r"
    assert read_adt(framed) == read_adt(WHOLE.encode())


def test_other_delimiters() -> None:
    odd = WHOLE.replace("|^~\\&|", "|$~\\&|", 1).replace("^", "$")
    notice = read_adt(odd.encode())
    assert notice is not None
    assert notice.patient.given == ("Jane", "Q")


def test_delimiters_padded_with_blanks() -> None:
    padded = (
        "MSH |^ ~\\&| EHR | CLINIC | | | 20110613083617 || ADT ^ A01 | 9 | P | 2.3 ||||\n"
        "PID | 1 || 135769 || MOUSE ^ MICKEY ^|| 19281118 | M\nPV1 | 1 | O |||||^^|^^"
    )
    notice = read_adt(padded.encode())
    assert notice is not None
    assert (notice.event, notice.patient.family, notice.patient.given) == (
        "A01",
        "MOUSE",
        ("MICKEY",),
    )
    assert notice.patient.ids == (AdtId("135769"),)
    assert notice.visit.patient_class == "O"
    assert notice.visit.attending is None


def test_what_is_absent_is_none_and_deleted_says_nothing() -> None:
    notice = read_adt(b'MSH|^~\\&|||||||ADT^A08\rPID|1||""||""^""')
    assert notice is not None
    assert notice.patient.ids == ()
    assert (notice.patient.family, notice.patient.given) == (None, ())
    assert (notice.visit.id, notice.happened) == (None, None)


@pytest.mark.parametrize(
    "content",
    [b"", b"MSH|^~\\&|||||||ORU^R01", b"PID|1", b"<xml/>", b"MSH|^~\\&|", b"MSHX", b"MSH"],
)
def test_what_is_no_adt_is_none(content: bytes) -> None:
    assert read_adt(content) is None


@given(st.binary(max_size=200), st.text("|^~\\&\rPIDMSHV1 a", max_size=200))
def test_never_fails(content: bytes, text: str) -> None:
    read_adt(content)
    read_adt(b"MSH|^~\\&|||||||ADT^A01\r" + text.encode() + content)
