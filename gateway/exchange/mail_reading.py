"""What a received message says and carries, for people: its text, and a list of its parts.

Only of a message whose signer was trusted: until then nothing of it leaves quarantine (EFAIL). It
is opened anew each time it is looked at, so that its text lies nowhere but in the message. HTML is
shown as its words; nothing that it names is fetched or run.
"""

import asyncio
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from mimetypes import guess_extension
from typing import Any, Final, TypeVar

from direct.context import Context
from direct.encoded_words import printable
from direct.errors import DirectError
from direct.message import DirectMessage, Part, read_message, read_outer, unwrap
from gateway.exchange.direct_means import DirectMeans
from gateway.exchange.mail_content import Found, find_content
from gateway.exchange.mail_looking import documents_of, key_pairs
from gateway.exchange.mail_sealing import KeyPairDer, open_mail
from gateway.exchange.workers import WorkerFailed
from gateway.model.identity import DocumentId
from gateway.model.received_mail import OUTBOX, ReceivedMail
from gateway.store import direct_keys, documents
from gateway.store.database import Transaction

_MOST_TEXT: Final = 100_000
_MOST_PARTS: Final = 500
_TRUSTED: Final = frozenset({"filed", "held", "notice", "duplicate"})
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_SILENT: Final = frozenset({"script", "style", "head", "title", "template", "noscript"})
_BREAKS: Final = frozenset({"p", "div", "br", "tr", "li", "h1", "h2", "h3", "h4", "table", "hr"})
_TAG: Final = re.compile(r"<(/?)(!--|[!?]?[a-z][a-z0-9]*)")
_SPACES: Final = re.compile(r"\s+")
_BLANK_LINES: Final = re.compile(r"\n{3,}")
_Keys = tuple[KeyPairDer, ...]
T = TypeVar("T")


class NotShown(Exception):
    """Nothing of the message is shown; the text says why."""


@dataclass(frozen=True, slots=True)
class MailPart:
    """One thing that the message carries, by its bytes, and as its sender called it."""

    kind: str
    media_type: str
    declared: str | None
    filename: str | None
    where: tuple[str, ...]
    size_bytes: int
    sha256: str
    is_body: bool
    defects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReadMail:
    """A message as people see it; `text` has lines and nothing else that is not shown."""

    from_: str
    to: tuple[str, ...]
    date: str | None
    subject: str | None
    text: str
    is_cut: bool
    parts: tuple[MailPart, ...]
    context: Context | None
    problems: tuple[str, ...]


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
    return await _opened(means, mail, carried_files)


async def _opened(
    means: DirectMeans, mail: ReceivedMail, read: Callable[[bytes, _Keys | None], T]
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
    raw = await asyncio.to_thread(means.archive.load, mail.plan, mail.blob)
    try:
        return await means.opening.run_async(read, raw, pairs)
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


# ---- in a worker -----------------------------------------------------------------------------


def carried_files(raw: bytes, keys: _Keys | None) -> dict[str, bytes]:
    """As `read_parts`: a number, and what is harmless of the name that its sender gave.

    Raises:
        DirectError: it does not open, or cannot be read.
    """
    found = find_content(_message(raw, keys)).found[:_MOST_PARTS]
    return {_file_name(number, one): one.content for number, one in enumerate(found, 1)}


def _file_name(number: int, found: Found) -> str:
    """Of letters, digits and a few marks: no folder, no hidden file, nothing that a shell reads."""
    last = re.split(r"[/\\]", found.filename or found.where[-1])[-1]
    stem, dot, ending = last.rpartition(".") if found.filename else (last, "", "")
    plain = _UNSAFE.sub("_", stem if dot else last).strip("._-")[:60]
    ending = _UNSAFE.sub("", ending)[:8] or (guess_extension(found.media_type) or ".bin")[1:]
    return f"{number:03}-{plain or 'part'}.{ending}"


def describe_mail(raw: bytes, keys: _Keys | None) -> ReadMail:
    """What it says and carries; `keys` are None where our HISP has opened it.

    Raises:
        DirectError: it does not open, or cannot be read.
    """
    message = _message(raw, keys)
    carried = find_content(message)
    text = _text(message)
    return ReadMail(
        from_=message.from_.address,
        to=tuple(one.address for one in message.recipients),
        date=message.date.isoformat() if message.date else None,
        subject=message.subject,
        text=text[:_MOST_TEXT],
        is_cut=len(text) > _MOST_TEXT,
        parts=tuple(map(_part, carried.found[:_MOST_PARTS])),
        context=carried.context,
        problems=carried.problems,
    )


def _message(raw: bytes, keys: _Keys | None) -> DirectMessage:
    if keys is None:
        return read_message(raw)
    return unwrap(open_mail(raw, keys).content, read_outer(raw))


def _part(found: Found) -> MailPart:
    return MailPart(
        kind=found.kind,
        media_type=found.media_type,
        declared=found.declared,
        filename=found.filename,
        where=tuple(map(printable, found.where)),
        size_bytes=len(found.content),
        sha256=hashlib.sha256(found.content).hexdigest(),
        is_body=found.is_body,
        defects=found.defects,
    )


def _text(message: DirectMessage) -> str:
    """The first text that is meant to be read as the message; plain before HTML."""
    bodies = [one for one in message.parts if _is_body(one)]
    plain = [one for one in bodies if one.media_type.value != "text/html"]
    chosen = next((one for one in (*plain, *bodies) if (one.text() or "").strip()), None)
    if chosen is None:
        return ""
    written = chosen.text() or ""
    words = written if chosen.media_type.value != "text/html" else _words(written)
    lines = map(printable, words.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()


def _is_body(part: Part) -> bool:
    disposition = part.disposition
    attached = disposition is not None and disposition.value == "attachment"
    return part.media_type.value.startswith("text/") and not attached and part.filename is None


def _words(written: str) -> str:
    """The words of HTML; what stands in tags, scripts, styles and comments is none.

    Our own, since Python's parser looks through all that follows at each comment without end.
    What is never closed hides the rest, as it does in a browser.
    """
    found: list[str] = []
    lower, at = written.lower(), 0
    while (start := written.find("<", at)) >= 0:
        found.append(written[at:start])
        tag = _TAG.match(lower, start)
        if tag is None:
            found.append("<")
            at = start + 1
            continue
        closed, name = tag.groups()
        found.append("\n" if name in _BREAKS else "")
        at = lower.find("-->", start) + 3 if name == "!--" else lower.find(">", start) + 1
        if name in _SILENT and not closed and at > start:
            at = lower.find(f"</{name}", at)
        if at <= start:
            return _unescaped(found)
    return _unescaped([*found, written[at:]])


def _unescaped(found: Sequence[str]) -> str:
    return unescape("".join(one if one == "\n" else _SPACES.sub(" ", one) for one in found))
