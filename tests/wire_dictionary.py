"""`python -m tests.wire_dictionary FILE`: a dictionary of what all envelopes say alike.

With it they are packed (`gateway.store.wire_messages`). Learned from envelopes of ours, and from
those in `tests/samples/ihe`, in which what is of one message alone was made random: certificates
and signatures, ids, long numbers. A new dictionary takes the next number and a file of its own, for
what was packed with another needs that one.
"""

import random
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import zstandard

from tests.bench import discovery, responder, retrieve

NUMBER: Final = 1
_BYTES: Final = 16 * 1024
_EACH: Final = 60
"""Messages of a kind."""
_PEOPLE: Final = 1_000
_END: Final = b"</soap:Envelope>"
"""Of an answer what comes behind is a document."""
_SAMPLES: Final = Path(__file__).parent / "samples" / "ihe"
_OWN: Final = re.compile(rb"[A-Za-z0-9+/]{40,}={0,2}|[0-9a-f-]{16,}|\d{7,}")
"""What says something of one message alone: base64, hashes, and numbers."""


def main() -> None:
    chosen = random.Random(1)
    found = [_OWN.sub(lambda own: _other(own[0], chosen), one) for one in _messages()]
    learned = zstandard.train_dictionary(_BYTES, found, dict_id=NUMBER, level=1)
    Path(sys.argv[1]).write_bytes(learned.as_bytes())


def _other(own: bytes, chosen: random.Random) -> bytes:
    """As many characters of the same kinds."""
    alphabet = sorted(set(own))
    return bytes(chosen.choices(alphabet, k=len(own)))


def _messages() -> Iterator[bytes]:
    yield from (file.read_bytes() for file in sorted(_SAMPLES.glob("*.xml")))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "query"
        folder.mkdir()
        with responder.serving(folder, responder.furnish(folder)) as target:
            for body in responder.requests(_EACH):
                yield from (body, target.post("/ihe/xca", body))
        folder = Path(name) / "retrieve"
        folder.mkdir()
        settings, wanted = retrieve.furnish(folder)
        with responder.serving(folder, settings) as target:
            for body in retrieve.requests(wanted, _EACH):
                yield from (body, target.post("/ihe/xca", body).partition(_END)[0] + _END)
        folder = Path(name) / "discovery"
        folder.mkdir()
        settings, questions = discovery.furnish(folder, _PEOPLE)
        with responder.serving(folder, settings) as target:
            for asked in questions.values():
                for body in discovery.requests(asked[:_EACH]):
                    yield from (body, target.post("/ihe/xcpd", body))


if __name__ == "__main__":
    main()
