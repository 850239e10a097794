"""Whom a message went to is in its record: every recipient, and the partner whose domain it is."""

from dataclasses import replace
from pathlib import Path

from gateway.exchange.mail_delivering import TRANSACTION
from gateway.model.exchange import Exchange
from gateway.model.identity import PartnerId
from gateway.model.partner import Endpoints, Partner
from gateway.store import partners
from ihe.identifiers import HomeCommunityId
from tests.flows.test_direct import CLINIC, INTAKE, PLAN_DOMAIN
from tests.gateway.exchange.post_offices import Office, Town, office
from tests.gateway.house import a_partner, records

NOWHERE = "nowhere.test"


def partner_at(at: Office, domain: str, number: int) -> PartnerId:
    home = HomeCommunityId.parse(f"2.999.7400.{number}")
    known: Partner = replace(
        a_partner(),
        id=PartnerId(str(home)),
        home_community_id=home,
        endpoints=Endpoints(direct_domain=domain),
    )
    at.house.database.write(lambda tx: partners.put(tx, known))
    return known.id


def sent(at: Office) -> list[Exchange]:
    return [one for one in records(at.house) if one.transaction == TRANSACTION]


async def test_each_domains_record_names_the_partner_who_is_written_to_there(
    tmp_path: Path,
) -> None:
    town = Town()
    async with (
        office(tmp_path / "clinic", CLINIC, town) as clinic,
        office(tmp_path / "plan", PLAN_DOMAIN, town),
    ):
        plan, nobody = partner_at(clinic, PLAN_DOMAIN, 1), partner_at(clinic, NOWHERE, 2)
        await clinic.send(INTAKE, f"desk@{NOWHERE}", "desk@unlisted.test")
        await clinic.work()
        told = {(one.peer, one.partner, one.outcome) for one in sent(clinic)}
    assert told == {
        (INTAKE, plan, "success"),
        (f"desk@{NOWHERE}", nobody, "failed"),
        ("desk@unlisted.test", None, "failed"),
    }


async def test_every_recipient_is_in_the_record_however_many_there_are(tmp_path: Path) -> None:
    town = Town()
    async with (
        office(tmp_path / "clinic", CLINIC, town) as clinic,
        office(tmp_path / "plan", PLAN_DOMAIN, town),
    ):
        reached = [f"somebody-at-desk-number-{n}@{PLAN_DOMAIN}" for n in range(15)]
        lost = [f"somebody-at-desk-number-{n}@{NOWHERE}" for n in range(15)]
        for many in (reached, lost):
            await clinic.send(*many)
        await clinic.work()
        told = {one.outcome: one.peer for one in sent(clinic)}
    assert len(", ".join(lost)) > 500
    assert told == {"success": ", ".join(reached), "failed": ", ".join(lost)}
