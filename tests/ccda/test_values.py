"""Values that are quick to make are frozen, compared, copied and pickled like any other."""

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace

import pytest

from ccda.hl7v3 import CD, II
from ccda.model import Entry
from ccda.values import maker, quickly_made


@quickly_made
@dataclass(frozen=True, slots=True)
class Dose:
    """A value of every sort of field: required, with a default, with a default that is made."""

    amount: str
    unit: str | None = None
    notes: dict[str, str] = field(default_factory=dict)


def test_fields_are_set_by_place_by_name_and_by_default() -> None:
    dose = Dose("1", notes={"a": "b"})
    assert (dose.amount, dose.unit, dose.notes) == ("1", None, {"a": "b"})
    assert repr(dose) == "Dose(amount='1', unit=None, notes={'a': 'b'})".replace(
        "Dose", Dose.__qualname__
    )


def test_a_default_that_is_made_is_made_anew_each_time() -> None:
    assert Dose("1").notes is not Dose("1").notes


@pytest.mark.parametrize("arguments", [(), ("1", "mg", {}, "too many")])
def test_what_is_missing_or_too_much_is_refused(arguments: tuple[str, ...]) -> None:
    with pytest.raises(TypeError):
        Dose(*arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [Dose("1"), II("1.2"), CD("a"), Entry("problem", "/*")])
def test_a_value_is_frozen(value: object) -> None:
    name = fields(value)[0].name  # type: ignore[arg-type]
    with pytest.raises(FrozenInstanceError):
        setattr(value, name, "other")
    with pytest.raises(FrozenInstanceError):
        delattr(value, name)
    with pytest.raises((AttributeError, TypeError)):
        value.another = 1  # type: ignore[attr-defined]


def test_values_with_the_same_fields_are_equal_and_of_one_class() -> None:
    assert II("1.2", "3") == II("1.2", "3") != II("1.2", "4")
    assert hash(CD("a", "1.2")) == hash(CD("a", "1.2"))
    assert type(II("1.2")) is II


@pytest.mark.parametrize("value", [Dose("1", notes={"a": "b"}), CD("a", translations=(CD("b"),))])
def test_a_value_survives_pickling_copying_and_replacing(value: Dose | CD) -> None:
    for again in (pickle.loads(pickle.dumps(value)), copy.deepcopy(value), replace(value)):  # noqa: S301 - our own
        assert again == value
        assert type(again) is type(value)


def test_a_maker_makes_what_the_class_makes() -> None:
    make = maker(Dose)
    assert make("1", notes={"a": "b"}) == Dose("1", notes={"a": "b"})
    assert type(make("1")) is Dose and make("1").notes is not make("1").notes
    with pytest.raises(FrozenInstanceError):
        make("1").amount = "2"  # type: ignore[misc]
