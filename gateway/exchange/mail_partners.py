"""Which partner a Direct domain is: what a message discloses is accounted for under that name."""

from gateway.model.identity import PlanId
from gateway.model.partner import Partner
from gateway.store import partners
from gateway.store.transaction import Transaction


def partner_of_domain(transaction: Transaction, plan: PlanId, domain: str) -> Partner | None:
    """The partner of the plan's directory that is written to there; None if it is nobody's."""
    known = partners.list_all(transaction, plan=plan)
    return next(
        (one for one in known if (one.endpoints.direct_domain or "").lower() == domain), None
    )
