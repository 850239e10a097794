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
            '<organizer><subject><relatedSubject><code code="NCHILD"/></relatedSubject></subject>'
            '<component><observation><code code="29463-7"/></observation></component></organizer>',
            "vital_sign",
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
    assert {entry.kind for entry in section.entries} == {kind}


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


GLUCOSE = (
    '<observation moodCode="EVN"><code code="2345-7" codeSystem="2.16.840.1.113883.6.1"/>'
    '<value xsi:type="PQ" value="500" unit="mg/dL"/>{}</observation>'
)
REMARK = (
    '<entryRelationship typeCode="SUBJ"><act><templateId root="2.16.840.1.113883.10.20.22.4.{}"/>'
    '<code code="48767-8"/><text>critical</text></act></entryRelationship>'
)
CODED = '<code code="{}" codeSystem="2.16.840.1.113883.6.1"/>'
STUDIES, SECTION_OF_NO_KIND = CODED.format("26436-6"), ""


@pytest.mark.parametrize("section", [STUDIES, SECTION_OF_NO_KIND])
@pytest.mark.parametrize(
    ("inside", "kinds"),
    [
        ("", ["result"]),
        (REMARK.format("64"), ["result"]),
        (REMARK.format("20"), ["result"]),
        (REMARK.format("113"), []),
    ],
)
def test_a_result_is_known_by_its_structure_whatever_is_remarked_on_it(
    read_section: ReadSection, section: str, inside: str, kinds: list[str]
) -> None:
    given = f"<section>{section}<text/><entry>{GLUCOSE.format(inside)}</entry></section>"
    (found,) = read_section(given).sections
    assert [entry.kind for entry in found.entries] == kinds
    assert len(found.raw_entries) == 1 - len(kinds)


@pytest.mark.parametrize(
    "statement",
    [
        '<procedure moodCode="EVN"><code code="1"/></procedure>',
        '<observation moodCode="EVN"><code code="72166-2"/></observation>',
        '<procedure moodCode="RQO"><code code="1"/></procedure>',
    ],
)
def test_what_is_neither_measured_nor_given_stays_a_part_of_the_words(
    read_section: ReadSection, statement: str
) -> None:
    given = f"<section>{STUDIES}<text/><entry>{statement}</entry></section>"
    (found,) = read_section(given).sections
    assert found.entries == ()
    assert len(found.raw_entries) == 1
