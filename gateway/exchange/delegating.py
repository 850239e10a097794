"""A partner that asks in another's name is looked up in our directory (DECISIONS 8, 11)."""

from collections.abc import Iterable

from gateway.exchange.policy import Permitted, Refused, may_ask_for, principal_stated
from gateway.model.partner import Partner
from gateway.store import delegations
from gateway.store.database import Transaction
from ihe.saml import Assertion


def refuse_delegates(
    transaction: Transaction, speaking_as: Iterable[Partner], assertion: Assertion
) -> tuple[Partner, ...] | Refused:
    """The partners as whom the asker may go on: all of them if it asks for itself.

    A delegation that one plan has registered lets the asker speak to that plan alone.
    """
    partners = tuple(speaking_as)
    principal = principal_stated(assertion)
    if principal is None:
        return partners
    if isinstance(principal, Refused):
        return principal
    allowed: list[Partner] = []
    refusal = Refused("not_delegated", "The QueryAuthGrantor is not known here.", True)
    for partner in partners:
        listed = delegations.of_principal(transaction, plan=partner.plan, principal=principal)
        match may_ask_for(principal, listed, partner=partner, assertion=assertion):
            case Permitted():
                allowed.append(partner)
            case Refused() as refusal:
                pass
    return tuple(allowed) or refusal
