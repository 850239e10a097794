"""What a trusted message carries that becomes documents; runs in a worker process."""

from dataclasses import dataclass
from typing import Final

from direct.message import read_outer, unwrap
from gateway.exchange.mail_content import Found, find_content

_KEPT: Final = frozenset({"cda", "hl7v2", "pdf", "image"})
"""What becomes a document of its own; text and the like stay in the message."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What a message carries that we keep, and what in it could not be opened, in words."""

    documents: tuple[Found, ...]
    problems: tuple[str, ...] = ()


def find_carried(content: bytes, raw: bytes) -> Carried:
    """In a worker: `content` is what was signed, `raw` the mail that carried it.

    Raises:
        DirectError: there is no message in it.
    """
    carried = find_content(unwrap(content, read_outer(raw)))
    documents = tuple(one for one in carried.found if one.kind in _KEPT)
    return Carried(documents, carried.problems)
