"""A PostgreSQL server for what must hold on both databases, and a house on each of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.app.house import House
from gateway.settings import Plan
from tests.gateway.clients.asking_house import NUMBER_ROOT, PLAN, asking_house
from tests.gateway.store.conftest import migrated_postgres, postgres_url, server

__all__ = ["migrated_postgres", "postgres_url", "server"]


@pytest.fixture(params=["sqlite", "postgresql"])
def either_house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    plans = (
        Plan(id=PLAN, name="Acme", member_id_root=NUMBER_ROOT),
        Plan(id="other", name="Other"),
    )
    changes: dict[str, Any] = {"plans": plans}
    if request.param == "postgresql":
        changes["database_url"] = request.getfixturevalue("postgres_url")
    with asking_house(tmp_path, **changes) as opened:
        yield opened
