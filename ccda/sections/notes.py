"""Notes written by clinicians, in whatever section they stand (C-CDA R2.1 companion: 4.202)."""

from collections.abc import Iterator

from ccda import templates
from ccda.model import Entry
from ccda.narrative import Narrative
from ccda.sections.entry import make_entry
from ccda.sections.form import without_none
from ccda.sections.statement import Statement, walk


def read(top: Statement, narrative: Narrative) -> Iterator[Entry]:
    """Every Note Activity in an entry that has not become an entry already."""
    for statement in walk(top):
        if statement.name == "act" and statement.position is None and is_note(statement):
            text = statement.one("text")
            code = narrative.code(statement.one("code"))
            named = code is not None and code.original_text is not None
            yield make_entry(
                statement,
                "note",
                narrative,
                code=code,
                details=without_none(
                    # The entry's text is then the words of its code.
                    content=narrative.text(text) if named else None,
                    media_type=None if text is None else text.get("mediaType"),
                    representation=None if text is None else text.get("representation"),
                ),
            )


def is_note(statement: Statement) -> bool:
    """By its template, or as an act whose code is that of any note (LOINC 34109-9)."""
    if statement.name != "act":
        return False
    return statement.code_of("code") == templates.NOTE or statement.is_a(templates.NOTE_ACTIVITY)
