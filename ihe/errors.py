"""What can go wrong with an IHE message, as exceptions that know their form on the wire.

IheError
├─ MalformedMessage         the peer's message is not what its transaction demands   → soap:Sender
│  ├─ UnexpectedMessage     a different message, action or content type              → soap:Sender
│  └─ MessageTooLarge       the envelope, or the whole message, is over our limit    → soap:Sender
├─ NotUnderstood            a mustUnderstand header that we do not know              → soap:MustUnderstand
├─ SecurityRefused          signature, assertion, time, audience or binding failed   → wsse:FailedCheck …
├─ SoapFault                the peer answered with a fault
└─ CommunityCouldNotAnswer  ITI-55 case 5: the peer reported a problem of its own

Texts are written by us and name elements and rules, never content. A ValueError from this
library means that the caller asked for something that cannot be written.
"""


class IheError(Exception):
    """An IHE message cannot be taken; `fault_code` is the SOAP 1.2 code, `subcode` a QName text."""

    fault_code = "Sender"
    subcode: str | None = None

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MalformedMessage(IheError):
    """The peer's message is not what its transaction demands."""


class UnexpectedMessage(MalformedMessage):
    """A different message, action or content type than this door takes."""


class MessageTooLarge(MalformedMessage):
    """The envelope, or the whole message, is over our limit."""


class NotUnderstood(IheError):
    """A header that the sender marked mustUnderstand is not one we know (SOAP 1.2 Part 1: 5.2.3)."""

    fault_code = "MustUnderstand"


class SecurityRefused(IheError):
    """WS-Security verification failed; `reason` says which check (WSS SOAP Message Security 1.1: 12)."""

    subcode = "wsse:FailedCheck"

    def __init__(self, reason: str, *, subcode: str = "wsse:FailedCheck") -> None:
        super().__init__(reason)
        self.subcode = subcode


class SoapFault(IheError):
    """The peer answered with a fault; `code` and `text` are the peer's own words."""

    def __init__(self, code: str | None, text: str | None) -> None:
        super().__init__("the peer answered with a SOAP fault")
        self.code = code
        self.text = text


class CommunityCouldNotAnswer(IheError):
    """ITI-55 case 5: the responder reports a problem, e.g. `ResponderBusy` or `AnswerNotAvailable`."""

    def __init__(self, problem: str | None) -> None:
        super().__init__("the community could not answer")
        self.problem = problem
