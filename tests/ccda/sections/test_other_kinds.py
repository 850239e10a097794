from collections.abc import Callable

from ccda.hl7v3 import CD, TS
from ccda.model import Entry, Interval

ReadEntries = Callable[..., tuple[Entry, ...]]
EntriesOf = Callable[[str], list[Entry]]


def test_a_functional_finding_is_question_and_answer(entries_of: EntriesOf) -> None:
    (walking,) = entries_of("functional_status")
    assert isinstance(walking.value, CD) and walking.value.code == "105504002"


def test_a_mental_finding_names_its_group(entries_of: EntriesOf) -> None:
    group, memory = entries_of("mental_status")
    assert group.details["panel"] is True
    assert isinstance(memory.value, CD) and memory.parent == 0


def test_a_device_is_its_own_code_and_the_procedure_a_detail(entries_of: EntriesOf) -> None:
    (pacemaker,) = entries_of("device")
    assert pacemaker.code is not None and pacemaker.code.display == "Cardiac pacemaker"
    assert pacemaker.details["procedure"]["code"] == "307280005"
    (device,) = pacemaker.details["device"]
    assert device["ids"] == ["2.16.840.1.113883.3.3719^(01)00643169007222"]
    assert device["manufacturer"] == "Beat Makers"


def test_a_supplied_product_is_a_device(read_entries: ReadEntries) -> None:
    (entry,) = read_entries(
        "46264-8",
        '<supply><product><manufacturedProduct><manufacturedMaterial><code code="1" '
        'displayName="Walker"/></manufacturedMaterial></manufacturedProduct></product></supply>',
    )
    assert entry.code is not None and entry.code.display == "Walker"


def test_a_policy_names_payer_member_and_group(entries_of: EntriesOf) -> None:
    (policy,) = entries_of("coverage")
    details = policy.details
    assert details["payer"] == {"name": "Acorn Health Plan", "ids": ["1.3.6.1.4.1.99999.9^ACORN"]}
    assert details["guarantor"] == "Ada Quill"
    assert details["member_ids"] == ["1.3.6.1.4.1.99999.9.1^ACN-0042"]
    assert details["subscriber_ids"] == ["1.3.6.1.4.1.99999.9.1^ACN-0042"]
    assert details["relationship"]["code"] == "SELF"
    assert details["coverage_period"] == {"low": "2023-01-01"}
    assert details["group_ids"] == ["1.3.6.1.4.1.99999.9^GRP-5"]


def test_a_policy_without_a_template_is_the_inner_act(read_entries: ReadEntries) -> None:
    (entry,) = read_entries(
        "48768-6",
        '<act><code code="48768-6"/><entryRelationship typeCode="COMP"><act><code code="81"/>'
        "</act></entryRelationship></act>",
    )
    assert entry.code == CD("81", None)


def test_an_advance_directive_names_who_verified_it(entries_of: EntriesOf) -> None:
    (directive,) = entries_of("advance_directive")
    assert isinstance(directive.value, CD)
    assert directive.value.display == "Not for resuscitation"
    assert directive.end == TS(None, "NA")
    assert directive.details["parties"] == [{"type": "VRF", "name": "Grace Okafor"}]


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


def test_a_care_team_is_the_parent_of_its_members(entries_of: EntriesOf) -> None:
    team, member = entries_of("care_team")
    assert (team.parent, member.parent) == (None, 0)
    assert member.details["performer"] == [{"name": "Grace Okafor"}]


def test_a_note_is_its_text_and_type(entries_of: EntriesOf) -> None:
    (note,) = entries_of("note")
    assert note.text == "Feels well today."
    assert note.code is not None and note.code.translations[0].display == "Progress note"
    assert note.details == {"media_type": "text/plain"}
