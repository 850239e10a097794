"""What can go wrong with a Direct message, and what its sender may hear of it.

DirectError
├─ MalformedMessage        no message, MIME entity or CMS structure that can be read    → silence
│  └─ MessageTooLarge      over our limit of bytes, depth, elements or recipients       → silence
├─ NotEncrypted            a message that is no S/MIME enveloped-data                   → silence
├─ NotForUs                none of its recipients is a key of ours                      → silence
├─ DecryptionFailed        it is for us and does not open; nobody learns why            → silence
├─ NotSigned               what was decrypted carries no signature                      → silence
├─ SignatureInvalid        altered, or not signed by the key it names                   → silence
├─ AlgorithmRefused        an algorithm or key length that we do not take               → silence
└─ Undeliverable           trusted and well, and yet it cannot be delivered             → failed

`disposition` is what a notice would say; None means that no notice may be sent, for whoever sent
the message is not known: a notice would be backscatter, or an oracle (Direct AS 1.3: 3.0;
RFC 3218: 2.3). `reason` is a sentence of ours for the auditor and never holds content. A
ValueError from this library means that the caller asked for something that cannot be written.
"""

from enum import StrEnum


class Disposition(StrEnum):
    """The disposition-type of a notice (RFC 8098: 3.2.6; IG for Delivery Notification 1.0)."""

    PROCESSED = "processed"
    DISPATCHED = "dispatched"
    FAILED = "failed"
    DENIED = "denied"


class DirectError(Exception):
    """A Direct message cannot be taken, or one cannot be made."""

    disposition: Disposition | None = None

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MalformedMessage(DirectError):
    """No message, MIME entity or CMS structure that can be read."""


class MessageTooLarge(MalformedMessage):
    """Over our limit of bytes, depth, elements or recipients."""


class NotEncrypted(DirectError):
    """The message is no S/MIME enveloped-data (Direct AS 1.3: 2.3)."""


class NotForUs(DirectError):
    """None of the message's recipients is a key of ours."""


class DecryptionFailed(DirectError):
    """The message is for us and does not open.

    One sentence whatever went wrong: who can tell a bad key from bad padding can read the
    message (RFC 3218, and EFAIL).
    """

    def __init__(self) -> None:
        super().__init__("the message does not open with the key that it names")


class NotSigned(DirectError):
    """What was decrypted carries no signature (Direct AS 1.3: 2.4)."""


class SignatureInvalid(DirectError):
    """The content was altered, or was not signed by the key that the signature names."""


class AlgorithmRefused(DirectError):
    """An algorithm or key length that our policy does not take; `reason` names it."""


class Undeliverable(DirectError):
    """Trusted and well, and yet it cannot be delivered."""

    disposition = Disposition.FAILED
