"""What of an exchange record is private: whose it is, and the documents that it names.

Both are sealed under the key of the record's month (`month_keys`), in the column `private`; what
the record is hashed over holds that ciphertext. So chain, Merkle tree, checkpoints and proofs need
no key, and stay whole when the key is shredded. In place of the member stands a keyed hash, and in
`exchange_document` one of each document: their keys are the month's too, so that they say
nothing any more once it is gone. A search computes one hash a month that can still be read.

What is hashed holds the documents' keyed hashes too, in the column `documents`: so a record cannot
lose one by which it is found, nor come by another (`document_index`).

Records before version 2 say both in the clear, those of version 2 nothing of documents outside the
ciphertext. Their canonical text is as it was, for what a record lacks is left out of it.
"""

import base64
from collections.abc import Mapping
from typing import Any, Final

import orjson
from cryptography.exceptions import InvalidTag
from sqlalchemy import Row

from gateway.model.exchange import Exchange
from gateway.model.identity import DocumentId, MemberId
from gateway.store.errors import DamagedRecord, KeyFileUnusable
from gateway.store.month_key import MonthKey, MonthName

VERSION: Final = 3
_NAME: Final = "record"
Private = tuple[MemberId | None, tuple[DocumentId, ...], bool]
"""The member, the documents, and whether what the record said of them was disposed of."""


def has_private(exchange: Exchange) -> bool:
    """Whether the record needs a key."""
    return exchange.member is not None or bool(exchange.documents)


def private_columns(exchange: Exchange, key: MonthKey | None) -> dict[str, Any]:
    """The columns that hold, or stand for, what is private."""
    values = {"version": VERSION, "month": None, "private": None, "member": None, "documents": "[]"}
    if not has_private(exchange):
        return values
    if key is None:
        raise ValueError("a record that names a member or a document needs its month's key")
    content = orjson.dumps((exchange.member, exchange.documents))
    values["month"] = key.month
    values["private"] = base64.b64encode(key.seal(content, _NAME)).decode()
    if exchange.member is not None:
        values["member"] = key.member(exchange.member)
    if exchange.documents:
        named = list(dict.fromkeys(exchange.documents))
        values["documents"] = orjson.dumps(key.documents(named)).decode()
    return values


def month_name(row: Row[Any]) -> MonthName | None:
    """Under which month's key the record's private part is; None if it has none."""
    return None if row.private is None else (row.plan or "", row.month)


def private_of(row: Row[Any], keys: Mapping[MonthName, MonthKey | None]) -> Private:
    """What the record says, or that nobody can know any more.

    Raises:
        DamagedRecord: it was changed.
        KeyFileUnusable: its month never had a key.
    """
    name = month_name(row)
    if name is None:
        member = None if row.member is None else MemberId(row.member)
        return member, _documents(orjson.loads(row.documents)), False
    if name not in keys:
        raise KeyFileUnusable("the log has no key of the month that a record names")
    key = keys[name]
    if key is None:
        return None, (), True
    try:
        content = key.open(base64.b64decode(row.private, validate=True), _NAME)
    except (InvalidTag, ValueError):
        raise DamagedRecord(row.sequence) from None
    stated, documents = orjson.loads(content)
    return None if stated is None else MemberId(stated), _documents(documents), False


def _documents(ids: list[str]) -> tuple[DocumentId, ...]:
    return tuple(DocumentId(id) for id in ids)
