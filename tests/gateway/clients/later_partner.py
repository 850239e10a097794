"""A partner that takes every request with 202, and answers when a test says so, at our doors."""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.app.house import House
from gateway.model.identity import RetrievalId
from gateway.model.partner import Partner, PartnerProfile
from gateway.model.retrieval import PartnerProgress
from gateway.settings import Listen
from ihe.mtom import is_multipart
from tests.gateway import house as lakeshore
from tests.gateway.clients.asking_house import (
    answers,
    asking_house,
    enqueue,
    new_retrieval,
    work_off,
)
from tests.gateway.clients.scripted_partner import (
    NAME,
    SOAP,
    Heard,
    Reply,
    Script,
    discovered,
    listed,
    retrieved,
    scripted,
)
from tests.gateway.house import Door

DOORS = {"ITI_55": "/ihe/xcpd", "ITI_38": "/ihe/xca", "ITI_39": "/ihe/xca"}
WELL: dict[str, Callable[[Heard], Reply]] = {
    "ITI_55": lambda heard: Reply(discovered(heard)),
    "ITI_38": lambda heard: Reply(listed(heard)),
    "ITI_39": retrieved,
}


@dataclass(slots=True)
class Later:
    """The plan's house with its door, and the requests that the partner has taken."""

    house: House
    door: Door
    script: Script
    heard: list[tuple[str, Heard]] = field(default_factory=list)
    retrieval: RetrievalId = field(default_factory=lambda: RetrievalId(""))

    def ask(self, **changes: Any) -> None:
        """Begins a retrieval and does what can be done of it now."""
        self.retrieval = new_retrieval(self.house, **changes)
        enqueue(self.house, self.retrieval)
        self.work()

    def work(self) -> None:
        asyncio.run(work_off(self.house))

    def work_until_ended(self, seconds: float = 20.0) -> None:
        """Works as a worker would, until the partner's part has ended."""
        deadline = time.monotonic() + seconds
        while self.row.outcome is None:
            assert time.monotonic() < deadline, "never ended"
            self.work()

    @property
    def row(self) -> PartnerProgress:
        return answers(self.house, self.retrieval)[NAME]

    def answer(
        self,
        number: int = -1,
        reply: Reply | None = None,
        *,
        path: str | None = None,
        by: str = NAME,
    ) -> lakeshore.Reply:
        """Our door's answer to the partner's answer to that request, well unless told otherwise."""
        transaction, heard = self.heard[number]
        reply = reply or WELL[transaction](heard)
        content_type = reply.content_type if is_multipart(reply.content_type) else SOAP
        return self.door.post(
            path or DOORS[transaction], reply.content, by=by, content_type=content_type
        )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listening_at(port: int) -> Listen:
    return Listen(
        partners=f"127.0.0.1:{port}",
        plans="127.0.0.1:0",
        operations="127.0.0.1:0",
        public=f"https://localhost:{port}",
    )


@contextmanager
def later(
    folder: Path,
    *,
    others: Sequence[Partner] = (),
    at_once: dict[str, Callable[[Heard], Reply]] | None = None,
    **profile: Any,
) -> Iterator[Later]:
    """The partner and the plan's house; `at_once` is answered on the connection that asked."""
    heard: list[tuple[str, Heard]] = []

    def taking(transaction: str) -> Callable[[Heard], Reply]:
        def take(request: Heard) -> Reply:
            heard.append((transaction, request))
            return Reply(b"", status=202)

        return take

    script_answers = {transaction: taking(transaction) for transaction in DOORS}
    given = {"timeout_seconds": 20, "asynchronous": True, **profile}
    with (
        scripted(
            profile=PartnerProfile(**given), **{**script_answers, **(at_once or {})}
        ) as script,
        asking_house(folder, [script.partner, *others], listen=listening_at(free_port())) as house,
        lakeshore.serving(house) as door,
    ):
        yield Later(house, door, script, heard)
