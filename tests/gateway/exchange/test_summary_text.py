"""The summary at the terminal says so when nothing is known, and where to begin."""

from ccda.summary import Completeness, Summary
from gateway.exchange.summary_text import summary_text

MEMBER = {"name": "Emma Empty", "birth_date": "1980-01-01", "member_id": "E1"}


def test_a_member_without_documents_is_told_how_to_get_some() -> None:
    shown = summary_text(Summary("2026-03-01T00:00:00+00:00"), member=MEMBER)
    assert shown.startswith("Emma Empty · born 1980-01-01 · member E1\nas of 2026-03-01\n")
    assert "No document is filed with this member yet" in shown
    assert "gateway retrieve" in shown


def test_who_was_asked_is_told_though_nobody_gave_anything() -> None:
    asked = Completeness("Northfield", "no_match", at="2026-03-01T00:00:00+00:00")
    shown = summary_text(Summary("2026-03-01T00:00:00+00:00"), member=MEMBER, completeness=(asked,))
    assert "No document is filed" in shown
    assert "knows no such patient" in shown
