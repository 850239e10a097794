"""A part of `python -m tests.fuzz.mail` in each test run, and that its claims can be broken."""

import pytest

from direct import ber
from direct.errors import DirectError
from direct.smime import open_sealed
from tests.direct.sealing import ENTITY
from tests.fuzz import mail

CASES = 1500


def test_hostile_messages_break_no_claim() -> None:
    broken = [(n, seen) for n in range(CASES) if (seen := mail.look(n)).broken is not None]
    assert broken == []


def test_every_seed_is_well_before_it_is_changed() -> None:
    for seed in mail.seeds():
        if seed.kind != "structure":
            assert seed.read(seed.data) == ENTITY, seed.kind


def test_the_streamed_form_is_another_one_of_the_same() -> None:
    der = next(seed.data for seed in mail.seeds() if seed.kind == "enveloped")
    streamed = mail.indefinite(der)
    assert streamed != der
    with pytest.raises(DirectError):
        open_sealed(streamed, mail.keys())
    assert not ber.read(streamed).is_plain


def test_a_reader_that_lets_an_error_out_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(data: bytes) -> bytes:
        raise IndexError(len(data))

    seed = mail.Seed("message", b"x", broken)
    monkeypatch.setattr(mail, "case", lambda number: (seed, b"x"))
    assert mail.look(0).broken == "IndexError(1)"


def test_content_that_nobody_signed_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    seed = mail.Seed("message", b"x", lambda data: data)
    monkeypatch.setattr(mail, "case", lambda number: (seed, b"x"))
    assert mail.look(0).broken == "content that nobody signed"
