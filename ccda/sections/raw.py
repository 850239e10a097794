"""What no reader knows, kept as written; and what a section says of itself (CDA R2: 4.3.5)."""

from typing import Final

from ccda.model import RawEntry
from ccda.narrative import Narrative
from ccda.safe_xml import Element
from ccda.sections.form import Form, without_none, xml_of
from ccda.sections.participants import id_texts, read_assigned, read_subject
from ccda.sections.parts import part_form
from ccda.sections.statement import Children, Statement, children_of, local_name

_OWN: Final = frozenset(("id", "informant", "subject", "languageCode"))
_SAID: Final = frozenset(("statement", "text"))


def raw_entry(element: Element, path: str) -> RawEntry:
    """An element that could not be read, or that holds no statement: its own XML alone."""
    roots = (template.get("root") for template in children_of(element).get("templateId", ()))
    return RawEntry(
        path=path,
        xml=xml_of(element),
        line=element.sourceline,
        statement=local_name(element),
        templates=tuple(dict.fromkeys(root for root in roots if root)),
    )


def raw_statement(statement: Statement, narrative: Narrative) -> RawEntry:
    """A statement of no kind we index, with all it says in the form of a part."""
    form = part_form(statement, narrative)
    roots = (template.get("root") for template in statement.all("templateId"))
    return RawEntry(
        path=statement.path,
        xml=xml_of(statement.element),
        line=statement.element.sourceline,
        statement=statement.name,
        templates=tuple(dict.fromkeys(root for root in roots if root)),
        code=narrative.code(statement.one("code")),
        text=narrative.text(statement.text),
        details={name: value for name, value in form.items() if name not in _SAID},
    )


def section_details(children: Children, narrative: Narrative) -> Form:
    """`ids`, `informant`, `subject` and `language` of a section that has its own."""
    if _OWN.isdisjoint(children):
        return {}
    subject = children.get("subject")
    language = children.get("languageCode")
    return without_none(
        ids=id_texts(children),
        informant=read_assigned(children.get("informant", ()), narrative),
        subject=None if subject is None else read_subject(subject[0], narrative),
        language=None if language is None else language[0].get("code"),
    )
