"""Both sides answer later: ITI-55, 38 and 39 with a ReplyTo, between two houses on real sockets."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.app.house import House
from gateway.model.partner import Endpoints, Partner
from gateway.model.retrieval import PartnerProgress
from gateway.settings import Listen
from tests.gateway import house as lakeshore
from tests.gateway.clients.asking_house import (
    HOME,
    NAME,
    a_partner,
    answers,
    asking_house,
    assert_sound,
    calls,
    enqueue,
    new_retrieval,
    retrieval_of,
    work_off,
)
from tests.gateway.house import US, demo_document, records

ROUNDS = ("ITI-55", "ITI-38", "ITI-39")


@dataclass(frozen=True, slots=True)
class Pair:
    """A plan that asks and a community that answers, each at the other's doors."""

    plan: House
    community: House
    partner: Partner

    def row(self, retrieval: object) -> PartnerProgress:
        return answers(self.plan, retrieval)[US]  # type: ignore[arg-type]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def pair(folder: Path, *, serves: bool = True, **profile: object) -> Iterator[Pair]:
    port = free_port()
    base = f"https://localhost:{port}"
    asker = lakeshore.a_partner(
        NAME, HOME, endpoints=Endpoints(replies=(f"{base}/ihe/xcpd", f"{base}/ihe/xca"))
    )
    with (
        lakeshore.open_house(
            folder / "community", rules=[lakeshore.a_rule(asker)], known=[asker]
        ) as community,
        lakeshore.serving(community) as door,
    ):
        partner = a_partner(US, str(lakeshore.HOME), f"localhost:{door.port}")
        later = replace(partner.profile, **{"asynchronous": True, **profile})  # type: ignore[arg-type]
        partner = replace(partner, profile=later)
        listen = Listen(
            partners=f"127.0.0.1:{port}",
            plans="127.0.0.1:0",
            operations="127.0.0.1:0",
            public=base,
        )
        with asking_house(folder / "plan", [partner], listen=listen) as plan:
            if not serves:
                yield Pair(plan, community, partner)
                return
            with lakeshore.serving(plan):
                yield Pair(plan, community, partner)


def test_a_retrieval_goes_on_with_each_answer_that_comes(tmp_path: Path) -> None:
    with pair(tmp_path) as two:
        retrieval = new_retrieval(two.plan)
        enqueue(two.plan, retrieval)
        for number, transaction in enumerate(ROUNDS):
            asyncio.run(work_off(two.plan))
            row = two.row(retrieval)
            assert row.outcome is None
            assert row.detail is not None and row.detail.startswith("its answer is awaited until")
            assert retrieval_of(two.plan, retrieval).state == "running"
            assert len(calls(two.plan)) == number  # no record before there is an outcome
            asyncio.run(work_off(two.community))
            assert records(two.community)[-1].transaction == transaction
        asyncio.run(work_off(two.plan))
        row = two.row(retrieval)
        assert (row.outcome, row.documents_found, row.documents_new) == ("matched", 3, 3)
        assert (row.documents_missing, row.detail) == (0, None)
        assert retrieval_of(two.plan, retrieval).state == "done"
        names = ("lakeshore_progress_note.xml", "lakeshore_unstructured.xml", "lakeshore_ccd.xml")
        held = {two.plan.archive.load(one.plan, one.blob) for one in lakeshore.documents(two.plan)}
        assert held == {demo_document(name) for name in names}
        for house, direction in ((two.plan, "out"), (two.community, "in")):
            found = [one for one in records(house) if one.direction == direction]
            assert [(one.transaction, one.outcome) for one in found] == [
                (transaction, "success") for transaction in ROUNDS
            ]
            assert_sound(house)
        ids = [[one.message_id for one in records(house)] for house in (two.plan, two.community)]
        assert ids[0] == ids[1]
        assert lakeshore.rows_of(two.community, "owed_answer") == []
