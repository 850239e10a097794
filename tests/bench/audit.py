"""What evidence costs: ITI-38 answered, and a document ingested, with a record and without.

Two listeners of two houses that are alike; one of them records nothing and keeps no wire bytes, and
is otherwise the same, its replay guard and COMMIT with it. They take turns, as documents do.
"""

import gc
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from gateway.app.house import House
from gateway.exchange.ingest import Ingested, Received, ingest
from gateway.exchange.reading import read_document
from gateway.model.document import Source
from gateway.store import exchange_log
from gateway.store.transaction import Transaction
from tests.bench.corpus import Corpus
from tests.bench.figures import Figure, Report, median_ratio
from tests.bench.ingest import record
from tests.bench.load import Load, Target
from tests.bench.partner import UNRECORDED
from tests.bench.responder import furnish, requests, serving
from tests.gateway.house import PLAN, open_house

_CONNECTIONS: Final = 16
_REQUESTS: Final = 100
"""Of a turn; so short that a slow moment of the machine is both's."""
_TURNS: Final = 8
"""Of each in a round."""
_WARM_UP: Final = 100
_SHARE_OF_ANSWER: Final = 0.20
_SHARE_OF_DOCUMENT: Final = 0.15
_NOTES: Final = (
    "added: by the server's processor time, with by without, one less; of rounds the median",
    "ITI-38: the record in the group's COMMIT, and both envelopes packed, sealed and kept",
    "document: read, stored, indexed and filed, COMMIT; one document a COMMIT",
)


def measure(corpus: Corpus, rounds: int) -> Report:
    """Both, each against itself without a record."""
    rows = (
        _row("ITI-38 at 16 connections", _SHARE_OF_ANSWER, *_answers(rounds)),
        _row("document, ingested", _SHARE_OF_DOCUMENT, *_documents(corpus, rounds)),
    )
    return Report("audit", "What the exchange record adds", rows, (corpus.text, *_NOTES))


def _row(
    what: str, limit: float, recorded: Sequence[float], bare: Sequence[float]
) -> dict[str, Figure]:
    return {
        "what": what,
        "with ms": statistics.median(recorded) * 1000,
        "without ms": statistics.median(bare) * 1000,
        "added": f"{median_ratio(recorded, bare) - 1:.1%}",
        "at most": f"{limit:.0%}",
    }


# ---- an answer -------------------------------------------------------------------------------


def _answers(rounds: int) -> tuple[list[float], list[float]]:
    """Processor seconds of an answer, recorded and not, round by round."""
    found: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        costs = [0.0, 0.0]
        # Two processes of the same work differ by some hundredths for as long as they live.
        with ExitStack() as stack:
            targets = [_target(stack, *arguments) for arguments in ((), (UNRECORDED,))]
            for target in targets:
                target.post_all("/ihe/xca", requests(_WARM_UP), connections=_CONNECTIONS)
            for turn in range(_TURNS):
                for place in (0, 1) if turn % 2 else (1, 0):
                    costs[place] += _cost(targets[place]) / _TURNS
        for place, seconds in enumerate(costs):
            found[place].append(seconds)
    return found


def _target(stack: ExitStack, *arguments: str) -> Target:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
    return stack.enter_context(serving(folder, furnish(folder), arguments=arguments))


def _cost(target: Target) -> float:
    load: Load = target.post_all("/ihe/xca", requests(_REQUESTS), connections=_CONNECTIONS)
    return load.server_seconds / load.requests


# ---- a document ------------------------------------------------------------------------------


def _documents(corpus: Corpus, rounds: int) -> tuple[list[float], list[float]]:
    """Processor seconds of a document, recorded and not, round by round."""
    recorded, bare = [], []
    for _ in range(rounds):
        with ExitStack() as stack:
            houses = [_house(stack), _house(stack)]
            seconds = [0.0, 0.0]
            gc.collect()
            for number, content in enumerate(corpus.documents):
                for place in (0, 1) if number % 2 else (1, 0):  # who goes first has it harder
                    started = time.process_time()
                    _ingest(houses[place], content, is_recorded=place == 0)
                    seconds[place] += time.process_time() - started
        recorded.append(seconds[0] / len(corpus.documents))
        bare.append(seconds[1] / len(corpus.documents))
    return recorded, bare


def _house(stack: ExitStack) -> House:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
    return stack.enter_context(open_house(folder, furnished=False))


def _ingest(house: House, content: bytes, *, is_recorded: bool) -> Ingested:
    """One document from its bytes until it is durable, read in this process."""
    (plan,) = (one for one in house.plans if one.id == PLAN)
    blob = house.archive.store(PLAN, content)
    received = Received(blob, read_document(content), Source(door="FILE"))

    def unit(transaction: Transaction) -> Ingested:
        now = datetime.now(UTC)
        (done,) = ingest(
            transaction,
            [received],
            plan=plan,
            community=house.community,
            now=now,
            create_members=True,
        )
        if is_recorded:
            exchange_log.append(transaction, record(plan, done, now))
        return done

    return house.database.write(unit)
