from collections.abc import Callable

from ccda.hl7v3 import TS
from ccda.model import Entry, Interval

ReadEntries = Callable[..., tuple[Entry, ...]]
EntriesOf = Callable[[str], list[Entry]]


def test_a_goal_keeps_its_open_bound(entries_of: EntriesOf) -> None:
    (weight,) = entries_of("goal")
    assert (weight.mood, weight.value, weight.unit) == ("GOL", Interval(None, "70"), "kg")
    assert weight.details["exclusive"] == ["high"]


def test_a_plan_keeps_its_mood(entries_of: EntriesOf) -> None:
    colonoscopy, atorvastatin = entries_of("plan")
    assert (colonoscopy.mood, colonoscopy.time) == ("RQO", TS("202806"))
    assert atorvastatin.code is not None and atorvastatin.code.code == "617310"


def test_an_intervention_not_yet_done_is_planned(read_entries: ReadEntries) -> None:
    entries = read_entries(
        "62387-6",
        '<act moodCode="INT"><code code="1"/></act>',
        '<act moodCode="EVN"><code code="2"/></act>',
    )
    assert [entry.kind for entry in entries] == ["plan", "procedure"]


def test_a_concern_gathers_its_conditions(entries_of: EntriesOf) -> None:
    (concern,) = entries_of("concern")
    assert [form["display"] for form in concern.details["concerns"]] == ["Lives alone"]
