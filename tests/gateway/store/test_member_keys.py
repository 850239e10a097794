"""By which of many keys a question is looked up: of each kind some, the narrowest first."""

from gateway.store.member_keys import MOST, Key, foremost


def many(kind: str, number: int) -> list[Key]:
    return [(kind, f"{kind} {place}") for place in range(number)]


def test_few_keys_are_all_looked_up() -> None:
    keys = [*many("whole", 2), *many("id", MOST - 2)]
    assert foremost(keys) == tuple(keys)


def test_many_of_one_kind_leave_the_others_in() -> None:
    days, names = many("day", 3), many("name", 1)
    kept = foremost([*many("whole", 1), *many("id", 100), *days, *names])
    assert len(kept) == MOST
    assert {*days, *names} <= set(kept)
    assert kept[:3] == (("whole", "whole 0"), ("id", "id 0"), ("id", "id 1"))


def test_many_of_all_kinds_share_what_there_is() -> None:
    kinds = ("whole", "ssn", "id", "day", "phone", "door", "name")
    kept = foremost([key for kind in kinds for key in many(kind, 50)])
    assert len(kept) == MOST
    assert {kind: sum(key[0] == kind for key in kept) for kind in kinds} == {
        "whole": 5, "ssn": 5, "id": 5, "day": 5, "phone": 4, "door": 4, "name": 4,
    }  # fmt: skip
