"""An act that says nothing itself hides nothing: what it holds is what the document says."""

from collections.abc import Callable

import pytest

from ccda.model import Entry

ReadEntries = Callable[..., tuple[Entry, ...]]
PROCEDURES, PLAN, DIRECTIVES, GOALS = "47519-4", "18776-5", "42348-3", "61146-7"


def held(*statements: str, code: str = "", name: str = "act") -> str:
    holder = "component" if name == "organizer" else "entryRelationship"
    inside = "".join(f"<{holder}>{one}</{holder}>" for one in statements)
    return f'<{name} moodCode="EVN">{code}{inside}</{name}>'


def statement(name: str = "procedure", mood: str = "EVN") -> str:
    return f'<{name} moodCode="{mood}"><code code="7" displayName="Something"/></{name}>'


REMARK = '<act moodCode="EVN"><code code="48767-8"/><text>well</text></act>'


@pytest.mark.parametrize("name", ["act", "organizer"])
@pytest.mark.parametrize("code", ["", '<code nullFlavor="UNK"/>'])
@pytest.mark.parametrize("section", [PROCEDURES, PLAN])
def test_what_an_unnamed_holder_holds_are_the_entries(
    read_entries: ReadEntries, name: str, code: str, section: str
) -> None:
    found = read_entries(section, held(statement(), statement(), code=code, name=name))
    assert [entry.code and entry.code.code for entry in found] == ["7", "7"]


@pytest.mark.parametrize("code", ['<code nullFlavor="NA"/>', '<code code="CONC"/>'])
@pytest.mark.parametrize(("section", "mood"), [(DIRECTIVES, "EVN"), (GOALS, "GOL")])
def test_a_directive_or_goal_within_an_act_that_tracks_it_is_found(
    read_entries: ReadEntries, code: str, section: str, mood: str
) -> None:
    (found,) = read_entries(section, held(statement("observation", mood), code=code))
    assert found.code is not None and found.code.code == "7"


def test_a_holder_with_a_name_is_the_entry(read_entries: ReadEntries) -> None:
    (found,) = read_entries(PROCEDURES, held(statement(), code='<code code="1"/>'))
    assert found.code is not None and found.code.code == "1"


def test_a_remark_beside_it_is_a_comment_and_no_procedure(read_entries: ReadEntries) -> None:
    (found,) = read_entries(PROCEDURES, held(statement(), REMARK))
    assert found.code is not None and found.code.code == "7"


def test_a_holder_of_remarks_alone_stays_what_it_is(read_entries: ReadEntries) -> None:
    (found,) = read_entries(PROCEDURES, held(REMARK))
    assert (found.no_information, found.details["comment"]) == (True, ["well"])
