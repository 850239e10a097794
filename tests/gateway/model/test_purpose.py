"""A purpose is stated in the code system of the network, as precisely as that allows."""

import pytest

from gateway.model.purpose import NHIN, TEFCA, PurposeOfUse, PurposeSystem, StatedPurpose


@pytest.mark.parametrize(
    ("code", "system", "stated"),
    [
        ("PAYMENT", "nhin", StatedPurpose("PAYMENT", NHIN, "nhin-purpose")),
        ("PAYMENT", "tefca", StatedPurpose("T-PYMNT", TEFCA, "TEFCA exchange purpose")),
        ("PAYMENT", "rce", StatedPurpose("PAYMENT", TEFCA, "RCE-purpose")),
        ("T-HCO-CC", "tefca", StatedPurpose("T-HCO-CC", TEFCA, "TEFCA exchange purpose")),
        ("T-HCO-CC", "nhin", StatedPurpose("OPERATIONS", NHIN, "nhin-purpose")),
        ("T-HCO-CC", "rce", StatedPurpose("OPERATIONS", TEFCA, "RCE-purpose")),
        ("T-GOVDTRM-SSD", "nhin", StatedPurpose("GOVERNMENT", NHIN, "nhin-purpose")),
        ("FRAUD", "tefca", None),
    ],
)
def test_a_purpose_goes_out_in_the_networks_own_codes(
    code: str, system: PurposeSystem, stated: StatedPurpose | None
) -> None:
    assert PurposeOfUse.parse(code).stated_in(system) == stated


def test_every_tefca_purpose_has_a_name_in_nhin() -> None:
    for code in ("T-TREAT", "T-TRTMNT", "T-IAS", "T-PH-ECR", "T-HCO-PERF"):
        assert PurposeOfUse.parse(code).stated_in("nhin") is not None


def test_what_is_no_purpose_has_no_code() -> None:
    assert PurposeOfUse.code_of(" payment") == "PAYMENT"
    assert PurposeOfUse.code_of("Jane Doe, born 1975") is None


def test_a_retired_code_is_read_and_never_stated() -> None:
    assert PurposeOfUse.read(" t-hco-qm", TEFCA).code == "T-HCO-QM"
    with pytest.raises(ValueError, match="unknown"):
        PurposeOfUse.parse("T-HCO-QM")
