from collections.abc import Callable

from ccda.hl7v3 import CD
from ccda.model import Entry

ReadEntries = Callable[..., tuple[Entry, ...]]
EntriesOf = Callable[[str], list[Entry]]


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


def test_a_policy_without_a_template_is_not_taken_for_its_authorization(
    read_entries: Callable[..., tuple[Entry, ...]],
) -> None:
    (policy,) = read_entries(
        "48768-6",
        '<act><code code="PPO"/><participant typeCode="COV"><participantRole>'
        '<id root="2.999" extension="M1"/></participantRole></participant>'
        '<entryRelationship typeCode="REFR"><act><code code="AUTH"/></act></entryRelationship>'
        "</act>",
    )
    assert policy.code is not None and policy.code.code == "PPO"
    assert policy.details["member_ids"] == ["2.999^M1"]
