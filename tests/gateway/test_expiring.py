"""A gateway that runs says in its log what runs out: at its start, and again and again."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest

from gateway.app.house import House
from gateway.app.serving import serve, work
from gateway.app.working import working
from gateway.exchange.expiring import Reliance, warnings
from gateway.store import partners
from tests.gateway.exchange.direct_certificates import certified
from tests.gateway.house import a_partner, open_house

OURS = "our tls certificate "


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Its certificates live for two days."""
    with open_house(tmp_path, furnished=False) as found:
        yield found


def times(caplog: pytest.LogCaptureFixture, text: str) -> int:
    return sum(text in one.getMessage() for one in caplog.records if one.name == "gateway")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("run", [serve, work])
async def test_a_gateway_warns_at_its_start(
    run: Callable[[House], Awaitable[None]], house: House, caplog: pytest.LogCaptureFixture
) -> None:
    async def whole() -> None:
        await run(house)

    running = asyncio.create_task(whole())
    await until(
        lambda: (
            running.done()
            or (signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL and times(caplog, OURS) > 0)
        )
    )
    assert not running.done()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(running, 30)
    assert times(caplog, OURS) == 1
    assert times(caplog, "a pinned certificate of Northfield Health expires on") == 1
    assert times(caplog, "of test expires on") == 1


async def test_it_looks_again_and_sees_what_has_come_since(
    house: House, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = import_module("gateway.app.working")  # the package shows the function under its name
    monkeypatch.setattr(module, "_WARN_SECONDS", 0.01)
    async with working(house, is_warning=True):
        await until(lambda: times(caplog, OURS) > 0)
        partner = replace(a_partner(), name="Southfield")
        await house.database.write_async(lambda tx: partners.put(tx, partner))
        await until(lambda: times(caplog, "a pinned certificate of Southfield") > 0)


def test_what_others_wrote_forges_no_line_of_the_log() -> None:
    _, certificate = certified("direct.acme.example")
    end = certificate.not_valid_after_utc
    one = Reliance("direct_anchor", "x", "the anchor CN=A\nERROR forged", certificate)
    (said,) = warnings((one, one), now=end - timedelta(days=44))
    assert said == f"the anchor CN=A\ufffdERROR forged expires on {end.date()}, in 44 days"
    assert list(warnings((one,), now=end - timedelta(days=46))) == []
    (said,) = warnings((one,), now=end + timedelta(days=1))
    assert said.endswith(f"has expired on {end.date()}")
