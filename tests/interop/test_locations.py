"""ITI-56 with IPF on the other side, its validators on: who asks and who answers both ways."""

from ihe.identifiers import Oid, PatientId
from tests.interop import facts
from tests.interop.conftest import World
from tests.interop.our_gateway import partner_of
from tests.interop.peer import JavaResponder

ELSEWHERE = facts.ELSEWHERE_HOME.removeprefix("urn:oid:")
THERE = PatientId("elsewhere-17", Oid(f"{ELSEWHERE}.7"))


def test_ipf_as_a_locator_is_asked_who_else_knows_the_member(
    world: World, java_responder: JavaResponder
) -> None:
    with world.our_initiator("asks-where", health_data_locator=True) as ours:
        retrieved = ours.retrieve(
            ours.member, java_responder.addresses, locations=java_responder.locations
        )
        assert retrieved.partner["outcome"] == "matched", retrieved.partner
        detail = retrieved.partner["detail"]
        assert f"it says that the member is known to {ELSEWHERE}" in detail
        assert f"{ELSEWHERE} are not in the directory" in detail
        record = next(one for one in retrieved.records if one.transaction == "ITI-56")
        assert (record.outcome, record.member) == ("success", ours.member.id)
        (event,) = ours.audit_messages(transaction="ITI-56")
        assert event.find("EventIdentification").get("EventOutcomeIndicator") == "0"  # type: ignore[union-attr]
    steps = [java_responder.served()["step"] for _ in range(4)]
    assert steps == ["ITI-55", "ITI-56", "ITI-38", "ITI-39"]


def test_ipf_is_told_who_else_knows_the_member_and_nothing_where_there_is_nobody(
    world: World,
) -> None:
    with world.our_responder("tells-where") as ours:
        asked = world.java_initiator(
            ours.addresses, facts_file=world.initiator_of_ours_facts, locate="yes"
        )
        assert asked.outcomes == (("ITI-55", "match"), ("ITI-56", "fault")), asked.log
        assert asked.steps[-1]["reason"] == "No location is known for this patient id."
        party = world.certificates.responder
        ours.know_elsewhere(partner_of("Elsewhere", facts.ELSEWHERE_HOME, party), THERE)
        asked = world.java_initiator(
            ours.addresses, facts_file=world.initiator_of_ours_facts, locate="yes"
        )
        assert asked.exit_code == 0, asked
        assert asked.steps[-1]["locations"] == [f"{facts.ELSEWHERE_HOME} {THERE.cx}"]
        told = [(one.transaction, one.outcome) for one in ours.records()]
        assert told == [
            ("ITI-55", "success"),
            ("ITI-56", "refused"),
            ("ITI-55", "success"),
            ("ITI-56", "success"),
        ]
