"""Envelopes are kept sealed, found by the hash that their record names, and never mistaken."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest
from zstandard import ZstdCompressor, train_dictionary

from gateway.model.identity import PlanId
from gateway.model.retention import PlanMonth
from gateway.store import disposals, wire_messages
from gateway.store.database import Database
from gateway.store.errors import DamagedWireMessage, MonthDisposed
from gateway.store.key_file import add_key
from gateway.store.keys import KeyRing
from gateway.store.month_keys import month_of
from gateway.store.scope import ALL_PLANS
from gateway.store.wire_messages import WireMessage, open_message, seal_message, seal_together
from tests.gateway.store.builders import ACME, NOW, OTHER

SAMPLES = Path(__file__).parents[2] / "samples" / "ihe"
DICTIONARY = "d04a9dea444d43b544977630fa4574bc73529ea6baa3541b58fb666db56dc9d6"
REQUEST = b"<Envelope>Is Rosalind Sampleton with you?</Envelope>"
ENVELOPE = b"<Envelope>" + b"Rosalind Sampleton " * 500 + b"</Envelope>"


@pytest.mark.parametrize("plan", [ACME, None])
def test_what_was_kept_comes_back_byte_for_byte(
    house: Database, keys: KeyRing, plan: PlanId | None
) -> None:
    sealed = seal_message(keys, ENVELOPE, plan=plan, now=NOW)
    house.write(partial(wire_messages.put, message=sealed))
    house.write(partial(wire_messages.put, message=sealed))
    found = house.read(lambda tx: wire_messages.get(tx, plan=plan or ALL_PLANS, hash=sealed.hash))
    assert found is not None
    assert open_message(keys, found) == ENVELOPE
    assert b"Rosalind" not in found.sealed
    assert len(found.sealed) < len(ENVELOPE) / 10


def test_what_envelopes_say_alike_is_not_kept_with_each(keys: KeyRing) -> None:
    """Even another's, packed lightly, takes less than packed as hard as can be without it."""
    envelope = (SAMPLES / "cxf_query_request.xml").read_bytes()
    sealed = seal_message(keys, envelope, plan=ACME, now=NOW)
    assert open_message(keys, sealed) == envelope
    assert len(sealed.sealed) < 0.85 * len(ZstdCompressor(level=19).compress(envelope))


def test_the_dictionary_is_the_one_that_envelopes_were_packed_with() -> None:
    """With another they would not come back: a new one takes a new number."""
    file = Path(wire_messages.__file__).with_name("envelopes-1.zdict")
    assert sha256(file.read_bytes()).hexdigest() == DICTIONARY


@pytest.mark.parametrize("unknown", [False, True])
def test_an_envelope_that_was_packed_otherwise_opens_or_is_damaged(
    keys: KeyRing, unknown: bool
) -> None:
    """Without a dictionary, as all were once; or by one that is not here."""
    key, digest = keys.sealing_month_key(ACME, month_of(NOW)), sha256(ENVELOPE).hexdigest()
    packed = ZstdCompressor(level=-3).compress(ENVELOPE)
    if unknown:
        other = train_dictionary(512, [b"%d <a>%d</a>" % (n, n * n) for n in range(900)], dict_id=9)
        packed = ZstdCompressor(dict_data=other).compress(ENVELOPE)
    message = WireMessage(digest, ACME, key.seal(packed, digest), month_of(NOW))
    if unknown:
        with pytest.raises(DamagedWireMessage):
            open_message(keys, message)
    else:
        assert open_message(keys, message) == ENVELOPE


def test_a_plan_sees_its_own_alone(house: Database, keys: KeyRing) -> None:
    for plan in (ACME, None):
        sealed = seal_message(keys, ENVELOPE, plan=plan, now=NOW)
        house.write(partial(wire_messages.put, message=sealed))
        hidden = house.read(partial(wire_messages.get, plan=OTHER, hash=sealed.hash))
        assert hidden is None


def test_an_envelope_of_two_plans_is_kept_for_each(house: Database, keys: KeyRing) -> None:
    for plan in (ACME, OTHER):
        sealed = seal_message(keys, ENVELOPE, plan=plan, now=NOW)
        house.write(partial(wire_messages.put, message=sealed))
    for plan in (ACME, OTHER):
        found = house.read(lambda tx, plan=plan: wire_messages.get(tx, plan=plan, hash=sealed.hash))
        assert found is not None and found.plan == plan
        assert open_message(keys, found) == ENVELOPE


def test_a_request_is_kept_with_its_answer_and_each_is_found(
    house: Database, keys: KeyRing
) -> None:
    both = seal_together(keys, REQUEST, ENVELOPE, plan=ACME, now=NOW)
    house.write(partial(wire_messages.put, message=both))
    asked, answered = sha256(REQUEST).hexdigest(), sha256(ENVELOPE).hexdigest()

    def found(hash: str, answer: str | None, plan: PlanId = ACME) -> bytes | None:
        message = house.read(partial(wire_messages.get, plan=plan, hash=hash, answer=answer))
        return None if message is None else open_message(keys, message)

    assert found(asked, answered) == REQUEST
    assert found(answered, None) == found(answered, answered) == ENVELOPE
    assert found(asked, None) is found(asked, "0" * 64) is found("0" * 64, answered) is None
    assert found(asked, answered, OTHER) is None


@pytest.mark.parametrize("wanted", ["asked", "hash"])
def test_of_two_neither_opens_once_anything_of_either_was_changed(
    keys: KeyRing, wanted: str
) -> None:
    both = seal_together(keys, REQUEST, ENVELOPE, plan=ACME, now=NOW)
    both = replace(both, wanted=getattr(both, wanted))
    assert open_message(keys, both) == (REQUEST if wanted == "asked" else ENVELOPE)
    other = seal_together(keys, b"<Other/>", ENVELOPE, plan=ACME, now=NOW)
    for changed in (
        replace(both, asked="0" * 64, wanted=None),
        replace(both, asked=None, wanted=None),
        replace(both, asked_bytes=None),
        replace(both, asked_bytes=len(REQUEST) + 1),
        replace(both, asked_bytes="many"),  # type: ignore[arg-type]  # as SQLite may have kept it
        replace(both, sealed="text"),  # type: ignore[arg-type]
        replace(both, sealed=other.sealed),
        replace(both, sealed=both.sealed[:-1] + bytes([both.sealed[-1] ^ 1])),
    ):
        with pytest.raises(DamagedWireMessage):
            open_message(keys, changed)


def test_another_plans_message_does_not_open_as_ours(keys: KeyRing) -> None:
    sealed = seal_message(keys, ENVELOPE, plan=ACME, now=NOW)
    for changed in (
        replace(sealed, plan=OTHER),
        replace(sealed, plan=None),
        replace(sealed, hash="0" * 64),
        replace(sealed, sealed=sealed.sealed[:-1] + bytes([sealed.sealed[-1] ^ 1])),
    ):
        keys.sealing_month_key(changed.plan, month_of(NOW))
        with pytest.raises(DamagedWireMessage):
            open_message(keys, changed)


def test_the_houses_messages_open_after_the_key_was_changed(
    house: Database, keys: KeyRing, key_file: Path
) -> None:
    sealed = seal_message(keys, ENVELOPE, plan=None, now=NOW)
    add_key(key_file)
    assert KeyRing(key_file, house).rewrap() == 1
    lines = key_file.read_text().splitlines()
    key_file.write_text(f"{lines[-1]}\n")
    assert open_message(KeyRing(key_file, house), sealed) == ENVELOPE


def test_an_envelope_of_a_month_that_is_gone_does_not_open(house: Database, keys: KeyRing) -> None:
    sealed = seal_message(keys, ENVELOPE, plan=ACME, now=NOW)
    house.write(lambda tx: disposals.shred(tx, PlanMonth(ACME, month_of(NOW)), now=NOW))
    with pytest.raises(MonthDisposed):
        open_message(keys, sealed)


def test_an_envelope_from_before_months_had_keys_opens(house: Database, keys: KeyRing) -> None:
    sealed = seal_message(keys, ENVELOPE, plan=ACME, now=NOW)
    content = ZstdCompressor().compress(ENVELOPE)
    generation, older = keys.seal(ACME, content, sealed.hash)
    kept = WireMessage(sealed.hash, ACME, older, None, generation)
    assert open_message(keys, kept) == ENVELOPE


def test_a_row_changed_in_the_database_is_noticed(
    house: Database, keys: KeyRing, tamper: Callable[[str], None]
) -> None:
    sealed = seal_message(keys, ENVELOPE, plan=ACME, now=NOW)
    house.write(partial(wire_messages.put, message=sealed))
    other = seal_message(keys, b"<Envelope/>", plan=ACME, now=NOW)
    house.write(partial(wire_messages.put, message=other))
    tamper(
        "UPDATE wire_message SET sealed ="  # noqa: S608 - a constant
        f" (SELECT sealed FROM wire_message WHERE hash = '{other.hash}')"
        f" WHERE hash = '{sealed.hash}'"
    )
    found = house.read(lambda tx: wire_messages.get(tx, plan=ACME, hash=sealed.hash))
    assert found is not None
    with pytest.raises(DamagedWireMessage):
        open_message(keys, found)
