"""What stands inside a statement and is no entry of its own: priority, prognosis, scale item …

A kind's reader tells what its standard names (a severity, a reaction) in a shape of its own and
marks it `told`. Every other statement inside becomes a part, under the name its template has in
C-CDA (`_NAMES`), else under `related`, so that nothing in an entry is lost. A part is an object
of `relation`, `statement`, `templates`, `ids`, `code`, `value`, `text`, `status`, times, authors
and the parts inside it again; absent ones are left out.
"""

from collections.abc import Callable
from typing import Any, Final, cast

from ccda import templates
from ccda.hl7v3 import SDTC
from ccda.model import Entry
from ccda.narrative import Narrative
from ccda.sections.form import (
    Form,
    code_form,
    name_of,
    read_code,
    read_quantity,
    read_ratio,
    without_none,
    xml_of,
)
from ccda.sections.participants import author_forms, id_texts
from ccda.sections.particulars import read_particulars
from ccda.sections.products import product_form
from ccda.sections.statement import Statement, walk
from ccda.sections.times import read_times
from ccda.sections.udi import udi_form
from ccda.sections.value import read_value, value_form

_RELATED: Final = "related"
_DEEPEST: Final = 32
"""A part that far inside keeps what is inside it as XML, under `deeper`: documents at hand have
seven levels, and whoever reads details, orjson among them, goes down only so far."""
_NAMES: Final[dict[str, str]] = {
    root: name for name, roots in templates.PARTS.items() for root in roots
}
_TEXTS: Final = frozenset(("comment", "instruction"))


def keep_parts(top: Statement, entries: list[Entry], narrative: Narrative) -> list[Statement]:
    """Add to each entry what stands inside its statement; returns what no entry can hold."""
    if top.position is not None and not top.inner:
        return []
    more: dict[int, Form] = {}
    left: list[Statement] = []
    _keep(top, None, more, left, narrative)
    for position, form in more.items():
        # An entry just made is still nobody else's: its details grow in place.
        _join(cast(Form, entries[position].details), form)
    return left


def part_form(statement: Statement, narrative: Narrative) -> Form:
    """A whole statement in JSON form, those inside it too; each is then told."""
    statement.told = True
    form = _own_form(statement, narrative)
    waiting = [inner for inner in statement.inner if not inner.told]
    if waiting and statement.level >= _DEEPEST:
        form["deeper"] = [_as_written(inner) for inner in waiting]
        return form
    for inner in waiting:
        _add_part(form, inner, narrative)
    return form


def _as_written(statement: Statement) -> str:
    for inner in walk(statement):
        inner.told = True
    return xml_of(statement.element)


def with_parts(form: Form, statement: Statement, narrative: Narrative) -> Form:
    """`form`, a shape of its own for a statement, and the parts inside that it has not told."""
    parts: Form = {}
    for inner in statement.inner:
        if not inner.told:
            _add_part(parts, inner, narrative)
    _join(form, parts)
    return form


def is_comment(statement: Statement) -> bool:
    return statement.is_a(templates.COMMENT)


def _keep(
    statement: Statement,
    owner: int | None,
    more: dict[int, Form],
    left: list[Statement],
    narrative: Narrative,
) -> None:
    """`owner` is the position of the entry of the nearest statement around this one."""
    if statement.position is not None:
        owner = statement.position
    elif not statement.told or owner is None:
        held = _position_inside(statement) if statement.inner else None
        if statement.told:
            owner = held
        elif held is not None:
            _keep_holder(statement, more.setdefault(held, {}), narrative)
        elif owner is not None:
            _add_part(more.setdefault(owner, {}), statement, narrative)
            return
        else:
            left.append(statement)
            return
    for inner in statement.inner:
        # Most statements hold no other, and are entries or told already.
        if inner.inner or (inner.position is None and not inner.told):
            _keep(inner, owner, more, left, narrative)


def _position_inside(statement: Statement) -> int | None:
    return next((s.position for s in walk(statement) if s.position is not None), None)


def _keep_holder(statement: Statement, form: Form, narrative: Narrative) -> None:
    """A statement that only holds entries: what it says of itself goes to the first of them."""
    own = _own_form(statement, narrative)
    if own.keys() - {"statement", "relation", "mood"}:
        form.setdefault("within", []).append(own)


def _add_part(form: Form, statement: Statement, narrative: Narrative) -> None:
    name = _name(statement)
    if name == "udi":
        form.setdefault(name, []).append(udi_form(statement, narrative))
        return
    if name in _TEXTS:
        said = narrative.text(statement.text)
        said = said or name_of(narrative.code(statement.one("code")))
        if said is not None:
            form.setdefault(name, []).append(said)
        if said is not None and not statement.inner and "author" not in statement.children:
            statement.told = True
            return
        name = _RELATED
    part = part_form(statement, narrative)
    if name == _RELATED and statement.templates:
        part["templates"] = sorted(statement.templates)
    form.setdefault(name, []).append(part)


def _name(statement: Statement) -> str:
    for template in statement.all("templateId"):
        if (root := template.get("root")) in _NAMES:
            return _NAMES[root]
    if statement.name == "encounter":
        return "encounter"
    return templates.PART_BY_CODE.get(statement.code_of("code") or "", _RELATED)


def _own_form(statement: Statement, narrative: Narrative) -> Form:
    form: Form = {"statement": statement.name}
    if statement.relation is not None:
        form["relation"] = statement.relation
    if (mood := statement.get("moodCode")) is not None and mood != "EVN":
        form["mood"] = mood
    if statement.is_negated or statement.is_within_denied:
        form["negated"] = True
    elif statement.is_unrelated:
        form["unrelated"] = True
    if (null_flavor := statement.get("nullFlavor")) is not None:
        form["null_flavor"] = null_flavor
    children = statement.children
    for name in children:
        if name in _READERS:
            key, reader = _READERS[name]
            if found := reader(statement, narrative):
                form[key] = found
    if "effectiveTime" in children:
        times = read_times(statement)
        form |= times.form()
        if times.frequency:
            form["frequency"] = times.frequency
    if "value" in children:
        form |= _values(statement, narrative)
    return form | read_particulars(statement, narrative, "part", form)


def _values(statement: Statement, narrative: Narrative) -> Form:
    values = [read_value(element, narrative) for element in statement.all("value")]
    forms = [form for value in values if (form := value_form(value))]
    return without_none(
        value=forms[0] if forms else None,
        other_values=forms[1:],
        value_null_flavor=next((v.null_flavor for v in values if v.null_flavor), None),
    )


def _code(statement: Statement, narrative: Narrative) -> Form | None:
    code = narrative.code(statement.one("code"))
    form = code_form(code)
    if form is None and code is not None and code.null_flavor:
        return {"null_flavor": code.null_flavor}
    return form


_Reader = Callable[[Statement, Narrative], Any]
_READERS: Final[dict[str, tuple[str, _Reader]]] = {
    "id": ("ids", lambda s, n: id_texts(s.children)),
    "code": ("code", _code),
    "text": ("text", lambda s, n: n.text(s.text)),
    f"{{{SDTC}}}text": ("text", lambda s, n: n.text(s.text)),
    "statusCode": ("status", lambda s, n: s.status),
    "author": ("author", lambda s, n: author_forms(s.all("author"))),
    "consumable": ("product", product_form),
    "product": ("product", product_form),
    "quantity": ("quantity", lambda s, n: read_quantity(s.one("quantity"))),
    "doseQuantity": ("dose", lambda s, n: read_quantity(s.one("doseQuantity"))),
    "rateQuantity": ("rate", lambda s, n: read_quantity(s.one("rateQuantity"))),
    "maxDoseQuantity": ("max_dose", lambda s, n: read_ratio(s.one("maxDoseQuantity"))),
    "routeCode": ("route", lambda s, n: read_code(s.one("routeCode"), n)),
    "administrationUnitCode": ("form", lambda s, n: read_code(s.one("administrationUnitCode"), n)),
}


def _join(details: Form, more: Form) -> None:
    """`more` behind what the kind's reader said under the same name."""
    for name, parts in more.items():
        # Where the kind tells one of them in a shape of its own, the others are related.
        key = name if isinstance(details.get(name, []), list) else _RELATED
        details[key] = [*details.get(key, ()), *parts]
