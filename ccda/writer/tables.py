"""The narrative of a section: a table whose IDs the entries point to (CDA R2: 4.3.5)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from ccda.hl7v3 import CD
from ccda.model import Interval
from ccda.summary import LineSource, SummaryLine, SummarySection
from ccda.writer.elements import Element, add
from ccda.writer.rows import Row

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
_IDENTIFIED: Final = frozenset(("sig", "text"))
_PARTS: Final = ("display", "text", "name", "value", "unit", "code")


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
    for name, label in _DETAILS.items():
        words = _words(row.detail(name)) if row.detail(name) is not True else label
        if words:
            cell_words = add(cell, "content", words)
            if name in _IDENTIFIED:
                cell_words.set("ID", f"{row.anchor}-{name}")
            elif words != label and label:
                cell_words.text = f"{label}: {words}"
            cell_words.tail = " "
    if row.conflict:
        words = f"The {row.conflict}" if row.conflict.startswith("sources") else row.conflict
        add(cell, "content", words, ID=f"{row.anchor}-conflict", styleCode="Bold")


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
    if "period" in form or "event" in form:
        return _words([form.get("event"), form.get("period"), form.get("offset")])
    if form.get("display"):
        more = _words(form.get("severity"))
        return f"{form['display']} ({more})" if more else str(form["display"])
    if "low" in form or "high" in form:
        unit = form.get("unit")
        return f"{_words(form.get('low'))}–{_words(form.get('high'))}{f' {unit}' if unit else ''}"
    told = [_words(form[part]) for part in _PARTS if form.get(part)]
    return " ".join(told) or _words([part for part in form.values() if part])


def _source_words(row: Row, source: LineSource) -> str:
    document = row.origin.documents.get(source.document)
    told = (source.partner, document.title if document else None, source.time)
    return ", ".join(part for part in told if part) or "a document"


def _withdrawn(line: SummaryLine) -> str:
    value = words_of_value(line.value, line.unit)
    told = (f"not: {line.display}" if line.negated else line.display, value, line.start)
    return ", ".join(part for part in told if part)
