"""Where documents are kept and read: the database, the blob store and the worker processes."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.exchange.workers import WorkerPool
from gateway.model.document import Blob
from gateway.model.identity import PlanId
from gateway.store.blobs import BlobStore
from gateway.store.database import Database


@dataclass(frozen=True, slots=True)
class Archive:
    """The three that every verb with documents needs, and always together."""

    database: Database
    blobs: BlobStore
    workers: WorkerPool

    def store(self, plan: PlanId, content: bytes) -> Blob:
        """Keeps the bytes, durable on return."""
        return self.blobs.put(plan=plan, content=content)

    async def store_async(self, plan: PlanId, content: bytes) -> Blob:
        """As `store`, without blocking the event loop."""
        return await asyncio.to_thread(self.store, plan, content)

    def load(self, plan: PlanId, blob: Blob) -> bytes:
        """All of a document's bytes; for reading it, never for passing it on."""
        return b"".join(self.chunks(plan, blob))

    def chunks(self, plan: PlanId, blob: Blob) -> Iterator[bytes]:
        """A document's bytes in pieces, verified as they are read."""
        return self.blobs.read(plan=plan, address=blob.address)
