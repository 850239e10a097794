"""sourcePatientInfo as it is read."""

from ccda.hl7v3 import AD, II, PN, TEL, TS, US_SSN
from ihe.discovery import Demographics
from ihe.source_patient import read_source_patient


def test_escapes_of_hl7_are_resolved() -> None:
    read = read_source_patient((r"PID-5|O\S\Hara^Ann\F\e^B^III",))
    assert read == Demographics(names=(PN("O^Hara", ("Ann|e", "B"), suffix=("III",)),))


def test_every_field_that_others_write_is_read() -> None:
    read = read_source_patient(
        (
            "PID-3|MRN-7^^^&2.999.8&ISO~no id",
            "pid-5|Doe^Jane^^^",
            "PID-9|Smith^Jane",
            "PID-7|19800101",
            "PID-8|F",
            "PID-11|1 Elm St^^Springfield^IL^62701^USA",
            "PID-13|555-0100",
            "PID-19|123-45-6789",
            "PID-99|x",
            "",
        )
    )
    assert read == Demographics(
        names=(PN("Doe", ("Jane",)), PN("Smith", ("Jane",))),
        birth_time=TS("19800101"),
        gender="F",
        addresses=(AD(("1 Elm St",), "Springfield", "IL", "62701", "USA"),),
        telecoms=(TEL("tel:555-0100"),),
        ids=(II("2.999.8", "MRN-7"), II(US_SSN, "123-45-6789")),
    )


def test_what_says_nothing_is_none() -> None:
    assert read_source_patient(()) is None
    assert read_source_patient(("PID-5|^^^", 'PID-7|""', "PID-8|", "nonsense")) is None
