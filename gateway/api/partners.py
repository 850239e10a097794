"""GET /api/v1/partners: whom the caller's plan exchanges with."""

from typing import Annotated, Any

from fastapi import APIRouter

from gateway.api.access import EVERYONE, Desk, Note, desk
from gateway.model.partner import Partner
from gateway.store import partners
from gateway.store.database import Transaction

router = APIRouter(prefix="/api/v1/partners", tags=["partners"])


@router.get("")
async def list_partners(at: Annotated[Desk, desk("REST-PARTNERS", EVERYONE)]) -> dict[str, Any]:
    """The plan's own partners and the shared ones, by name."""

    def unit(transaction: Transaction, _note: Note) -> tuple[Partner, ...]:
        return partners.list_all(transaction, plan=at.caller.plan)

    return {"partners": [_form(partner) for partner in await at.act(unit)]}


def _form(partner: Partner) -> dict[str, Any]:
    endpoints = partner.endpoints
    return {
        "id": partner.id,
        "name": partner.name,
        "home_community_id": str(partner.home_community_id),
        "network": partner.network,
        "endpoints": {
            "iti55": endpoints.iti55,
            "iti38": endpoints.iti38,
            "iti39": endpoints.iti39,
            "iti41": endpoints.iti41,
            "direct_domain": endpoints.direct_domain,
        },
        "timeout_seconds": partner.profile.timeout_seconds,
        "documents_per_retrieve": partner.profile.documents_per_retrieve,
    }
