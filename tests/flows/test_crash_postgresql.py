"""kill -9 on PostgreSQL: as in `test_crash`, with units that commit side by side.

One step each, since every kill needs a database of its own.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.app.house import House
from gateway.model.partner import Partner
from tests.flows.crash_child import FILES, take_in
from tests.flows.test_crash import (
    KILLED,
    LIVED,
    Crasher,
    assert_kept_once,
    crasher,
    ingested,
    partner,
    recover,
    summary_of,
)
from tests.gateway import house as lakeshore
from tests.gateway.clients.asking_house import (
    asking_house,
    assert_sound,
    calls,
    new_retrieval,
    open_rows,
    reading_inline,
    retrieval_of,
    run_retrieval,
)

__all__ = ["crasher", "ingested", "partner"]


def recovered(house: House) -> list[Any]:
    """The server learns of a death when the connection closes, which takes it a moment."""
    left = open_rows(house)
    deadline = time.monotonic() + 10
    while True:
        try:
            found = recover(house)
        except AssertionError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
            continue
        assert len([one for one in found if one.outcome == "unknown"]) == left
        return found


@pytest.mark.parametrize("step", ["before commit"])
def test_an_ingest_loses_and_doubles_nothing(
    step: str,
    tmp_path: Path,
    new_postgres: Callable[[], str],
    crasher: Crasher,
    ingested: Any,
) -> None:
    hit, ended = 0, KILLED
    while ended != LIVED:
        hit += 1
        folder, url = tmp_path / str(hit), new_postgres()
        with asking_house(folder, database_url=url):
            noted = folder / "acknowledged"
            noted.touch()
        job = {"what": "ingest", "step": step, "hit": hit, "acknowledged": str(noted)}
        ended = crasher.run(folder, database_url=url, **job)
        assert ended in (KILLED, LIVED)
        with asking_house(folder, database_url=url, member=None) as house:
            reading_inline(house)
            before = recovered(house)
            known = {one.id for one in lakeshore.documents(house)}
            assert known >= set(noted.read_text(encoding="ascii").split())
            assert sorted(known) == sorted(one.documents[0] for one in before)
            for name in FILES:
                take_in(house, lakeshore.demo_document(name))
            assert_kept_once(house, len(FILES))
            assert summary_of(house) == ingested
            assert_sound(house)
    assert hit > len(FILES)


@pytest.mark.parametrize("step", ["after commit"])
def test_a_retrieval_goes_on_where_it_stopped(
    step: str,
    tmp_path: Path,
    new_postgres: Callable[[], str],
    crasher: Crasher,
    partner: Partner,
) -> None:
    hit, ended = 0, KILLED
    while ended != LIVED:
        hit += 1
        folder, url = tmp_path / str(hit), new_postgres()
        with asking_house(folder, [partner], database_url=url) as house:
            retrieval = new_retrieval(house)
        job = {"what": "perform", "step": step, "hit": hit, "retrieval": retrieval}
        ended = crasher.run(folder, database_url=url, **job)
        assert ended in (KILLED, LIVED)
        with asking_house(folder, database_url=url, member=None) as house:
            reading_inline(house)
            recovered(house)
            asyncio.run(run_retrieval(house, retrieval))
            assert_kept_once(house, 3)
            done = retrieval_of(house, retrieval)
            assert [one.documents_new for one in done.partners] == [3]
            assert done.state == "done"
            assert sum(one.outcome == "unknown" for one in calls(house)) <= 1
            assert_sound(house)
    assert hit > 8
