"""Short texts are worked out once; a long one is never kept."""

import pytest

from ccda.fhir.remembered import remembered


@pytest.mark.parametrize(("text", "worked_out"), [("20240101", 1), ("x" * 1000, 2)])
def test_only_a_short_text_is_remembered(text: str, worked_out: int) -> None:
    asked: list[str] = []

    @remembered
    def count(given: str) -> int:
        asked.append(given)
        return len(given)

    assert [count(text), count(text)] == [len(text)] * 2
    assert len(asked) == worked_out
