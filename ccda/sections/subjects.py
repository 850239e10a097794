"""Whom a statement is about where that is not the patient: a newborn, a donor (CDA R2: 4.3.8.1).

A subject named once holds for all that stands inside, until something names its own or says that
nothing is conducted to it (CDA R2: 4.4, context conduction).
"""

from typing import Final

from ccda.model import Kind
from ccda.narrative import Narrative
from ccda.safe_xml import Element
from ccda.sections.form import Form
from ccda.sections.participants import read_subject
from ccda.sections.statement import Children, Statement, first

_NO: Final = frozenset(("false", "0"))


def conducted_subject(statement: Statement, kind: Kind, narrative: Narrative) -> Form | None:
    """The subject that a statement has from what it stands in; None where it names its own.

    A relative of the family history is an entry, which its conditions name as their parent: that
    they are the relative's is told by that.
    """
    if names_someone(statement.children):
        return None
    holder = next((one for one in statement.ancestors() if names_someone(one.children)), None)
    if holder is None and statement.section_subject is None:
        return None
    if kind == "family_history" and holder is not None and holder.position is not None:
        return None
    if not _is_conducted(statement, holder):
        return None
    whose = statement.section_subject if holder is None else holder.one("subject")
    return read_subject(whose, narrative)


def subject_of(statement: Statement) -> Element | None:
    """The relatedSubject of a statement, its own or that of the nearest it stands in."""
    around = (statement, *statement.ancestors())
    holder = next((one for one in around if names_someone(one.children)), None)
    whose = statement.section_subject if holder is None else holder.one("subject")
    return first(whose, "relatedSubject")


def names_someone(children: Children) -> bool:
    """Whether a statement or a section has a subject of its own."""
    found = children.get("subject")
    return found is not None and first(found[0], "relatedSubject") is not None


def _is_conducted(statement: Statement, holder: Statement | None) -> bool:
    """Whether nothing on the way from the holder, or else the section, keeps it back."""
    inside: Statement | None = statement
    while inside is not None and inside is not holder:
        relationship: Element | None = inside.element.getparent()
        if relationship is not None and relationship.get("contextConductionInd") in _NO:
            return False
        inside = inside.above
    return True
