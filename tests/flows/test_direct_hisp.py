"""Direct behind a HISP that is the security agent: open messages, its notices, its servers."""

from pathlib import Path

import pytest

from direct.addresses import Mailbox
from direct.message import OutgoingPart, write_message
from tests.gateway.exchange.post_offices import Office, Town, office
from tests.gateway.house import demo_document, documents

DOMAIN, DOCTOR = "direct.plan.test", "anne@direct.clinic.test"
INTAKE = f"intake@{DOMAIN}"


def open_message(at: Office) -> bytes:
    """As the HISP hands it over, opened and judged; it asks for the notice of final delivery."""
    return write_message(
        from_=Mailbox.parse(DOCTOR),
        to=[Mailbox.parse(INTAKE)],
        message_id="push-1@direct.clinic.test",
        date=at.now,
        parts=[OutgoingPart(demo_document("northfield_ccd.xml"), "text/xml", "ccd.xml")],
        wants_dispatched=True,
    )


@pytest.mark.parametrize("ours", [False, True])
async def test_the_hisp_says_processed_and_dispatched_is_ours_only_if_the_settings_say_so(
    tmp_path: Path, ours: bool
) -> None:
    async with office(
        tmp_path / "plan", DOMAIN, Town(), mode="hisp", sends_dispatched=ours
    ) as plan:
        mail = await plan.spool(open_message(plan), (INTAKE,), DOCTOR)
        await plan.work()
        assert [one.state for one in plan.received()] == ["filed"]
        assert [one.state for one in documents(plan.house)] == ["filed"]
        assert len(plan.answers_to(mail)) == (1 if ours else 0)


async def test_what_is_not_sealed_leaves_under_verified_tls_or_not_at_all(tmp_path: Path) -> None:
    town = Town()
    async with (
        office(tmp_path / "clinic", "direct.clinic.test", town) as clinic,
        office(tmp_path / "plan", DOMAIN, town, mode="hisp") as plan,
    ):
        message = await plan.send(DOCTOR)  # the clinic's server offers no TLS
        await plan.work()
        assert plan.state(message) == "queued"
        assert clinic.received() == []
        assert "under verified TLS alone" in str(plan.failures[0])
