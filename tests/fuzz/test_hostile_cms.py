"""A part of `python -m tests.fuzz.cms` in each test run, and that its claims can be broken."""

import pytest

from direct import ber
from direct.errors import DirectError
from direct.smime import open_sealed
from tests.direct.sealing import ENTITY
from tests.fuzz import cms

CASES = 1500


def test_hostile_messages_break_no_claim() -> None:
    broken = [(n, seen) for n in range(CASES) if (seen := cms.look(n)).broken is not None]
    assert broken == []


def test_every_seed_is_well_before_it_is_changed() -> None:
    for seed in cms.seeds():
        if seed.kind != "structure":
            assert seed.read(seed.data) == ENTITY, seed.kind


def test_the_streamed_form_is_another_one_of_the_same() -> None:
    der = next(seed.data for seed in cms.seeds() if seed.kind == "enveloped")
    streamed = cms.indefinite(der)
    assert streamed != der
    with pytest.raises(DirectError):
        open_sealed(streamed, cms.keys())
    assert not ber.read(streamed).is_plain


def test_a_reader_that_lets_an_error_out_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(data: bytes) -> bytes:
        raise IndexError(len(data))

    seed = cms.Seed("message", b"x", broken)
    monkeypatch.setattr(cms, "case", lambda number: (seed, b"x"))
    assert cms.look(0).broken == "IndexError(1)"


def test_content_that_nobody_signed_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    seed = cms.Seed("message", b"x", lambda data: data)
    monkeypatch.setattr(cms, "case", lambda number: (seed, b"x"))
    assert cms.look(0).broken == "content that nobody signed"
