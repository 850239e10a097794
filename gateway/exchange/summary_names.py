"""What a line of the summary is called: by those who tell of it, and whose it is."""

from collections.abc import Mapping, Sequence
from typing import Final

from ccda.hl7v3 import CD, narrowed
from ccda.model import Kind
from gateway.exchange.beside import side_in_words, side_of
from gateway.exchange.identity import concerned_about, people_named
from gateway.exchange.people import whose
from gateway.exchange.statements import Statement, is_assertion

_NOT_NAMED: Final = "not named"
_MEASURED: Final[frozenset[Kind]] = frozenset({"result", "vital_sign"})


def line_name(kind: Kind, agreeing: Sequence[Statement]) -> str:
    """The name for all who agree, of whom the first speaks for the line."""
    if kind in _MEASURED:
        return with_person(_name_of_test(agreeing), agreeing[0])
    names = (name for one in agreeing for name in _names(one))
    name = _with_side(next(names, _NOT_NAMED), agreeing)
    return with_person(name, agreeing[0])


def with_person(name: str, one: Statement) -> str:
    """Another person's, in a member's record: whoever reads the name must see whose it is."""
    person = whose(one.details)
    return f"{name} ({person})" if person and one.entry.kind != "family_history" else name


def _with_side(name: str, agreeing: Sequence[Statement]) -> str:
    """With the side that only the words of a source tell: two lines must not read alike."""
    sides = ((side_in_words(one), side_of(one)) for one in agreeing)
    side = next((told for told, meant in sides if told and told == meant), None)
    return f"{name} ({side})" if side and side not in name.casefold() else name


def _name_of_test(agreeing: Sequence[Statement]) -> str:
    """The shortest that any source gives: LOINC's long names fill a page, a laboratory's do not.

    What was measured names nothing: where no source names the test, its code or its row does.
    """
    given = [name for one in agreeing for name in _coded_names(one)]
    if not given:
        rows = [one.entry.text for one in agreeing if one.entry.text and not _is_value(one)]
        codes = [one.entry.code.code for one in agreeing if one.entry.code]
        given = [name for name in (*rows, *codes) if name]
    return min(given, key=lambda name: (len(name), name), default=_NOT_NAMED)


def _is_value(one: Statement) -> bool:
    """Whether its text only repeats what was measured."""
    said = "".join((one.entry.text or "").split())
    value = one.entry.value
    words = (value.display, value.original_text) if isinstance(value, CD) else (str(value),)
    values = {"".join(word.split()) for word in words if word}
    return any(said in (word, word + "".join((one.entry.unit or "").split())) for word in values)


def _names(one: Statement) -> list[str]:
    if one.entry.kind == "care_team" and (people := people_named(one)):
        return people
    code = one.entry.code
    given = (one.entry.text, code.code if code else None, _told_beside(one))
    names = _coded_names(one) or [text for text in given if text]
    feared = concerned_about(one) if one.entry.kind == "concern" else []
    return [f"{name}: {', '.join(feared)}" for name in names] if feared else names


def _coded_names(one: Statement) -> list[str]:
    code = one.entry.code
    if is_assertion(one.entry) and isinstance(one.entry.value, CD):
        code = one.entry.value
    coded = [code, *code.translations] if code else []
    names = [each.display for each in coded] + [each.original_text for each in coded[:1]]
    return [narrowed(name, code) for name in names if name]


def _told_beside(one: Statement) -> str | None:
    """What stands for a name that nobody gave: who pays, where it was, which model, the answer."""
    for detail in ("payer", "location", "device"):
        form = one.details.get(detail)
        form = form[0] if isinstance(form, list) and form else form
        name = (form.get("name") or form.get("model")) if isinstance(form, Mapping) else None
        if isinstance(name, str):
            return name
    return one.entry.value if isinstance(one.entry.value, str) else None
