"""The narrative of a section: a table whose IDs the entries point to (CDA R2: 4.3.5)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from ccda.hl7v3 import CD
from ccda.model import Interval
from ccda.summary import LineSource, SummaryLine, SummarySection
from ccda.writer.elements import Element, add
from ccda.writer.rows import Row
from ccda.writer.values import list_of

_COLUMNS: Final = ("What", "Status", "From", "To", "Value", "Details", "According to")

# What is told beside the value, in this order, under these words.
_DETAILS: Final = {
    "text": "", "sig": "", "dose": "dose", "route": "by", "frequency": "every", "rate": "rate",
    "max_dose": "at most", "form": "as", "supply": "supplied", "specimen": "specimen",
    "method": "method",
    "lot_number": "lot", "manufacturer": "made by", "refusal_reason": "because",
    "reaction": "reaction", "severity": "severity", "criticality": "criticality", "age": "at age",
    "interpretation": "", "reference_range": "reference", "relative": "relative",
    "cause_of_death": "died of it", "question": "asked", "indication": "for",
    "precondition": "if", "instruction": "", "target_site": "site", "location": "at",
    "performer": "by", "payer": "payer", "member_ids": "member number", "device": "device",
    "quantity": "quantity", "concerns": "about", "parties": "with", "comment": "",
}  # fmt: skip
_PARTS: Final = ("text", "name", "value", "unit", "code")
_UNTOLD: Final = frozenset(("statement", "exclusive", "panel", "value_null_flavor", "concern"))
_IDENTIFIED: Final = frozenset(("sig", "text"))
_MOODS: Final = {
    "INT": "intended", "RQO": "ordered", "PRMS": "promised", "PRP": "proposed", "GOL": "goal",
    "ARQ": "appointment asked for", "APT": "appointment made",
}  # fmt: skip
_EACH_IDENTIFIED: Final = frozenset(("comment", "instruction"))
# What only tells how a detail was written, or stands in the entry alone.
_UNSPOKEN: Final = frozenset(
    "system templates statement relation operator institution_specified exclusive panel "
    "value_null_flavor null_flavor mood concern status_code clinical_status".split()
)


def write_narrative(
    parent: Element, section: SummarySection, rows: Sequence[Row], nothing: Mapping[str, str]
) -> None:
    """section/text. `nothing` is what the sources say there is none of, by narrative ID."""
    text = add(parent, "text")
    if rows:
        _write_table(text, rows)
    for anchor, words in nothing.items():
        add(text, "paragraph", words, ID=anchor)
    if not rows and not nothing:
        add(text, "paragraph", "No information.")
    withdrawn = [line for line in section.lines if line.withdrawn]
    if withdrawn:
        add(text, "paragraph", "No longer said by the newest version of its document:")
        items = add(text, "list")
        for line in withdrawn:
            add(items, "item", _withdrawn(line))


def words_of_value(value: str | CD | Interval | None, unit: str | None) -> str:
    """A value as people write it."""
    match value:
        case CD():
            return value.display or value.original_text or value.code or ""
        case Interval(low=low, high=high):
            text = f"{low}–{high}" if low and high else f"≥ {low}" if low else f"≤ {high}"
        case _:
            text = value or ""
    return f"{text} {unit}" if text and unit and unit != "1" else text


def _write_table(text: Element, rows: Iterable[Row]) -> None:
    table = add(text, "table")
    heads = add(add(table, "thead"), "tr")
    for column in _COLUMNS:
        add(heads, "th", column)
    body = add(table, "tbody")
    for row in rows:
        _write_row(add(body, "tr", ID=row.anchor), row)


def _write_row(element: Element, row: Row) -> None:
    name = add(element, "td")
    if row.line.negated:
        name.text = "Not: "
    add(name, "content", row.line.display, ID=f"{row.anchor}-name")
    for words in (row.status, row.start, row.end, words_of_value(row.value, row.unit)):
        add(element, "td", words or "")
    _write_details(add(element, "td"), row)
    sources = dict.fromkeys(_source_words(row, source) for source in row.sources)
    add(element, "td", "; ".join(sources))


def _write_details(cell: Element, row: Row) -> None:
    """Every detail in words, so that what an entry has no place for is told all the same."""
    others = (name for name in row.line.details if name not in _DETAILS and name not in _UNTOLD)
    for name in (*_DETAILS, *others):
        label = _DETAILS.get(name, name.replace("_", " "))
        if name in _EACH_IDENTIFIED:
            _write_each(cell, row, name)
            continue
        words = _words(row.detail(name)) if row.detail(name) is not True else label
        if words:
            cell_words = add(cell, "content", words)
            if name in _IDENTIFIED:
                cell_words.set("ID", f"{row.anchor}-{name}")
            elif words != label and label:
                cell_words.text = f"{label}: {words}"
            cell_words.tail = " "
    if row.line.mood in _MOODS:
        add(cell, "content", _MOODS[row.line.mood]).tail = " "
    if row.conflict:
        words = f"The {row.conflict}" if row.conflict.startswith("sources") else row.conflict
        add(cell, "content", words, ID=f"{row.anchor}-conflict", styleCode="Bold")


def _write_each(cell: Element, row: Row, name: str) -> None:
    """Texts that an entry points to one by one."""
    for number, said in enumerate(list_of(row.detail(name)), 1):
        if words := _words(said):
            add(cell, "content", words, ID=f"{row.anchor}-{name}-{number}").tail = " "


def _words(form: Any) -> str:
    """A detail in words, whatever its form."""
    match form:
        case None | True | False:
            return ""
        case Mapping():
            return _words_of_form(form)
        case list() | tuple():
            return ", ".join(filter(None, map(_words, form)))
        case _:
            return str(form)


def _words_of_form(form: Mapping[str, Any]) -> str:
    """What it is called or measures, and in brackets all else that it says."""
    core, spoken = _core(form)
    rest = ((name, part) for name, part in form.items() if name not in spoken | _UNSPOKEN)
    more = [f"{name.replace('_', ' ')}: {words}" for name, part in rest if (words := _words(part))]
    more += [name.replace("_", " ") for name, part in form.items() if part is True]
    return f"{core} ({', '.join(more)})" if core and more else core or ", ".join(more)


def _core(form: Mapping[str, Any]) -> tuple[str, frozenset[str]]:
    """The words that come first, and the parts that they say."""
    if "period" in form or "event" in form:
        parts = [form.get("event"), form.get("period"), form.get("offset")]
        return _words(parts), frozenset(("event", "period", "offset"))
    if "low" in form or "high" in form:
        unit = f" {form['unit']}" if form.get("unit") else ""
        bounds = f"{_words(form.get('low'))}–{_words(form.get('high'))}{unit}"
        return bounds, frozenset(("low", "high", "unit"))
    if form.get("display"):
        same = {"text"} if form.get("text") == form["display"] else set()
        return str(form["display"]), frozenset({"display", "code"} | same)
    told = [name for name in _PARTS if form.get(name)]
    return " ".join(_words(form[name]) for name in told), frozenset(told)


def _source_words(row: Row, source: LineSource) -> str:
    document = row.origin.documents.get(source.document)
    told = (source.partner, document.title if document else None, source.time)
    return ", ".join(part for part in told if part) or "a document"


def _withdrawn(line: SummaryLine) -> str:
    value = words_of_value(line.value, line.unit)
    told = (f"not: {line.display}" if line.negated else line.display, value, line.start)
    return ", ".join(part for part in told if part)
