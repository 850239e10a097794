"""A role is signed as it was stated; a code is added only where we know the name's."""

import pytest

from gateway.model.role import SNOMED, coded_role


@pytest.mark.parametrize(("stated", "code"), [("Nurse", "106292003"), ("768832004", "768832004")])
def test_a_known_role_is_coded(stated: str, code: str) -> None:
    role = coded_role(stated)
    assert (role.code, role.system, role.display) == (code, SNOMED, stated)


def test_an_unknown_role_goes_out_in_its_own_words_without_a_code_system() -> None:
    role = coded_role("claims adjuster")
    assert (role.code, role.system) == ("claims adjuster", None)
