"""What was entered in error: nobody's fact, and no word against what another tells."""

import pytest

from ccda.hl7v3 import CD
from ccda.model import Entry, Kind
from tests.gateway.exchange.records import (
    DIABETES,
    FLU,
    LISINOPRIL,
    PENICILLIN,
    SNOMED,
    A,
    B,
    cited,
    document,
    entry,
    holding,
    lines,
    merged,
    only,
)

LATER = document("a later", "20260101", partner="a")
DENIED = CD("716186003", SNOMED, "No known allergy")


def fact(kind: Kind, status: str, id_: str | None = None, **told: str) -> Entry:
    codes = {"problem": DIABETES, "allergy": PENICILLIN, "medication": LISINOPRIL}
    dated = {"start": "20200101"} if kind in codes else {"time": "20200101"}
    return entry(kind, codes.get(kind, FLU), status=status, id_=id_, **(dated | told))  # type: ignore[arg-type]


def denial(status: str = "completed", id_: str | None = None) -> Entry:
    return entry("allergy", DENIED, status=status, no_information=True, id_=id_)


STANDS = [
    ("problem", "active"), ("medication", "active"), ("allergy", "active"),
    ("immunization", "completed"), ("procedure", "completed"), ("encounter", "completed"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "status"), STANDS)
def test_an_organization_that_was_in_error_takes_back_nobody_elses_word(
    kind: Kind, status: str
) -> None:
    line = only(kind, holding(A, fact(kind, status)), holding(B, fact(kind, "nullified")))
    assert line.status == status
    assert cited(line) == ["a", "b"]
    assert line.conflict is not None and "B says nullified" in line.conflict


@pytest.mark.parametrize("kind", ["problem", "medication", "allergy"])
def test_of_two_copies_in_one_document_the_one_that_stands_counts(kind: Kind) -> None:
    line = only(kind, holding(A, fact(kind, "active", "1"), fact(kind, "nullified", "2")))
    assert (line.status, line.conflict) == ("active", None)


@pytest.mark.parametrize(("kind", "status"), STANDS)
def test_an_organization_takes_back_what_its_older_documents_tell(kind: Kind, status: str) -> None:
    line = only(kind, holding(A, fact(kind, status)), holding(LATER, fact(kind, "nullified")))
    assert (line.status, line.conflict) == ("nullified", None)


def test_what_is_told_again_after_that_stands() -> None:
    line = only(
        "problem",
        holding(A, fact("problem", "nullified")),
        holding(LATER, fact("problem", "active")),
    )
    assert (line.status, line.conflict) == ("active", None)


def test_nothing_is_borrowed_from_what_was_entered_in_error() -> None:
    wrong = entry("immunization", FLU, time="20200101", status="nullified",
                  details={"lot_number": "WRONG"})  # fmt: skip
    given = fact("immunization", "completed")
    assert only("immunization", holding(A, given), holding(B, wrong)).details == {}


def test_a_denial_that_was_entered_in_error_denies_nothing() -> None:
    denied = entry("problem", DIABETES, negated=True, status="nullified")
    assert only("problem", holding(A, denied)).status == "nullified"
    yes, no = lines("problem", holding(A, fact("problem", "active")), holding(B, denied))
    assert (yes.conflict, no.conflict) == (None, None)


def test_no_known_allergies_entered_in_error_is_said_by_nobody() -> None:
    wrong = holding(B, denial("nullified"))
    assert merged(wrong).section("allergy").nothing_known == ()
    (line,) = lines("allergy", holding(A, fact("allergy", "active")), wrong)
    assert line.conflict is None


def test_no_known_allergies_may_be_taken_back_later_and_by_oneself_alone() -> None:
    told = [holding(A, denial()), holding(B, denial())]
    later = holding(LATER, denial("nullified"))
    (word,) = merged(*told, later).section("allergy").nothing_known
    assert [source.document for source in word.sources] == ["b"]


def test_an_allergy_entered_in_error_is_no_reason_to_doubt_that_none_is_known() -> None:
    (line,) = lines("allergy", holding(A, fact("allergy", "nullified")), holding(B, denial()))
    assert (line.status, line.conflict) == ("nullified", None)
