"""A process that receives documents until it is killed at a named step."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

from gateway.model.document import Blob
from gateway.store import documents, exchange_log
from gateway.store.blobs import BlobStore
from gateway.store.database import Database, Transaction, open_database
from gateway.store.job_queue import JobQueue, open_queue
from gateway.store.keys import KeyRing
from tests.gateway.store.builders import ACME, NOW, a_document, an_exchange


def killer(step: str, occurrence: int) -> Callable[[str], None]:
    """A failpoint that kills its process without a word."""
    seen = 0

    def at(reached: str) -> None:
        nonlocal seen
        if reached == step:
            seen += 1
            if seen == occurrence:
                os.kill(os.getpid(), signal.SIGKILL)

    return at


def receive_until_killed(
    url: str, folder: Path, step: str, occurrence: int, answers: Connection
) -> None:
    """Receives six documents, answering each as soon as it is safe."""
    failpoint = killer(step, occurrence)
    with_failpoint = open_database(url, key_file=folder / "kek", failpoint=failpoint)
    for number in range(6):
        receive(with_failpoint, folder, number, failpoint)
        answers.send(number)


def record_briefly_until_killed(
    url: str, folder: Path, step: str, occurrence: int, answers: Connection
) -> None:
    """Records exchanges as an event loop does, three at a time, each answered once it is safe."""
    database = open_database(url, key_file=folder / "kek", failpoint=killer(step, occurrence))

    async def one(number: int) -> None:
        await database.write_briefly(
            lambda t: exchange_log.append(t, an_exchange(message_id=str(number)))
        )
        answers.send(number)

    async def all_of_them() -> None:
        for first in range(0, 12, 3):
            await asyncio.gather(*(one(number) for number in range(first, first + 3)))

    asyncio.run(all_of_them())


def receive_under_load(url: str, folder: Path, answers: Connection) -> None:
    """Receives documents on eight threads until someone kills it."""
    database = open_database(url, key_file=folder / "kek")
    answering = threading.Lock()

    def one(number: int) -> None:
        receive(database, folder, number)
        with answering:
            answers.send(number)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(one, range(10_000)))


def receive(
    database: Database,
    folder: Path,
    number: int,
    failpoint: Callable[[str], None] = lambda _step: None,
) -> None:
    """What every door does: open, keep the bytes, then document, job and record in one unit."""
    opened = database.write(lambda t: exchange_log.open_exchange(t, an_exchange()))
    blobs = BlobStore(folder / "blobs", KeyRing(folder / "kek", database), failpoint)
    blob = blobs.put(plan=ACME, content=f"document {number}".encode())
    queue = open_queue(database)
    database.write(lambda t: _take(t, queue, number, blob, opened))


def _take(transaction: Transaction, queue: JobQueue, number: int, blob: Blob, opened: int) -> None:
    fresh = a_document(os.urandom(8).hex(), blob=blob, received=NOW)
    document = documents.insert(transaction, fresh)
    queue.enqueue(
        transaction,
        kind="ingest",
        plan=ACME,
        payload={"document": document.id},
        idempotency_key=document.id,
        run_at=NOW,
    )
    record = an_exchange(message_id=str(number), documents=(document.id,))
    exchange_log.close_exchange(transaction, opened, record)
