"""A whole C-CDA document: bytes in, `ClinicalDocument` out (CDA R2; C-CDA R1.1 to R4; C32).

Strategy: sections are found in document order, nested ones included, and each is known by its
LOINC code, else by its template, else by what its entries are. Its entries go to the reader of
that kind. Nothing an entry holds can lose the rest: what breaks becomes an `Issue`.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from ccda import header
from ccda.body import read_body
from ccda.errors import DoctypeRefused, MalformedXml, NotAClinicalDocument
from ccda.hl7v3 import CD, v3
from ccda.model import ClinicalDocument, Entry, Issue, RawEntry, Section, Severity
from ccda.namespaces import normalize
from ccda.narrative import Narrative, words
from ccda.participations import head_of
from ccda.safe_xml import Element, parse_for_names
from ccda.sections import (
    advance_directives,
    allergies,
    care_teams,
    coverage,
    devices,
    encounters,
    family_history,
    functional_status,
    immunizations,
    medications,
    notes,
    plans,
    problems,
    procedures,
    results,
    social_history,
    unknown,
)
from ccda.sections.entry_references import resolve_entry_references
from ccda.sections.participants import read_authors
from ccda.sections.parts import keep_parts
from ccda.sections.raw import raw_entry, raw_statement, section_details
from ccda.sections.statement import (
    Children,
    Statement,
    bare_oid,
    children_of,
    local_name,
    statements_in,
)
from ccda.sections.subjects import names_someone
from ccda.templates import (
    ENTRY_REFERENCE,
    SECTION_BY_LOINC,
    SECTION_BY_TEMPLATE,
    SectionKind,
)

Reader = Callable[[Statement, Narrative], Iterator[Entry]]


READERS: Final[dict[SectionKind, Reader]] = {
    "problems": problems.read,
    "allergies": allergies.read,
    "medications": medications.read,
    "immunizations": immunizations.read,
    "results": results.read_results,
    "vital_signs": results.read_vital_signs,
    "procedures": procedures.read,
    "encounters": encounters.read,
    "social_history": social_history.read,
    "family_history": family_history.read,
    "functional_status": functional_status.read_functional_status,
    "mental_status": functional_status.read_mental_status,
    "devices": devices.read,
    "payers": coverage.read,
    "advance_directives": advance_directives.read,
    "goals": plans.read_goals,
    "outcomes": plans.read_outcomes,
    "plan": plans.read_plan,
    "interventions": plans.read_intervention,
    "health_concerns": plans.read_concern,
    "care_teams": care_teams.read,
    "diagnoses": problems.read_diagnoses,
    "narrative": unknown.read_among_words,
}

_SECTION: Final = v3("section")
_ENTRY: Final = v3("entry")
_SECTION_HOLDERS: Final = frozenset(("component", "structuredBody", "section"))
_EMPTY: Final[list[tuple[Severity, str]]] = [("warning", "an entry holds no clinical statement")]
_REFERENCE_ROOT: Final = next(iter(ENTRY_REFERENCE)).encode()


def parse_document(xml: bytes) -> ClinicalDocument:
    """What a clinical document says.

    Input that is not well-formed is read once more, forgivingly: the result is then marked
    `recovered` and says so in its issues.

    Raises:
        CcdaError: it cannot be read at all, is over a limit, or is no ClinicalDocument.
    """
    may_refer = _REFERENCE_ROOT in xml or b"\0" in xml[:4]
    root, may_be_bare, recovered, issues = _parse(xml)
    issues.extend(normalize(root, may_be_bare, recovered=recovered))
    if root.tag != v3("ClinicalDocument"):
        raise NotAClinicalDocument
    whole = Narrative(root)
    children = children_of(root)
    sections = tuple(
        [
            _read_section(element, parts, path, subject, whole, issues)
            for element, parts, path, subject in _sections_in(root, "/*")
        ]
    )
    if may_refer:
        resolve_entry_references(sections)
    body, body_issues = read_body(children)
    read = header.read_header(children, whole)
    issues.extend(Issue("information", complaint) for complaint in whole.complaints())
    return replace(
        read,
        sections=sections,
        body=body,
        issues=(*issues, *read.issues, *body_issues),
        recovered=recovered,
        head=head_of(xml),
    )


def _parse(xml: bytes) -> tuple[Element, bool, bool, list[Issue]]:
    try:
        return *parse_for_names(xml), False, []
    except DoctypeRefused:
        raise
    except MalformedXml as error:
        root, may_be_bare = parse_for_names(xml, recover=True)
        text = f"not well-formed, read as far as possible: {error.reason}"
        return root, may_be_bare, True, [Issue("error", text, line=error.line)]


def _sections_in(
    element: Element, path: str, subject: Element | None = None
) -> Iterator[tuple[Element, Children, str, Element | None]]:
    """Every section below, nested ones too, in document order, with the path that selects it.

    And whom it is about: the subject of a section holds for those inside (CDA R2: 4.4).
    """
    for position, child in enumerate(element[:], 1):
        if child.tag == _SECTION:
            parts, below = children_of(child), f"{path}/*[{position}]"
            whose = parts["subject"][0] if names_someone(parts) else subject
            yield child, parts, below, whose
            if not _SECTION_HOLDERS.isdisjoint(parts):
                yield from _sections_in(child, below, whose)
        elif local_name(child) in _SECTION_HOLDERS:
            yield from _sections_in(child, f"{path}/*[{position}]", subject)


def _read_section(
    element: Element,
    children: Children,
    path: str,
    subject: Element | None,
    whole: Narrative,
    issues: list[Issue],
) -> Section:
    text = children["text"][0] if "text" in children else None
    narrative = Narrative(text, whole)
    code = header.read_code(children, "code", narrative)
    templates = header.read_templates(children)
    title = words(children["title"][0]) if "title" in children else None
    name = title or (None if code is None else code.code)
    reader = _reader(code, templates)
    entries: list[Entry] = []
    raw: list[RawEntry] = []
    for position, child in enumerate(element[:] if "entry" in children else (), 1):
        if child.tag == _ENTRY:
            below = f"{path}/*[{position}]"
            tops = statements_in(child, below, subject=subject)
            wrong = _read_entry(tops, reader, narrative, entries, raw)
            for severity, sentence in wrong:
                issues.append(Issue(severity, sentence, name, child.sourceline))
            if wrong == _EMPTY and len(child):
                raw.append(raw_entry(child, below))
    for complaint in narrative.complaints():
        issues.append(Issue("information", complaint, name, element.sourceline))
    return Section(
        code=code,
        title=title,
        templates=templates,
        text=narrative.plain_text(),
        entries=tuple(entries),
        null_flavor=element.get("nullFlavor"),
        line=element.sourceline,
        path=path,
        raw_entries=tuple(raw),
        authors=read_authors(children["author"]) if "author" in children else (),
        details=section_details(children, narrative),
    )


def _reader(code: CD | None, templates: tuple[str, ...]) -> Reader:
    """LOINC first, also as a translation; then the template: senders get codes right more often."""
    for one in () if code is None else (code, *code.translations):
        if (kind := SECTION_BY_LOINC.get((one.code or "").strip())) is not None:
            return READERS[kind]
    for root in templates:
        if (kind := SECTION_BY_TEMPLATE.get(bare_oid(root))) is not None:
            return READERS[kind]
    return unknown.read


def _read_entry(
    tops: Iterator[Statement],
    reader: Reader,
    narrative: Narrative,
    entries: list[Entry],
    raw: list[RawEntry],
) -> list[tuple[Severity, str]]:
    """Add what an entry says to `entries` and `raw`; the sentences say what was wrong with it."""
    wrong: list[tuple[Severity, str]] | None = None
    for top in tops:
        wrong = wrong or []
        before = top.next_position = len(entries)
        try:
            is_note = notes.is_note(top)
            if not is_note:
                entries.extend(reader(top, narrative))
                if len(entries) == before and reader is not unknown.read_among_words:
                    entries.extend(unknown.read_misplaced(top, narrative))
            if is_note or top.inner:
                entries.extend(notes.read(top, narrative))
            left = keep_parts(top, entries, narrative)
            if left:
                raw.extend([raw_statement(statement, narrative) for statement in left])
                wrong.append(("information", "a statement is of no kind we index; it is kept raw"))
        except Exception as error:  # the door between one entry and the rest of the document
            raw.append(raw_entry(top.element, top.path))
            wrong.append(("warning", f"an entry could not be read ({type(error).__name__})"))
        finally:
            top.release()
    return _EMPTY if wrong is None else wrong
