"""Looking into a resource: whether an element is there, or says why it is not."""

from collections.abc import Callable
from typing import Any

from ccda.fhir.times import ABSENT, Json

Look = Callable[[Any], bool]


def look_for(path: str) -> Look:
    """Whether the element at a path is there, or says why it is not; in a list, in each item.

    `value[x]` is any of its choices, and what follows `telecom?` is needed where that is there.
    """
    name, _, below = path.partition(".")
    rest = look_for(below) if below else None
    if name.endswith("?"):
        return _each(_optional(name[:-1], rest))
    return _each(_choice(name[:-3], rest) if name.endswith("[x]") else _named(name, rest))


def _each(look: Callable[[Json], bool]) -> Look:
    def each(form: Any) -> bool:
        if isinstance(form, dict):
            return look(form)
        return isinstance(form, list) and all(map(each, form))

    return each


def _optional(name: str, rest: Look | None) -> Callable[[Json], bool]:
    return lambda form: form.get(name) is None or rest is None or rest(form[name])


def _named(name: str, rest: Look | None) -> Callable[[Json], bool]:
    why = f"_{name}"
    if rest is None:
        return lambda form: name in form or why in form
    return lambda form: any(
        rest(form[key]) or is_absent(form[key]) for key in (name, why) if key in form
    )


def _choice(stem: str, rest: Look | None) -> Callable[[Json], bool]:
    starts = (stem, f"_{stem}")

    def look(form: Json) -> bool:
        found = [key for key in form if key.startswith(starts) and _is_choice(key, stem)]
        return any(rest is None or rest(form[key]) or is_absent(form[key]) for key in found)

    return look


def _is_choice(key: str, stem: str) -> bool:
    return key.removeprefix("_")[len(stem) : len(stem) + 1].isupper()


def is_absent(form: Any) -> bool:
    extensions = form.get("extension", ()) if isinstance(form, dict) else ()
    return any(one.get("url") == ABSENT for one in extensions)


def codes_in(form: Any) -> set[str]:
    """All codes in a CodeableConcept or a list of them; a bare code has no coding."""
    concepts = form if isinstance(form, list) else [form]
    return {
        one["code"] for said in concepts if isinstance(said, dict) for one in said.get("coding", ())
    }
