"""How much one peer may do: counted by address, or by /64 of IPv6."""

import pytest

from gateway.intakes.smtp_peers import Peers


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def peers(clock: Clock | None = None, **limits: int) -> Peers:
    given = {"connections": 4, "connections_per_peer": 2, "messages_per_minute": 3}
    return Peers(**{**given, **limits}, clock=clock or Clock())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
    ],
)
def test_a_peer_is_what_one_customer_gets(first: str, second: str, same: bool) -> None:
    counted = peers(connections_per_peer=1)
    assert counted.enter(first)
    assert counted.enter(second) is not same


def test_all_together_are_limited_too() -> None:
    counted = peers()
    assert [counted.enter(f"192.0.2.{number}") for number in range(5)] == [True] * 4 + [False]
    counted.leave("192.0.2.0")
    assert counted.enter("192.0.2.9")


def test_a_place_that_was_given_back_may_be_taken_again() -> None:
    counted = peers()
    for _ in range(5):
        assert counted.enter("192.0.2.1") and counted.enter("192.0.2.1")
        assert not counted.enter("192.0.2.1")
        counted.leave("192.0.2.1")
        counted.leave("192.0.2.1")


def test_a_minutes_worth_may_come_at_once_and_then_evenly() -> None:
    clock = Clock()
    counted = peers(clock)
    assert [counted.may_send("192.0.2.1") for _ in range(4)] == [True] * 3 + [False]
    assert counted.may_send("192.0.2.2")
    clock.now = 20.0
    assert [counted.may_send("192.0.2.1") for _ in range(2)] == [True, False]
    clock.now = 10_000.0
    assert [counted.may_send("192.0.2.1") for _ in range(4)] == [True] * 3 + [False]
