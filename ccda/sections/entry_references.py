"""Entry References (C-CDA R2.1: 3.27, 4.122): an act that only names another entry by its id.

A reference may point across sections, so it is resolved once all of them are read: `path` and
`kind` are those of the entry it names, left out where no entry has the id.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ccda.model import Section
from ccda.sections.form import Form


def resolve_entry_references(sections: Iterable[Section]) -> None:
    """Add to each reference in the details where the entry stands that it names."""
    references: list[Form] = []
    known: dict[str, Form] = {}
    for section in sections:
        for entry in section.entries:
            found = {"path": entry.path, "kind": entry.kind}
            # A reference may name the act around a condition instead of the condition.
            around = [entry.details.get("concern") or {}, *entry.details.get("within", ())]
            for identifier in (str(identifier) for identifier in entry.ids):
                known.setdefault(identifier, found)
            for form in around:
                for identifier in form.get("ids", ()):
                    known.setdefault(identifier, found)
            references.extend(_references_in(entry.details))
        for raw in section.raw_entries:
            references.extend(_references_in(raw.details))
    for reference in references:
        reference |= next((known[i] for i in reference.get("ids", ()) if i in known), {})


def _references_in(form: Mapping[str, Any] | list[Any]) -> Iterator[Form]:
    if isinstance(form, list):
        for part in form:
            if isinstance(part, dict | list):
                yield from _references_in(part)
        return
    for name, part in form.items():
        if name == "entry_reference":
            yield from part
        elif isinstance(part, dict | list):
            yield from _references_in(part)
