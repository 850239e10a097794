"""Of whom a statement speaks, where it is not the member: of a relative, a newborn, a donor."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from gateway.exchange.statements import Statement, code_key

Person = Mapping[str, frozenset[str]]
"""What tells one person from others, by the kind of mark; empty for the member."""

_CODE: Final = "code"
_WORDS: Final = "words"
_BORN: Final = "born"
_NUMBER: Final = "number "
"""An identifier: within what stands after this, another is another person."""
_PLACE: Final = "place "
_DEFAULT: Final = "another person"
# The member in words: a subject that is none.
_SELF: Final = frozenset({"SELF", "ONESELF"})
# Of these relatives there is one, whatever number a system gives in each place.
_ONLY_ONE: Final = frozenset(
    f"{system} {code}"
    for system, codes in (
        ("2.16.840.1.113883.5.111", "MTH FTH NMTH NFTH GESTM MGRMTH MGRFTH PGRMTH PGRFTH"),
        ("2.16.840.1.113883.6.96", "72705000 66839005 65656005 9947008"),
    )
    for code in codes.split()
)


def person_of(one: Statement) -> Person:
    """The marks of whom it speaks."""
    if one.entry.kind == "family_history":
        relation = one.details.get("relative")
        ids, born = one.details.get("relative_ids"), one.details.get("relative_birth_time")
    else:
        subject = other_person(one.details)
        if subject is None:
            return {}
        relation = subject.get("relationship")
        ids, born = subject.get("ids"), subject.get("birth_time")
    marks = _relation_marks(relation) if isinstance(relation, Mapping) else {}
    if not marks and one.entry.kind != "family_history":
        marks = {_WORDS: frozenset({_DEFAULT})}
    if not marks.get(_CODE, frozenset()) & _ONLY_ONE:
        marks |= _own_marks(one, _texts(ids), str(born or ""))
    return marks


def other_person(details: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Whom it is about, where that is stated not to be the member."""
    subject = details.get("subject")
    if not isinstance(subject, Mapping):
        return None
    relation = subject.get("relationship")
    told = relation.get("code") if isinstance(relation, Mapping) else None
    return None if told in _SELF else subject


def whose(details: Mapping[str, Any]) -> str | None:
    """The other person in words: by relationship, as the source calls it."""
    subject = other_person(details)
    if subject is None:
        return None
    relation = subject.get("relationship")
    named = relation if isinstance(relation, Mapping) else {}
    return str(named.get("display") or named.get("code") or _DEFAULT)


def is_one_person(one: Person, other: Person) -> bool:
    """Whether two may be the same: first by how they are related, then by what is theirs alone."""
    if not _is_one_relation(one, other):
        return False
    shared = [mark for mark in one if mark in other]
    # An identifier says more than a year of birth, and that more than where it was written.
    for kind in (_NUMBER, _BORN, _PLACE):
        if marks := [mark for mark in shared if mark.startswith(kind)]:
            return any(one[mark] & other[mark] for mark in marks)
    return True


def _is_one_relation(one: Person, other: Person) -> bool:
    """Words count only where one of the two has no code."""
    for mark in (_CODE, _WORDS):
        if mark in one and mark in other:
            return bool(one[mark] & other[mark])
    return not any(mark in marks for mark in (_CODE, _WORDS) for marks in (one, other))


def _relation_marks(relation: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """Its codes, with translations, and its words."""
    forms = [relation, *_forms(relation.get("translations"))]
    codes = {_joined(form) for form in forms if form.get("code")}
    words = " ".join(str(relation.get("display") or "").casefold().split())
    found = {_CODE: frozenset(codes), _WORDS: frozenset({words} if words else ())}
    return {mark: values for mark, values in found.items() if values}


def _own_marks(one: Statement, ids: Iterable[str], born: str) -> dict[str, frozenset[str]]:
    """What tells one brother from another.

    An id counts for whoever gave it, and in its own document whatever it is; so does it there
    that two relatives are written of apart.
    """
    found: dict[str, set[str]] = defaultdict(set)
    document = f"{_NUMBER}in {one.document.id}"
    for text in ids:
        found[document].add(text)
        root, _, extension = text.partition("^")
        if root and extension:
            found[f"{_NUMBER}of {root}"].add(extension)
    if born[:4].isdigit():
        found[_BORN].add(born[:4])
    if one.group is not None:
        found[f"{_PLACE}in {one.document.id}"].add(one.group)
    return {mark: frozenset(values) for mark, values in found.items()}


def _joined(form: Mapping[str, Any]) -> str:
    return " ".join(code_key(str(form.get("system") or ""), str(form["code"])))


def _texts(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []


def _forms(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
