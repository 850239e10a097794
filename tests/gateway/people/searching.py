"""A plan of synthetic people in a database, and the way from a question to who is found."""

from collections.abc import Callable, Iterable
from typing import Final

from gateway.exchange.demographics import person_of
from gateway.exchange.matching import BestMatch, best_match, read_person
from gateway.model.identity import PlanId
from gateway.model.member import Plan
from gateway.store import members, plans
from gateway.store.database import Database, Transaction
from ihe.xcpd import Demographics
from tests.gateway.people.enrolling import enroll
from tests.gateway.people.population import Enrolled

PLAN: Final = Plan(PlanId("acme"), "Acme", member_id_root="2.999.7302.1.2")


def furnish(database: Database, everyone: Iterable[Enrolled]) -> None:
    """The plan with these members."""
    database.write(lambda tx: plans.put(tx, PLAN))
    enroll(database, (one.member(PLAN.id) for one in everyone))


def searching(transaction: Transaction) -> Callable[[Demographics], BestMatch]:
    """As the responder of ITI-55 looks a person up: candidates, then the best of them."""

    def find(asked: Demographics) -> BestMatch:
        person = read_person(asked)
        known = members.candidates(transaction, plan=PLAN.id, person=person).members
        return best_match([(one.id, person_of(one, PLAN)) for one in known], person)

    return find
