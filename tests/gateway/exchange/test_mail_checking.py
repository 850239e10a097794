"""Whether an address can be written to and heard from, and what its HISP is told if not."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.clients.smtp_client import Server
from gateway.exchange.mail_checking import NotOurs, check_address
from gateway.model.identity import PlanId
from tests.direct_certificates import MailAuthority
from tests.gateway.exchange.direct_certificates import certified
from tests.gateway.exchange.post_offices import Office, Town, office
from tests.gateway.house import OTHER_PLAN, PLAN

DOMAIN, CLINIC = "direct.plan.test", "direct.clinic.test"
ANNE = f"anne@{CLINIC}"


@pytest.fixture
def town() -> Town:
    return Town(published={CLINIC: certified(CLINIC)[1]})


@pytest.fixture
async def plan(tmp_path: Path, town: Town) -> AsyncIterator[Office]:
    async with (
        office(tmp_path / "clinic", CLINIC, town),
        office(tmp_path / "plan", DOMAIN, town) as opened,
    ):
        yield opened


async def test_both_are_possible_and_there_is_nothing_to_tell(plan: Office) -> None:
    checked = await check_address(plan.means, ANNE)
    assert (checked.can_send, checked.why_not_send) == (True, None)
    assert (checked.can_receive, checked.why_not_receive) == (True, None)
    assert checked.tell_them is None


async def test_a_key_that_is_missing_on_our_side_is_said_and_is_not_theirs_to_mend(
    tmp_path: Path, town: Town
) -> None:
    intake = f"intake@{DOMAIN}"
    async with (
        office(tmp_path / "clinic", CLINIC, town),
        office(tmp_path / "plan", DOMAIN, town, owner=intake) as plan,
    ):
        checked = await check_address(plan.means, ANNE)
        ours = f"postmaster@{DOMAIN} has no key"
        assert (checked.can_send, checked.can_receive) == (False, False)
        assert (checked.why_not_send or "").startswith(f"{ours} in use that could sign")
        assert (checked.why_not_receive or "").startswith(f"{ours} that opens")
        assert checked.tell_them is None
        checked = await check_address(plan.means, ANNE, sender=intake)
        assert (checked.can_send, checked.can_receive) == (True, True)


async def test_who_publishes_nothing_is_told_where_to(plan: Office, town: Town) -> None:
    town.published.clear()
    checked = await check_address(plan.means, ANNE)
    assert checked.why_not_send == "it publishes no certificate"
    assert f"a DNS CERT record of anne.{CLINIC} or of {CLINIC}" in (checked.tell_them or "")


async def test_who_does_not_answer_is_told_where_we_asked(plan: Office, town: Town) -> None:
    town.silent.add(CLINIC)
    checked = await check_address(plan.means, ANNE)
    assert not checked.can_send
    assert f"We had no answer from your {CLINIC} (it takes too long)" in (checked.tell_them or "")


async def test_who_is_not_trusted_is_told_which_rule_fails(plan: Office, town: Town) -> None:
    town.published[CLINIC] = certified(CLINIC, "Nobody's anchor")[1]
    checked = await check_address(plan.means, ANNE)
    assert (checked.can_send, checked.can_receive) == (False, False)
    assert "tell us in which trust bundle your anchor is" in (checked.tell_them or "")


async def test_a_certificate_for_signing_alone_keeps_us_from_sending(
    plan: Office, town: Town
) -> None:
    issuer = MailAuthority("Signers", plan.now)
    town.published[CLINIC] = issuer.leaf(
        CLINIC, crl=False, usages=("digital_signature",)
    ).certificate
    plan.trusts = {"": [issuer.certificate]}
    checked = await check_address(plan.means, ANNE)
    assert (checked.can_send, checked.can_receive) == (False, True)
    assert (checked.tell_them or "").startswith("We cannot encrypt to the certificate")


async def test_a_domain_that_takes_no_mail_is_told_of_its_mx_records(
    plan: Office, town: Town
) -> None:
    del town.offices[CLINIC]
    checked = await check_address(plan.means, ANNE)
    assert checked.why_not_send == "its domain takes no mail"
    assert f"see to the MX records of {CLINIC}" in (checked.tell_them or "")
    assert checked.can_receive


async def test_it_is_asked_for_an_address_of_ours_and_of_the_plans(plan: Office) -> None:
    for sender, whose in ((ANNE, None), (f"intake@{DOMAIN}", OTHER_PLAN), (None, OTHER_PLAN)):
        with pytest.raises(NotOurs):
            await check_address(plan.means, ANNE, sender=sender, plan=whose)
    assert (await check_address(plan.means, ANNE, plan=PlanId(PLAN))).can_send


async def test_behind_a_hisp_it_is_the_hisp_that_finds_and_judges(plan: Office, town: Town) -> None:
    town.published.clear()
    plan.means = replace(plan.means, mode="hisp")
    checked = await check_address(plan.means, ANNE)
    assert not checked.can_send
    assert "under verified TLS alone" in (checked.why_not_send or "")
    smarthost = Server("hisp.test", 587, "starttls")
    plan.means = replace(plan.means, route=lambda _domain: (smarthost,))
    checked = await check_address(plan.means, ANNE)
    assert (checked.can_send, checked.can_receive) == (True, True)
    assert "our HISP finds certificates" in (checked.remark or "")
