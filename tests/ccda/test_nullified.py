"""What was entered in error is told as such, with all that stands in it (CDA R2: ActStatus)."""

from collections.abc import Callable

import pytest

from ccda.model import Entry

ReadEntries = Callable[..., tuple[Entry, ...]]
PROBLEMS, ALLERGIES, RESULTS, ENCOUNTERS = "11450-4", "48765-2", "30954-2", "46240-8"
HL7 = "2.16.840.1.113883.10.20.22.4"
ACTIVE = (
    '<entryRelationship typeCode="REFR"><observation><code code="33999-4"/>'
    '<value xsi:type="CD" code="55561003" displayName="Active"/></observation></entryRelationship>'
)


def concern(template: str, *, inside: str) -> str:
    return (
        '<act moodCode="EVN"><code code="CONC"/><statusCode code="nullified"/>'
        f'<entryRelationship typeCode="SUBJ"><observation><templateId root="{HL7}.{template}"/>'
        '<code code="ASSERTION"/><statusCode code="completed"/>'
        '<value xsi:type="CD" code="1" codeSystem="2.999" displayName="Fever"/>'
        f"{inside}</observation></entryRelationship></act>"
    )


@pytest.mark.parametrize(("section", "template"), [(PROBLEMS, "4"), (ALLERGIES, "7")])
def test_a_nullified_concern_is_not_made_active_by_the_status_inside(
    read_entries: ReadEntries, section: str, template: str
) -> None:
    (found,) = read_entries(section, concern(template, inside=ACTIVE))
    assert found.status == "nullified"
    assert found.details["clinical_status"]["code"] == "55561003"  # told, all the same
    assert found.details["status_code"] == "completed"


def test_what_stands_in_a_nullified_panel_is_nullified(read_entries: ReadEntries) -> None:
    measured = (
        '<component><observation><code code="2345-7"/><statusCode code="completed"/>'
        '<value xsi:type="PQ" value="5"/></observation></component>'
    )
    organizer = '<organizer><code code="1"/><statusCode code="{}"/>{}</organizer>'
    panel, member = read_entries(RESULTS, organizer.format("nullified", measured))
    assert (panel.status, member.status) == ("nullified", "nullified")
    panel, member = read_entries(RESULTS, organizer.format("completed", measured))
    assert (panel.status, member.status) == ("completed", "completed")


def test_a_diagnosis_of_a_visit_that_was_entered_in_error_is_one_too(
    read_entries: ReadEntries,
) -> None:
    visit, diagnosis = read_entries(
        ENCOUNTERS,
        '<encounter><code code="1"/><statusCode code="nullified"/><entryRelationship><act>'
        '<code code="29308-4"/><entryRelationship typeCode="SUBJ"><observation>'
        f'<templateId root="{HL7}.4"/><code code="ASSERTION"/><statusCode code="completed"/>'
        f'<value xsi:type="CD" code="1" codeSystem="2.999"/>{ACTIVE}</observation>'
        "</entryRelationship></act></entryRelationship></encounter>",
    )
    assert (visit.status, diagnosis.status) == ("nullified", "nullified")
