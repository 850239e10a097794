"""Statements inside statements, as deep as XML may go: read, shown and written like any other."""

from typing import Any

import orjson
import pytest

from ccda import parse_document, templates
from ccda.fhir import document_bundle, fhir_json
from ccda.html import render_html
from ccda.json_form import document_json

LEVELS = 110
"""Each takes two levels of XML, of which 256 are taken."""
MOST = 150
"""How deep JSON may nest; orjson goes down 254 levels."""
KINDS: dict[str, tuple[str, str]] = {
    name: (roots, statement)
    for name, statement in (
        ("PROBLEM_OBSERVATION", "observation"),
        ("ALLERGY_OBSERVATION", "observation"),
        ("REACTION_OBSERVATION", "observation"),
        ("SEVERITY_OBSERVATION", "observation"),
        ("MEDICATION_ACTIVITY", "substanceAdministration"),
        ("SUPPLY_ORDER", "supply"),
        ("DISPENSE", "supply"),
        ("INSTRUCTION", "act"),
        ("INDICATION", "observation"),
        ("IMMUNIZATION_ACTIVITY", "substanceAdministration"),
        ("RESULT_OBSERVATION", "observation"),
        ("RESULT_ORGANIZER", "organizer"),
        ("PROCEDURE_ACTIVITY", "procedure"),
        ("ENCOUNTER_ACTIVITY", "encounter"),
        ("FAMILY_HISTORY_ORGANIZER", "organizer"),
        ("COVERAGE_ACTIVITY", "act"),
        ("POLICY_ACTIVITY", "act"),
        ("HEALTH_CONCERN", "act"),
        ("CARE_TEAM", "organizer"),
        ("CARE_TEAM_MEMBER", "act"),
        ("NOTE_ACTIVITY", "act"),
        ("COMMENT", "act"),
        ("ENTRY_REFERENCE", "act"),
    )
    for roots in [max(getattr(templates, name))]
}
KINDS["nothing known"] = ("2.999.1", "observation")


def nested(*kinds: str) -> bytes:
    """Each statement in the one before it, the kinds in turn."""
    opened, closed = [], []
    for level in range(LEVELS):
        root, name = KINDS[kinds[level % len(kinds)]]
        opened.append(
            f'<{name} classCode="OBS" moodCode="EVN"><templateId root="{root}"/>'
            f'<id root="2.999.3" extension="{level}"/><code code="{level}" codeSystem="2.999.2"/>'
            "<entryRelationship>"
        )
        closed.append(f"</entryRelationship></{name}>")
    inside = "".join(opened) + "".join(reversed(closed))
    return (
        '<ClinicalDocument xmlns="urn:hl7-org:v3"><id root="2.999.4"/><component><structuredBody>'
        '<component><section><code code="48765-2" codeSystem="2.16.840.1.113883.6.1"/><text/>'
        f"<entry>{inside}</entry></section></component></structuredBody></component>"
        "</ClinicalDocument>"
    ).encode()


def depth(form: Any) -> int:
    deepest, waiting = 0, [(form, 1)]
    while waiting:
        value, level = waiting.pop()
        deepest = max(deepest, level)
        if isinstance(value, dict):
            waiting += [(each, level + 1) for each in value.values()]
        elif isinstance(value, list | tuple):
            waiting += [(each, level + 1) for each in value]
    return deepest


def details(document: Any) -> list[Any]:
    return [
        one.details
        for section in document.sections
        for one in (*section.entries, *section.raw_entries)
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("with_unknown", [False, True])
def test_what_is_told_of_an_entry_nests_only_so_deep(kind: str, with_unknown: bool) -> None:
    content = nested(kind, "nothing known") if with_unknown else nested(kind)
    document = parse_document(content)
    assert max(map(depth, details(document))) < MOST
    assert not [issue for issue in document.issues if "could not be read" in issue.text]
    orjson.dumps(document_json(document))
    render_html(content)
    orjson.loads(fhir_json(document_bundle(document, document_id="d", partner="P")))


def test_what_stands_deeper_is_kept_as_xml() -> None:
    (told,) = details(parse_document(nested("nothing known")))
    levels = 0
    while "related" in told:
        (told,) = told["related"]
        levels += 1
    (deeper,) = told["deeper"]
    assert levels == 32
    assert f'extension="{LEVELS - 1}"' in deeper


def test_another_namespace_may_nest_as_deep() -> None:
    foreign = '<x:a xmlns:x="urn:x">' + "<x:b>" * 200 + "deep" + "</x:b>" * 200 + "</x:a>"
    first = b'<id root="2.999.3" extension="0"/>'
    content = nested("nothing known").replace(first, foreign.encode())
    told = details(parse_document(content))
    assert max(map(depth, told)) < MOST
    assert b"deep" in orjson.dumps(told)
