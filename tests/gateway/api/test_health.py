"""Health tells whoever runs the gateway how far behind each audit repository is, and no more."""

import httpx
import pytest

from gateway.api.applications import create_operations_application

LAG = {"repository": "arr", "records_behind": 3, "seconds_behind": 7.5, "dead_letters": 1}


async def ready(trouble: str | None, lag: object) -> httpx.Response:
    application = create_operations_application(lambda: trouble)
    application.state.lag = lag
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://operations") as client:
        return await client.get("/health/ready")


async def test_a_repository_that_lags_is_shown_and_is_no_reason_to_answer_nobody() -> None:
    answer = await ready(None, lambda: [LAG])
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "audit": [LAG]})


async def test_without_repositories_nothing_is_said_of_them() -> None:
    assert (await ready(None, None)).json() == {"status": "ready"}


@pytest.mark.parametrize("lag", [None, lambda: [LAG]])
async def test_a_database_that_is_away_is_the_only_thing_said(lag: object) -> None:
    answer = await ready("the database is away", lag)
    assert answer.status_code == 503
    assert answer.json() == {"status": "not ready", "reason": "the database is away"}
