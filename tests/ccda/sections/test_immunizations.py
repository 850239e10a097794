from collections.abc import Callable

import pytest

from ccda.hl7v3 import TS
from ccda.model import Entry

ReadEntries = Callable[..., tuple[Entry, ...]]
EntriesOf = Callable[[str], list[Entry]]


def test_a_vaccine_given_keeps_its_lot_and_month(entries_of: EntriesOf) -> None:
    given = entries_of("immunization")[0]
    assert given.code is not None and given.code.code == "150"
    assert (given.negated, given.time) == (False, TS("202310"))
    assert given.details["lot_number"] == "LOT9"


def test_refused_vaccine_is_negated_with_its_reason(entries_of: EntriesOf) -> None:
    refused = entries_of("immunization")[1]
    assert (refused.negated, refused.no_information) == (True, False)
    assert refused.details["refusal_reason"]["code"] == "PATOBJ"
    assert "indication" not in refused.details


def test_a_reason_as_a_value_is_found(read_entries: ReadEntries) -> None:
    (entry,) = read_entries(
        "11369-6",
        '<substanceAdministration negationInd="true"><consumable><manufacturedProduct>'
        '<manufacturedMaterial><code code="33"/></manufacturedMaterial></manufacturedProduct>'
        '</consumable><entryRelationship typeCode="RSON"><observation><code code="ASSERTION"/>'
        '<value xsi:type="CD" code="591000119102" displayName="Vaccine declined by patient"/>'
        "</observation></entryRelationship></substanceAdministration>",
    )
    assert entry.details["refusal_reason"]["code"] == "591000119102"


@pytest.mark.parametrize(
    ("holder", "reason"),
    [('negationInd="true"', ""), ("", 'negationInd="true"')],
)
@pytest.mark.parametrize("template", ['<templateId root="2.16.840.1.113883.10.20.22.4.53"/>', ""])
def test_a_reason_to_refuse_that_is_denied_is_none(
    read_entries: ReadEntries, holder: str, reason: str, template: str
) -> None:
    (entry,) = read_entries(
        "11369-6",
        "<substanceAdministration><consumable><manufacturedProduct><manufacturedMaterial>"
        '<code code="33"/></manufacturedMaterial></manufacturedProduct></consumable>'
        f'<entryRelationship typeCode="RSON" {holder}><observation {reason}>{template}'
        '<code code="PATOBJ"/></observation></entryRelationship></substanceAdministration>',
    )
    assert "refusal_reason" not in entry.details
    (kept,) = entry.details["related"]
    assert kept["code"]["code"] == "PATOBJ"
    assert kept.get("negated") or kept.get("unrelated")


def test_no_immunizations_is_a_marker(read_entries: ReadEntries) -> None:
    (entry,) = read_entries(
        "11369-6",
        '<substanceAdministration negationInd="true"><consumable><manufacturedProduct>'
        '<manufacturedMaterial><code nullFlavor="NI"/></manufacturedMaterial>'
        "</manufacturedProduct></consumable></substanceAdministration>",
    )
    assert (entry.negated, entry.no_information) == (True, True)
