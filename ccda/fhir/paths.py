"""Looking into a resource: whether an element is there, or says why it is not."""

from collections.abc import Sequence
from typing import Any

from ccda.fhir.times import ABSENT


def has(form: Any, path: Sequence[str]) -> bool:
    """Whether the element is there, or says why it is not; in a list, in each of its items."""
    if not path:
        return True
    if isinstance(form, list):
        return all(has(item, path) for item in form)
    if not isinstance(form, dict):
        return False
    name, rest = path[0], path[1:]
    if not rest and name in form:
        return True
    if name.endswith("?"):
        found = form.get(name[:-1])
        return found is None or has(found, rest)
    if name.endswith("[x]"):
        stem = name[:-3]
        names = [key for key in form if _is_choice(key.removeprefix("_"), stem)]
    else:
        names = [key for key in (name, f"_{name}") if key in form]
    return any(has(form[key], rest) or is_absent(form[key]) for key in names)


def _is_choice(key: str, stem: str) -> bool:
    return key.startswith(stem) and key[len(stem) : len(stem) + 1].isupper()


def is_absent(form: Any) -> bool:
    extensions = form.get("extension", ()) if isinstance(form, dict) else ()
    return any(one.get("url") == ABSENT for one in extensions)


def codes_in(form: Any) -> set[str]:
    """All codes in a CodeableConcept or a list of them."""
    concepts = form if isinstance(form, list) else [form] if form else []
    return {one["code"] for said in concepts for one in said.get("coding", ())}
