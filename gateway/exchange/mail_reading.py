"""What a received message says and carries, for people: its text, and a list of its parts.

Only of a message whose signer was trusted: until then nothing of it leaves quarantine (EFAIL). It
is opened anew each time it is looked at, so that its text lies nowhere but in the message. HTML is
shown as its words; nothing that it names is fetched or run.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from direct.errors import DirectError
from gateway.exchange.direct_means import DirectMeans
from gateway.exchange.mail_describing import Keys, ReadMail, carried_files, describe_mail
from gateway.exchange.mail_looking import documents_of, key_pairs
from gateway.exchange.workers import WorkerFailed
from gateway.model.identity import DocumentId
from gateway.model.received_mail import OUTBOX, ReceivedMail
from gateway.store import direct_keys, documents
from gateway.store.database import Transaction

_TRUSTED: Final = frozenset({"filed", "held", "notice", "duplicate"})
T = TypeVar("T")


class NotShown(Exception):
    """Nothing of the message is shown; the text says why."""


async def read_mail(means: DirectMeans, mail: ReceivedMail) -> dict[str, Any]:
    """The message as JSON, each part with the document it became.

    Raises:
        NotShown: it is not trusted, or does not open any more.
    """
    read = await _opened(means, mail, describe_mail)
    became = await means.archive.database.read_async(lambda tx: _became(tx, mail))
    return _form(read, became)


async def read_parts(means: DirectMeans, mail: ReceivedMail) -> dict[str, bytes]:
    """What the message carries, by names under which it may be written into a folder.

    Raises:
        NotShown: it is not trusted, or does not open any more.
    """
    return dict(await _opened(means, mail, carried_files))


async def _opened(
    means: DirectMeans, mail: ReceivedMail, read: Callable[[bytes, Keys | None], T]
) -> T:
    """What `read` finds in it, in a worker."""
    if mail.state not in _TRUSTED:
        raise NotShown(f"it is {mail.state}: only what was trusted is opened for people")
    database = means.archive.database
    pairs = None
    if means.mode == "agent" and mail.door != OUTBOX:
        keys = await database.read_async(
            lambda tx: direct_keys.of_addresses(tx, plan=mail.plan, addresses=mail.rcpt_to)
        )
        pairs = key_pairs(means, keys)
    raw = means.archive.chunks(mail.plan, mail.blob)
    try:
        return await means.opening.run_on_async(raw, read, pairs)
    except DirectError as error:
        raise NotShown(error.reason) from None
    except WorkerFailed as failure:
        if failure.reason == "closed":
            raise
        raise NotShown("opening it took more time or memory than is allowed") from None


def _became(transaction: Transaction, mail: ReceivedMail) -> dict[str, DocumentId]:
    """The message's documents by their SHA-256."""
    ids = documents_of(transaction, mail)
    known = (documents.get(transaction, plan=mail.plan, document=one) for one in ids)
    return {one.blob.sha256: one.id for one in known if one is not None}


def _form(read: ReadMail, became: Mapping[str, DocumentId]) -> dict[str, Any]:
    context = read.context
    return {
        "from": read.from_,
        "to": list(read.to),
        "date": read.date,
        "subject": read.subject,
        "text": read.text,
        "text_cut": read.is_cut,
        "parts": [
            {
                "kind": one.kind,
                "media_type": one.media_type,
                "declared": one.declared,
                "filename": one.filename,
                "where": list(one.where),
                "size": one.size_bytes,
                "sha256": one.sha256,
                "body": one.is_body,
                "defects": list(one.defects),
                "document": became.get(one.sha256),
            }
            for one in read.parts
        ],
        "context": context
        and {
            "patient_ids": [f"{one.authority}:{one.id}" for one in context.patient_ids],
            "type": "/".join(filter(None, (context.category, context.action))) or None,
            "purpose": context.purpose,
            "patient": dict(context.patient),
        },
        "problems": list(read.problems),
    }


def mail_text(form: Mapping[str, Any]) -> str:
    """The same as text, for a terminal."""
    lines = [
        f"From          {form['from']}",
        *(f"To            {one}" for one in form["to"]),
        f"Date          {form['date'] or 'not stated'}",
        f"Subject       {form['subject'] or 'none'}",
        *(_part_line(one) for one in form["parts"]),
        *(f"Problem       {one}" for one in form["problems"]),
    ]
    if form["context"] is not None:
        said = form["context"]["patient"]
        named = "; ".join(f"{name} {value}" for name, value in said.items())
        lines.append(f"Context       {named or 'names no patient'}")
    cut = ["… (cut here)"] if form["text_cut"] else []
    return "\n".join([*lines, "", form["text"] or "It has no text.", *cut]) + "\n"


def _part_line(part: Mapping[str, Any]) -> str:
    name = f" {part['filename']}" if part["filename"] else ""
    place = f" in {' › '.join(part['where'])}"
    became = f", document {part['document']}" if part["document"] else ""
    return f"Part          {part['media_type']}{name}, {part['size']:,} bytes{place}{became}"
