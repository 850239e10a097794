"""What is told beside a code and makes it another thing: where on the body, where, who pays."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from ccda.hl7v3 import CD
from ccda.model import Kind
from gateway.exchange.statements import Statement

_LOINC: Final = "2.16.840.1.113883.6.1"
# Kinds of which one side of the body is another thing, and not another way to measure.
_SIDED: Final[frozenset[Kind]] = frozenset({"problem", "procedure", "plan", "concern", "device"})
_SIDES: Final = {"7771000": "left", "24028007": "right", "51440002": "bilateral"}
_SIDE_WORDS: Final = re.compile(r"\b(left|right|bilateral)\b", re.IGNORECASE)
_LONGEST: Final = 300
"""Characters of a name; what is longer is a story, in which both sides may stand."""
_WORDS: Final = re.compile(r"[^\W_]+")
_SAYS_LITTLE: Final = frozenset("the of and a structure entire".split())


def beside(one: Statement) -> dict[str, set[str]]:
    """By what it is; two statements that both tell of one and share nothing are about two things.

    The place on the body by code system, what narrows it and the code itself, the side however
    it is told; who pays, where no member's number tells it.
    """
    found: dict[str, set[str]] = defaultdict(set)
    if one.entry.kind in _SIDED or one.entry.kind == "result":
        for key, value in _narrowings(one):
            found[key].add(value)
    if side := side_of(one):
        found["side"].add(side)
    if one.entry.kind == "coverage" and not one.details.get("member_ids"):
        for payer in _forms(one.details.get("payer")):
            if words := _words(payer.get("name")):
                found["payer"].add(" ".join(sorted(words)))
    return dict(found)


def side_of(one: Statement) -> str | None:
    """left, right or bilateral, if one is told: by a qualifier, of the place, in its name."""
    if one.entry.kind not in _SIDED:
        return None
    told = {side for form in _sites(one) for side in _sides_of_site(form)}
    code = one.entry.code
    for _, value in code.qualifiers if code else ():
        told |= set(_side_of_code(value))
    if told or code is None:
        return " and ".join(sorted(told)) or None
    return side_in_words(one) or next(iter(_sides_in(code.display)), None)


def side_in_words(one: Statement) -> str | None:
    """The side that only the author's own words for the code tell."""
    code = one.entry.code
    if one.entry.kind not in _SIDED or code is None:
        return None
    return next(iter(_sides_in(code.original_text)), None)


def place_of(one: Statement) -> frozenset[str]:
    """The words of the place where somebody was seen; none where it is not named."""
    if one.entry.kind != "encounter":
        return frozenset()
    names = (form.get("name") for form in _forms(one.details.get("location")))
    return next((words for name in names if (words := _words(name))), frozenset())


def may_be_one_place(some: Iterable[frozenset[str]], others: Iterable[frozenset[str]]) -> bool:
    """Whether a name of the one may be a longer name of the other: a hospital and its ward."""
    return any(mine <= theirs or theirs <= mine for mine in some for theirs in list(others))


def _narrowings(one: Statement) -> Iterator[tuple[str, str]]:
    for form in _sites(one):
        if form.get("code"):
            yield f"site {form.get('system')}", str(form["code"])
        elif words := _words(form.get("display")):
            yield "site in words", " ".join(sorted(words))
        for qualifier in _forms(form.get("qualifiers")):
            name, value = qualifier.get("name"), qualifier.get("value")
            if isinstance(value, Mapping) and value.get("code"):
                narrowed = name.get("code") if isinstance(name, Mapping) else None
                yield f"of site {narrowed}", str(value["code"])
    code = one.entry.code
    for named, told in code.qualifiers if code else ():
        if told is not None and told.code:
            yield f"qualifier {named.code if named is not None else None}", told.code


def _sites(one: Statement) -> list[Mapping[str, Any]]:
    if one.entry.kind != "result":
        return list(_forms(one.details.get("target_site")))
    # LOINC names the specimen itself; a laboratory's own code may stand for any.
    is_named = any(system == _LOINC for system, _ in one.codes)
    told = () if is_named else _forms(one.details.get("specimen"))
    return [form for form in told if form.get("code")]


def _sides_of_site(form: Mapping[str, Any]) -> Iterator[str]:
    for qualifier in _forms(form.get("qualifiers")):
        value = qualifier.get("value")
        if isinstance(value, Mapping):
            yield from _side_of_code(CD(value.get("code"), display=value.get("display")))
    yield from _side_of_code(CD(form.get("code"), display=form.get("display")))


def _side_of_code(code: CD | None) -> Iterator[str]:
    if code is None:
        return
    if side := _SIDES.get(code.code or ""):
        yield side
    else:
        yield from _sides_in(code.display)


def _sides_in(text: str | None) -> set[str]:
    """The side that a name tells; one that tells two (a right to left shunt) tells none."""
    if not text or len(text) > _LONGEST:
        return set()
    found = {word.casefold() for word in _SIDE_WORDS.findall(text)}
    return found if len(found) == 1 else set()


def _words(text: Any) -> frozenset[str]:
    if not isinstance(text, str) or len(text) > _LONGEST:
        return frozenset()
    return frozenset(_WORDS.findall(text.casefold())) - _SAYS_LITTLE


def _forms(value: Any) -> Iterator[Mapping[str, Any]]:
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, Mapping):
            yield each
