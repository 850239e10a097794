"""What is known of a person, for the eyes of whoever decides whether two are one."""

from collections.abc import Iterator
from typing import Any

from ccda.hl7v3 import AD
from ihe.discovery import Demographics


def person_json(known: Demographics) -> dict[str, Any]:
    """Names, birth date, gender, addresses and telephone numbers; no identifier of any kind."""
    return {
        "names": [str(name) for name in known.names],
        "birth_date": known.birth_time.iso if known.birth_time else None,
        "gender": known.gender,
        "addresses": [text for one in known.addresses if (text := _address(one))],
        "telecoms": [one.value for one in known.telecoms if one.value],
    }


def person_words(known: Demographics) -> str:
    """The same in a line."""
    form = person_json(known)
    return "; ".join(_parts(form)) or "nothing"


def _parts(form: dict[str, Any]) -> Iterator[str]:
    yield from form["names"]
    if form["birth_date"]:
        yield f"born {form['birth_date']}"
    if form["gender"]:
        yield form["gender"]
    yield from form["addresses"]
    yield from form["telecoms"]


def _address(one: AD) -> str:
    parts = (*one.lines, one.city, one.state, one.postal_code, one.country)
    return ", ".join(part for part in parts if part) or one.text or ""
