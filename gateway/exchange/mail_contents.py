"""The documents in a message that is trusted, found in a worker process, stored and read."""

from dataclasses import dataclass
from typing import Final, Self

from direct.errors import DirectError
from gateway.exchange.archive import Archive
from gateway.exchange.direct_means import TOO_MUCH, Opening
from gateway.exchange.ingest import Received, receive
from gateway.exchange.mail_attachments import Attachment, attachment
from gateway.exchange.mail_carried import Kept, Problems, TooMany, hand_over
from gateway.exchange.mail_letter import Letter
from gateway.exchange.reading import Weight
from gateway.exchange.reading_share import Share
from gateway.exchange.workers import Content, WorkerFailed
from gateway.model.document import Blob, Source
from gateway.model.member import Plan
from gateway.store.blobs import BlobWriter

MOST_DOCUMENTS: Final = 100
"""Of one message; each costs a reading."""
MOST_SAID: Final = Weight(rows=2500, characters=4_000_000)
"""By the documents of one message together: to index and merge so much takes us half a second, and
30 MB of memory. Reading it takes a worker all the time that a message has there."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The documents, stored and read; `failure` says why the message cannot be delivered."""

    received: tuple[Received, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    problems: tuple[str, ...] = ()
    failure: str | None = None


async def take_documents(
    archive: Archive,
    opening: Opening,
    content: Content,
    letter: Letter,
    *,
    plan: Plan,
) -> Contents:
    """What is in the message. Its bytes are stored before anything refers to them.

    Its documents are read one after another, in the memory in which it was opened; those that its
    budget does not reach are kept, to be read by themselves.
    """
    with _Keeping(archive, plan) as keeping:
        try:
            await opening.run(
                hand_over, letter.header, MOST_DOCUMENTS, content=content, take=keeping.take
            )
        except DirectError as error:
            return Contents(failure=error.reason)
        except WorkerFailed as failure:
            if failure.reason == "closed":
                raise
            return Contents(failure=TOO_MUCH[1])
    if keeping.problems is None:
        return Contents(failure="it holds more documents than we take")
    received, attachments = [], []
    share = Share(opening.pool, opening.budget, MOST_SAID)
    for one, blob in keeping.kept:
        if one.found.kind in ("pdf", "image"):
            attachments.append(attachment(one, blob))
        else:
            source = Source("DIRECT", partner_name=letter.from_)
            received.append(await receive(archive, blob, plan=plan, source=source, share=share))
    return Contents(tuple(received), tuple(attachments), keeping.problems)


class _Keeping:
    """Stores what a worker hands over, piece by piece. As a context manager it leaves nothing
    half-written."""

    def __init__(self, archive: Archive, plan: Plan) -> None:
        self._archive = archive
        self._plan = plan
        self._writing: tuple[Kept, BlobWriter] | None = None
        self.kept: Final[list[tuple[Kept, Blob]]] = []
        self.problems: tuple[str, ...] | None = None
        """Told once all documents are stored; None before, and when there were too many."""

    def take(self, item: Kept | Problems | TooMany | bytes) -> None:
        if isinstance(item, bytes):
            if self._writing is not None:
                self._writing[1].write(item)
            return
        if self._writing is not None:
            one, writer = self._writing
            self.kept.append((one, writer.finish()))
            self._writing = None
        if isinstance(item, Kept):
            self._writing = item, self._archive.blobs.writer(self._plan.id)
        elif isinstance(item, Problems):
            self.problems = item.told

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._writing is not None:
            self._writing[1].abort()
