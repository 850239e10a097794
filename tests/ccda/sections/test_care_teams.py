from collections.abc import Callable

from ccda.model import Entry

EntriesOf = Callable[[str], list[Entry]]


def test_a_care_team_is_the_parent_of_its_members(entries_of: EntriesOf) -> None:
    team, member = entries_of("care_team")
    assert (team.parent, member.parent) == (None, 0)
    assert member.details["performer"] == [{"name": "Grace Okafor"}]
