"""Codes, values, times, ids and authors as JSON values, and read back from them.

Times are ISO 8601 as precise as they were written, ids `root^extension`. What that spelling
cannot hold stands under a key of its own that is there only when needed.
"""

from typing import Any, Final

from ccda.hl7v3 import CD, II, TS, hl7_time, iso_time
from ccda.model import Author, Interval

Json = dict[str, Any]

_CODE_EXTRAS: Final = ("system_name", "original_text", "reference", "null_flavor")

# ---- codes and values ------------------------------------------------------------------------


def code_json(code: CD) -> Json:
    """A code without its translations, which stand beside it."""
    form: Json = {"code": code.code, "system": code.system, "display": code.display}
    for name in _CODE_EXTRAS:
        extra = getattr(code, name)
        if extra is not None:
            form[name] = extra
    return form


def codes_json(codes: tuple[CD, ...]) -> list[Json]:
    return [whole_code_json(code) for code in codes]


def whole_code_json(code: CD) -> Json:
    form = code_json(code)
    if code.translations:
        form["translations"] = codes_json(code.translations)
    return form


def read_code(form: Json, translations: list[Json]) -> CD:
    return CD(
        form["code"],
        form["system"],
        form["display"],
        form.get("system_name"),
        form.get("original_text"),
        form.get("reference"),
        form.get("null_flavor"),
        tuple(read_code(t, t.get("translations", [])) for t in translations),
    )


def value_json(value: str | CD | Interval | None) -> str | Json | None:
    if isinstance(value, CD):
        return whole_code_json(value)
    if isinstance(value, Interval):
        return {"low": value.low, "high": value.high}
    return value


def read_value(form: str | Json | None) -> str | CD | Interval | None:
    if not isinstance(form, dict):
        return form
    if "low" in form:
        return Interval(form["low"], form["high"])
    return read_code(form, form.get("translations", []))


# ---- times, ids, authors ---------------------------------------------------------------------


def put_time(form: Json, name: str, time: TS | None) -> None:
    """The ISO time under `name`; what that loses under `null_flavors` or `written`."""
    if time is None:
        form[name] = None
        return
    iso = form[name] = iso_time(time.value)
    if time.null_flavor is not None:
        form.setdefault("null_flavors", {})[name] = time.null_flavor
    if (iso is None and time.null_flavor is None) or (iso and hl7_time(iso) != time.value):
        form.setdefault("written", {})[name] = time.value


def read_time(form: Json, name: str) -> TS | None:
    iso = form[name]
    null_flavor = form.get("null_flavors", {}).get(name)
    written = form.get("written", {})
    if name in written:
        return TS(written[name], null_flavor)
    if iso is None and null_flavor is None:
        return None
    return TS(None if iso is None else hl7_time(iso), null_flavor)


def put_identifiers(form: Json, identifiers: tuple[II, ...]) -> None:
    """`identifiers`, in full, where the texts under `ids` would not give them back."""
    if tuple(_read_id(text) for text in form["ids"]) != identifiers:
        form["identifiers"] = [
            [i.root, i.extension, i.assigning_authority, i.null_flavor] for i in identifiers
        ]


def read_identifiers(form: Json) -> tuple[II, ...]:
    if "identifiers" in form:
        return tuple(II(*parts) for parts in form["identifiers"])
    return tuple(_read_id(text) for text in form["ids"])


def _read_id(text: str) -> II:
    root, separator, extension = text.partition("^")
    return II(root or None, extension if separator else None)


def author_json(author: Author) -> Json:
    form: Json = {
        "name": author.name,
        "organization": author.organization,
        "device": author.device,
    }
    put_time(form, "time", author.time)
    if author.ids:
        form["ids"] = [str(identifier) for identifier in author.ids]
        put_identifiers(form, author.ids)
    return form


def read_author(form: Json) -> Author:
    return Author(
        form["name"],
        form["organization"],
        form["device"],
        read_time(form, "time"),
        read_identifiers({"ids": [], **form}),
    )
