"""FHIR R4 datatypes from CDA's: CodeableConcept, Identifier, Quantity, Annotation …

HL7 C-CDA on FHIR 2.0.0, mapping guidance. What says nothing is None, so that an element without
content never appears.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ccda.fhir.numbers import number
from ccda.fhir.systems import UCUM, URI, code_system, holds, identifier_system, is_hl7, root_uri
from ccda.fhir.times import Json
from ccda.fhir.units import ucum
from ccda.hl7v3 import AD, CD, II, PN, TEL

_NAME_USES: Final = {"A": "nickname", "C": "official", "L": "usual", "P": "nickname"}
_ADDRESS_USES: Final = {
    "BAD": "old", "H": "home", "HP": "home", "HV": "home", "TMP": "temp", "WP": "work",
    "DIR": "work", "PUB": "work",
}  # fmt: skip
_TELECOM_USES: Final = {
    "AS": "work", "BAD": "old", "DIR": "work", "H": "home", "HP": "home", "HV": "home",
    "MC": "mobile", "PG": "mobile", "PUB": "work", "TMP": "temp", "WP": "work",
}  # fmt: skip
_MEDIA_TYPE: Final = re.compile(r"[a-z]+/[a-z0-9.+_-]+")
_SCHEMES: Final = {"tel": "phone", "fax": "fax", "mailto": "email", "http": "url", "https": "url"}


def stated(**parts: Any) -> Json:
    """The elements that say something."""
    return {
        name: part
        for name, part in parts.items()
        if part or (part is not None and not isinstance(part, list))
    }


def words(text: object) -> str | None:
    """Text as a FHIR string, which is never blank."""
    return text.strip() or None if isinstance(text, str) else None


def many(detail: object) -> list[Any]:
    """What stands in a detail that is one thing or a list of them."""
    return detail if isinstance(detail, list) else [] if detail is None else [detail]


def told(form: object) -> object:
    """What a detail says; of a whole statement inside another one, its value."""
    return form.get("value") if isinstance(form, dict) and "statement" in form else form


# ---- codes -----------------------------------------------------------------------------------


def code_of(form: object) -> CD | None:
    """The code that stands in the details as `{"code", "system", "display"}`."""
    if isinstance(form, str):
        return CD(None, original_text=form) if form.strip() else None
    form = told(form)
    if not isinstance(form, dict):
        return None
    if not isinstance(form.get("code"), str | None):
        return code_of(form["code"])
    return CD(
        form.get("code"),
        form.get("system"),
        form.get("display"),
        original_text=form.get("text") or None,
    )


def coding(code: CD) -> Json | None:
    """A code in its system; None where there is only a name."""
    written = " ".join(code.code.split()) if code.code else ""
    if not written:
        return None
    system = code_system(code.system)
    if system is None or not holds(system, written):
        found = {"code": written}
    else:
        found = {"system": system, "code": written}
        if is_hl7(system):
            # HL7's own tables say how they are displayed; the document's words go to the text.
            return found
    display = words(code.display)
    if display is not None:
        found["display"] = display
    return found


def concept(code: CD | None, text: str | None = None) -> Json | None:
    """A CodeableConcept: the code and its translations, and what people would call it."""
    if code is None:
        return {"text": text.strip()} if text and text.strip() else None
    first = coding(code)
    codings = [] if first is None else [first]
    for one in code.translations:
        found = coding(one)
        if found is not None and all(_key(found) != _key(known) for known in codings):
            codings.append(found)
    said: Json = {"coding": codings} if codings else {}
    name = words(code.original_text) or words(text) or words(code.display) or _named(code)
    if name is not None:
        said["text"] = name
    return said or None


def _named(code: CD) -> str | None:
    return next((name for one in code.translations if (name := words(one.display))), None)


def form_concept(form: object) -> Json | None:
    return concept(code_of(form))


def is_negated(form: object) -> bool:
    """Whether the document says that what a detail tells is not so."""
    return isinstance(form, dict) and bool(form.get("negated"))


def concepts(detail: object) -> list[Json]:
    return [found for form in many(detail) if (found := form_concept(form)) is not None]


def of_system(system: str, code: str, display: str | None = None) -> Json:
    """A CodeableConcept of one code that we choose ourselves."""
    return {"coding": [stated(system=system, code=code, display=display)]}


def _key(found: Json) -> tuple[Any, Any]:
    return found.get("system"), found["code"]


# ---- identifiers -----------------------------------------------------------------------------


def identifier(given: II) -> Json | None:
    """C-CDA on FHIR: CDA id to FHIR identifier; a root alone is itself the value."""
    extension = words(given.extension)
    if extension is None:
        value = root_uri(given.root) if given.root else None
        return {"system": URI, "value": value} if value else None
    assigner = words(given.assigning_authority)
    return stated(
        system=identifier_system(given.root),
        value=extension,
        assigner={"display": assigner} if assigner else None,
    )


def identifiers(given: Iterable[II]) -> list[Json]:
    return [found for one in given if (found := identifier(one)) is not None]


def id_of_text(text: object) -> II:
    """The id that was written as `root^extension`."""
    root, _, extension = str(text).partition("^")
    return II(root or None, extension or None)


def text_identifiers(texts: object) -> list[Json]:
    return identifiers(id_of_text(text) for text in many(texts))


# ---- quantities ------------------------------------------------------------------------------


def quantity(value: object, unit: object = None, comparator: str | None = None) -> Json | None:
    """A number in a unit. UCUM stands as a code only where the unit surely is one."""
    amount = number(value) if isinstance(value, str) else None
    if amount is None:
        return None
    written = words(unit)
    code = ucum(written) if written and written != "1" else written
    return stated(
        value=amount,
        comparator=comparator,
        unit=written,
        system=UCUM if code else None,
        code=code,
    )


def form_quantity(form: object) -> Json | None:
    """The quantity of `{"value", "unit"}`; of a range its low bound is not the quantity."""
    form = told(form)
    if not isinstance(form, dict):
        return None
    return quantity(form.get("value"), form.get("unit"))


def form_range(form: object) -> Json | None:
    """The range of `{"low", "high"}`, whose bounds are texts in one unit or quantities."""
    if not isinstance(form, dict):
        return None
    bounds = {}
    for name in ("low", "high"):
        bound = form.get(name)
        found = (
            quantity(bound, form.get("unit")) if isinstance(bound, str) else form_quantity(bound)
        )
        if found is not None:
            bounds[name] = found
    return ordered_range(bounds)


def ordered_range(bounds: Json) -> Json | None:
    """FHIR R4: rng-2, the low bound is not above the high one."""
    if len(bounds) == 2 and float(bounds["low"]["value"]) > float(bounds["high"]["value"]):
        return None
    return bounds or None


# ---- people and places -----------------------------------------------------------------------


def human_name(name: PN) -> Json | None:
    form = stated(
        use=_use(name.use, _NAME_USES),
        text=words(name.text),
        family=words(name.family),
        given=[part for part in name.given if part.strip()],
        prefix=[part for part in name.prefix if part.strip()],
        suffix=[part for part in name.suffix if part.strip()],
    )
    return form if form.keys() - {"use"} else None


def address(given: AD) -> Json | None:
    form = stated(
        use=_use(given.use, _ADDRESS_USES),
        line=[line for line in given.lines if line.strip()],
        city=words(given.city),
        district=words(given.county),
        state=words(given.state),
        postalCode=words(given.postal_code),
        country=words(given.country),
    )
    return form if form.keys() - {"use"} else None


def media_type(written: object) -> str | None:
    """A media type as FHIR's code, parameters aside."""
    name = (words(written) or "").partition(";")[0].strip().lower()
    return name if _MEDIA_TYPE.fullmatch(name) else None


def telecom(given: TEL) -> Json | None:
    """CDA writes a URL; what has no scheme is taken for a telephone number, as CDA's readers do."""
    value = words(given.value)
    if value is None:
        return None
    scheme, colon, rest = value.partition(":")
    system = _SCHEMES.get(scheme.lower()) if colon else None
    if system is None:
        system, rest = ("email" if "@" in value else "phone" if not colon else "other"), value
    shown = value if system == "url" else words(rest)
    if shown is None:
        return None
    return stated(system=system, value=shown, use=_use(given.use, _TELECOM_USES))


def addresses(forms: object) -> list[Json]:
    """Addresses as they stand in details."""
    given = (
        AD(
            tuple(form.get("lines", ())),
            form.get("city"),
            form.get("state"),
            form.get("postal_code"),
            form.get("country"),
            form.get("county"),
            form.get("use"),
        )
        for form in many(forms)
    )
    return [found for one in given if (found := address(one)) is not None]


def telecoms(forms: object) -> list[Json]:
    given = (TEL(form.get("value"), form.get("use")) for form in many(forms))
    return [found for one in given if (found := telecom(one)) is not None]


def _use(written: str | None, uses: Mapping[str, str]) -> str | None:
    """The first of several uses that FHIR knows: `HP PUB`."""
    known = (uses.get(word) for word in (written or "").split())
    return next((use for use in known if use), None)


def notes(*texts: object) -> list[Json]:
    """Annotations, each text once."""
    said = [text for one in texts for part in many(one) if (text := words(part))]
    return [{"text": text} for text in dict.fromkeys(said)]
