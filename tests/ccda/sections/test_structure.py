from collections.abc import Callable

import pytest

from ccda import ClinicalDocument, parse_document

ReadSection = Callable[[str], ClinicalDocument]
Sample = Callable[[str], bytes]


def test_statements_without_any_template_are_what_they_can_only_be(sample: Sample) -> None:
    section = parse_document(sample("thin_kinds.xml")).sections[-1]
    assert [entry.kind for entry in section.entries] == [
        "immunization",
        "medication",
        "vital_sign",
        "vital_sign",
        "problem",
        "encounter",
        "procedure",
        "result",
    ]


def test_an_observation_that_may_be_several_things_stays_raw(sample: Sample) -> None:
    section = parse_document(sample("thin_kinds.xml")).sections[-1]
    assert [raw.statement for raw in section.raw_entries] == ["observation"]


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ('<observation><participant typeCode="CSM"/></observation>', "allergy"),
        ('<observation><code code="72166-2"/></observation>', "social_history"),
        ('<observation moodCode="GOL"><code code="x"/></observation>', "goal"),
        ('<procedure moodCode="RQO"><code code="x"/></procedure>', "plan"),
        (
            '<organizer><subject><relatedSubject><code code="FTH"/></relatedSubject></subject>'
            "</organizer>",
            "family_history",
        ),
        (
            '<act><code code="48768-6"/><entryRelationship><act><code code="PPO"/></act>'
            "</entryRelationship></act>",
            "coverage",
        ),
        (
            '<act><code code="CONC"/><entryRelationship><observation>'
            '<participant typeCode="CSM"/></observation></entryRelationship></act>',
            "allergy",
        ),
    ],
)
def test_one_sign_is_enough_where_only_one_kind_has_it(
    read_section: ReadSection, statement: str, kind: str
) -> None:
    section = read_section(f"<section><entry>{statement}</entry></section>").sections[0]
    assert [entry.kind for entry in section.entries] == [kind]


def test_a_senders_own_template_hides_no_structure(read_section: ReadSection) -> None:
    own = '<templateId root="2.999.1"/>'
    given = f"<procedure>{own}<code code='1'/></procedure>"
    document = read_section(f"<section><text/><entry>{given}</entry></section>")
    assert [entry.kind for entry in document.sections[0].entries] == ["procedure"]


def test_a_standard_template_that_we_do_not_read_is_something_else(
    read_section: ReadSection,
) -> None:
    own = '<templateId root="2.16.840.1.113883.10.20.6.2.5"/>'
    given = f"<procedure>{own}<code code='1'/></procedure>"
    document = read_section(f"<section><text/><entry>{given}</entry></section>")
    assert document.sections[0].entries == ()
