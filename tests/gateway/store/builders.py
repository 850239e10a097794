"""Values that tests of the store start from; every field may be given otherwise."""

from collections.abc import Callable
from datetime import UTC, date, datetime

from ccda.hl7v3 import II, PN, TS
from gateway.model.document import Blob, Document, Source
from gateway.model.exchange import Exchange
from gateway.model.identity import DocumentId, MemberId, PartnerId, PlanId
from gateway.model.member import Member, Plan
from gateway.model.partner import Endpoints, Partner
from gateway.store import exchange_log, plans
from gateway.store.database import Database
from gateway.store.transaction import Transaction
from ihe.identifiers import HomeCommunityId
from ihe.xcpd import Demographics

NOW = datetime(2026, 11, 21, 7, 20, 11, 123456, tzinfo=UTC)
ACME = PlanId("acme")
OTHER = PlanId("other")


def a_member(id: str = "m1", **changes: object) -> Member:
    values: dict[str, object] = {
        "id": MemberId(id),
        "plan": ACME,
        "member_id": f"A-{id}",
        "demographics": Demographics(
            names=(PN(family="O'Neil", given=("Ada", "M")),),
            birth_time=TS("19750501"),
            gender="F",
            ids=(II("2.16.840.1.113883.4.1", "999-12-3456"),),
        ),
        "coverage_start": date(2020, 1, 1),
    }
    return Member(**{**values, **changes})  # type: ignore[arg-type]


def a_partner(id: str = "p1", **changes: object) -> Partner:
    values: dict[str, object] = {
        "id": PartnerId(id),
        "name": f"Partner {id}",
        "home_community_id": HomeCommunityId.parse("2.999.7"),
        "endpoints": Endpoints(iti55="https://partner.example/xcpd"),
        "plan": ACME,
    }
    return Partner(**{**values, **changes})  # type: ignore[arg-type]


def a_document(id: str = "d1", **changes: object) -> Document:
    values: dict[str, object] = {
        "id": DocumentId(id),
        "plan": ACME,
        "state": "held",
        "blob": Blob(f"{id:0>64}", 12, "1" * 40, "2" * 64),
        "source": Source(door="ITI-39", partner=PartnerId("p1"), partner_name="Partner p1"),
        "received": NOW,
        "reason": "nobody yet",
        "title": "Summary of care",
    }
    return Document(**{**values, **changes})  # type: ignore[arg-type]


def an_exchange(**changes: object) -> Exchange:
    values: dict[str, object] = {
        "time": NOW,
        "direction": "out",
        "transaction": "ITI-55",
        "outcome": "success",
        "plan": ACME,
        "partner": PartnerId("p1"),
        "member": MemberId("m1"),
    }
    return Exchange(**{**values, **changes})  # type: ignore[arg-type]


def adding(name: str) -> Callable[[Transaction], str]:
    """A unit that adds a plan of that name, and a record of it."""

    def unit(transaction: Transaction) -> str:
        plans.put(transaction, Plan(PlanId(name), name))
        exchange_log.append(transaction, an_exchange(reason=name))
        return name

    return unit


def failing(transaction: Transaction) -> None:
    """A unit that fails after it has written."""
    adding("failed")(transaction)
    raise LookupError("of the unit's own")


def plan_names(database: Database) -> list[str]:
    return [plan.name for plan in database.read(plans.list_all)]
