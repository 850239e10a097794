from collections.abc import Callable

from ccda import parse_document
from ccda.model import Entry

EntriesOf = Callable[[str], list[Entry]]
Sample = Callable[[str], bytes]


def test_a_care_team_is_the_parent_of_its_members(entries_of: EntriesOf) -> None:
    team, member = entries_of("care_team")
    assert (team.parent, member.parent) == (None, 0)
    assert member.details["performer"] == [{"name": "Grace Okafor"}]


def test_a_team_has_a_type_a_place_and_members_with_functions(sample: Sample) -> None:
    team, member = (
        entry
        for section in parse_document(sample("thin_kinds.xml")).sections
        for entry in section.entries
        if entry.kind == "care_team"
    )
    assert team.details["location"]["address"] == [{"city": "Ann Arbor"}]
    assert team.details["participant"][0]["type"] == "PPRF"
    assert team.details["care_team_type"][0]["value"]["code"] == "LA27976-2"
    assert member.details["performer"][0]["function"]["code"] == "PCP"
    assert member.details["schedule"][0]["time"] == "2024-04-01"
