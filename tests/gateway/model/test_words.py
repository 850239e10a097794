"""Text is the same in words, however its signs are set; letters that are marks stay letters."""

import pytest

from gateway.model.words import words


@pytest.mark.parametrize("dash", list("-\u2010\u2011\u2012\u2013\u2014\u2212\uff0d"))
def test_every_hyphen_and_dash_parts_a_name(dash: str) -> None:
    assert words(f"Smith{dash}Jones") == ("smith", "jones")


@pytest.mark.parametrize(
    "sign", list("'`.\u00b4\u2018\u2019\u02bb\u02bc\u2032\u200b\u200d\u00ad\ufeff")
)
def test_apostrophes_and_what_is_not_seen_vanish(sign: str) -> None:
    assert words(f"O{sign}Brien") == ("obrien",)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Müller", "Muller"), ("İbrahim", "ibrahim"), ("Işık", "Isik"), ("Ёлкин", "елкин")],
)
def test_accents_of_latin_and_cyrillic_letters_fold(one: str, other: str) -> None:
    assert words(one) == words(other)


def test_vowels_that_arabic_and_hebrew_leave_out_fold() -> None:
    assert words("\u0645\u064f\u062d\u064e\u0645\u0651\u064e\u062f") == words(
        "\u0645\u062d\u0645\u062f"
    )
    assert words("\u05d3\u05b8\u05d5\u05b4\u05d3") == words("\u05d3\u05d5\u05d3")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("\u305f\u3044\u304d", "\u3060\u3044\u304d"),  # Taiki and Daiki, brothers
        ("\u0e2a\u0e38\u0e14\u0e32", "\u0e2a\u0e14\u0e32"),  # Thai: Suda and Sada
        ("\u092a\u094d\u0930\u093f\u092f\u093e", "\u092a\u0930\u093f\u092f\u093e"),  # Devanagari
    ],
)
def test_marks_that_are_letters_are_not_folded_away(one: str, other: str) -> None:
    assert words(one) != words(other)
