"""What can go wrong with an IHE message, as exceptions that know their form on the wire.

IheError
├─ MalformedMessage         the peer's message is not what its transaction demands   → soap:Sender
│  ├─ UnexpectedMessage     a different message, action or content type              → soap:Sender
│  ├─ VersionMismatch       an envelope of another SOAP version             → soap:VersionMismatch
│  └─ MessageTooLarge       the envelope, or the whole message, is over our limit    → soap:Sender
├─ NotUnderstood            a mustUnderstand header that we do not know       → soap:MustUnderstand
├─ NotPermitted             the message is well, and its sender may not have an answer → soap:Sender
├─ SecurityRefused          signature, assertion, time, audience or binding   → wsse:FailedCheck …
├─ Unavailable              the message is well: it is we who cannot answer        → soap:Receiver
├─ SoapFault                the peer answered with a fault
└─ CommunityCouldNotAnswer  ITI-55 case 5: the peer reported a problem of its own

Texts are written by us and name elements and rules, never content. A ValueError from this
library means that the caller asked for something that cannot be written.
"""


class IheError(Exception):
    """An IHE message cannot be taken; `fault_code` is the SOAP 1.2 code, `subcode` a QName text."""

    fault_code = "Sender"
    subcode: str | None = None

    def __init__(self, reason: str, *, subcode: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        if subcode is not None:
            self.subcode = subcode

    @property
    def said(self) -> str:
        """The sentence that the peer hears."""
        return self.reason


class MalformedMessage(IheError):
    """The peer's message is not what its transaction demands."""


class UnexpectedMessage(MalformedMessage):
    """A different message, action or content type than this door takes."""


class VersionMismatch(MalformedMessage):
    """The envelope is of another SOAP version (SOAP 1.2 Part 1: 5.4.7)."""

    fault_code = "VersionMismatch"


class MessageTooLarge(MalformedMessage):
    """The envelope, or the whole message, is over our limit."""


class NotUnderstood(IheError):
    """A header that the sender marked mustUnderstand is not one we know (SOAP 1.2: 5.2.3)."""

    fault_code = "MustUnderstand"


class NotPermitted(IheError):
    """Nothing is wrong with the message; this sender gets no answer to it.

    `reason` is for our auditor, `told` is the sentence that the peer hears.
    """

    def __init__(self, reason: str, *, told: str, subcode: str | None = None) -> None:
        super().__init__(reason, subcode=subcode)
        self.told = told

    @property
    def said(self) -> str:
        return self.told


class SecurityRefused(IheError):
    """WS-Security verification failed; `reason` says which check (WSS 1.1: 12).

    `reason` is for our auditor. A peer, or whoever pretends to be one, hears one sentence
    whatever the reason: an answer that names the failed check teaches how to get past it.
    """

    subcode: str | None = "wsse:FailedCheck"

    @property
    def said(self) -> str:
        return "The security of the message could not be verified."


class Unavailable(IheError):
    """Nothing is wrong with the message; we cannot answer it now."""

    fault_code = "Receiver"


class SoapFault(IheError):
    """The peer answered with a fault; `code` and `text` are the peer's own words."""

    def __init__(self, code: str | None, text: str | None) -> None:
        super().__init__("the peer answered with a SOAP fault")
        self.code = code
        self.text = text

    @property
    def is_about_mtom(self) -> bool:
        """Whether the peer names how attachments travel: it does not take them as they came."""
        text = (self.text or "").lower()
        return any(word in text for word in ("mtom", "xop", "multipart/related"))


class CommunityCouldNotAnswer(IheError):
    """ITI-55 case 5: the responder reports a problem, e.g. `ResponderBusy`."""

    def __init__(self, problem: str | None) -> None:
        super().__init__("the community could not answer")
        self.problem = problem
