"""What an entry's details and parts say in plain words, without what only programs go by."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ccda.html.words import (
    MOODS,
    absence,
    code_form_words,
    detail_words,
    plain_unit,
    sentence_case,
    value_words,
)
from ccda.model import Interval

_MACHINERY: Final = frozenset(
    ("ids", "templates", "statement", "relation", "class_code", "organization_ids", "use",
     "institution_specified", "operator", "product_ids")
)  # fmt: skip
"""Identifiers, and how one statement stands to another: both are in the document itself."""
_CODED: Final = frozenset(("code", "system", "text"))
_OF_A_PART: Final = frozenset(("code", "value", "unit", "text", "status", "null_flavor"))
_OF_A_NAME: Final = frozenset(("name", "type", "organization"))
_WHEREABOUTS: Final = frozenset(
    ("address", "telecom", "organization_address", "organization_telecom")
)  # fmt: skip
"""Of people and organizations: in the document itself, and too much for a line of a summary."""
_ADDRESS: Final = ("lines", "city", "state", "postal_code", "country")
_RHYTHMS: Final[Mapping[str, str]] = {
    "1 d": "daily", "24 h": "daily", "1 wk": "weekly", "1 mo": "monthly",
}  # fmt: skip
_ASSERTION: Final = "ASSERTION"
_SCHEMES: Final = ("tel:", "mailto:", "fax:")


def words_of(key: str, form: Any, *, coded: bool = False) -> str | None:
    """One detail; `coded` keeps the codes of what has a name."""
    if key == "value_null_flavor":
        return absence(form if isinstance(form, str) else None)
    if key == "mood":
        return MOODS.get(str(form), str(form))
    if key == "reference_range":
        ranges = (_range(each) for each in (form if isinstance(form, list) else [form]))
        return "; ".join(words for words in ranges if words) or None
    if key == "frequency":
        return "; ".join(_rhythms(form, coded=coded)) or None
    if key.endswith("_period") and isinstance(form, Mapping):
        return _dates(form)
    return detail_words(_tidy(form, coded=coded))


def _tidy(form: Any, *, coded: bool) -> Any:
    """The same in fewer words; a text where the whole is best said as one."""
    match form:
        case list() | tuple():
            return [_tidy(each, coded=coded) for each in form]
        case {"statement": str()}:
            return _part(form, coded=coded)
        case {"name": str()} | {"organization": str()}:
            beside = _rest(form, _OF_A_NAME, coded=coded, labelled=False)
            return _joined([form.get("name"), form.get("organization"), *beside])
        case {"lines": _} | {"city": _}:
            return _joined([detail_words(form.get(name)) for name in _ADDRESS])
        case Mapping():
            return _object(form, coded=coded)
        case str() if form.startswith(_SCHEMES):
            return form.partition(":")[2]
        case _:
            return form


def _range(form: Any) -> str | None:
    """As its laboratory wrote it, else by its bounds; what it means, unless that is: normal."""
    if not isinstance(form, Mapping):
        return detail_words(form)
    bounds, meant = form.get("value"), form.get("interpretation")
    words = form.get("text")
    if not words and isinstance(bounds, Mapping):
        unit = plain_unit(bounds.get("unit"))
        if exclusive := form.get("exclusive"):
            inside = Interval(bounds.get("low"), bounds.get("high"))
            words = value_words(inside, unit, exclusive)
        else:
            low_high = {key: each for key, each in bounds.items() if key != "unit"}
            words = " ".join(part for part in (detail_words(low_high), unit) if part)
    is_told = isinstance(meant, Mapping) and meant.get("code") != "N"
    words = words or detail_words(bounds)
    if words and form.get("negated"):
        words = f"not {words}"
    return _joined([words, words_of("meant", meant) if is_told else None])


def _object(form: Mapping[str, Any], *, coded: bool) -> dict[str, Any]:
    left_out = _MACHINERY if coded else _MACHINERY | _WHEREABOUTS
    if form.get("display") and not coded:
        left_out |= _CODED
    kept = {key: _tidy(each, coded=coded) for key, each in form.items() if key not in left_out}
    if isinstance(kept.get("unit"), str):
        kept["unit"] = plain_unit(kept["unit"])
    if "mood" in kept:
        kept["mood"] = words_of("mood", kept["mood"])
    return kept


def _part(form: Mapping[str, Any], *, coded: bool) -> str | None:
    """A statement inside an entry: what it is about, what it says of it, then the rest."""
    code, value = form.get("code"), form.get("value")
    about = None
    if isinstance(code, Mapping) and code.get("code") != _ASSERTION:
        about = code_form_words(code) if coded else code.get("display") or code.get("text")
    if isinstance(value, Mapping | list):
        said = detail_words(_tidy(value, coded=coded))
    else:
        said = detail_words({"value": value, "unit": plain_unit(form.get("unit"))})
    named = ": ".join(str(words) for words in (about, said) if words)
    text = form.get("text") if form.get("text") != about else None
    status = form.get("status") if form.get("status") != "completed" else None
    rest = _rest(form, _OF_A_PART, coded=coded)
    return _joined([named, text, status, *rest])


def _rest(
    form: Mapping[str, Any], said: frozenset[str], *, coded: bool, labelled: bool = True
) -> Iterator[str]:
    left_out = said | _MACHINERY if coded else said | _MACHINERY | _WHEREABOUTS
    for key, each in form.items():
        words = None if key in left_out else words_of(key, each, coded=coded)
        if words:
            yield f"{key.replace('_', ' ')}: {words}" if labelled else words


def _joined(parts: list[str | None]) -> str | None:
    return ", ".join(part for part in parts if part) or None


def _rhythms(form: Any, *, coded: bool) -> Iterator[str]:
    """Every 6 h, daily; any other timing as it stands."""
    for timing in form if isinstance(form, list) else [form]:
        period = timing.get("period") if isinstance(timing, Mapping) else None
        amount = detail_words(_tidy(period, coded=coded))
        if amount and isinstance(period, Mapping) and period.keys() <= {"value", "unit"}:
            said = _RHYTHMS.get(amount, f"every {amount}")
            yield _joined([said, *_rest(timing, frozenset(("period",)), coded=coded)]) or said
        elif words := detail_words(_tidy(timing, coded=coded)):
            yield words


def _dates(form: Mapping[str, Any]) -> str | None:
    low, high = (str(form.get(bound) or "")[:10] for bound in ("low", "high"))
    if low and high:
        return f"{low} to {high}"
    return (f"from {low}" if low else f"until {high}") if low or high else None


def label(key: str) -> str:
    """What a detail is called; the part of a value that is missing is about the value."""
    return "Value" if key == "value_null_flavor" else sentence_case(key)
