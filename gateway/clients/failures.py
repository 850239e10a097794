"""Why no usable answer came of a partner, by what can be done about it.

PartnerFailed
├─ NotCalled          nothing left the house: our directory or settings do not let it
├─ Resting            it has failed too often in a row, and is left alone for a while
├─ NotTrusted         TLS: its certificate, or ours, was not accepted
├─ Redirected         it points somewhere else, where we do not follow
├─ NotSoap            an answer that is no SOAP
├─ NotDeferred        it was asked to answer later, and does not
├─ TooLarge           an answer without an end, or over our limit
├─ PartnerLate        it was waited for as long as its profile says
└─ Passing            asked again, it may answer
   ├─ Unreachable     no connection
   ├─ BrokenOff       the connection ended before the answer did
   ├─ EmptyAnswer     success, and nothing in it
   └─ Busy            it asks to be asked later

Each text is a sentence of ours for the person who asked; a peer's own words are not repeated.
"""


class PartnerFailed(Exception):
    """No usable answer came."""


class NotCalled(PartnerFailed):
    """It was not called: something in our directory or settings is missing or wrong."""


class Resting(PartnerFailed):
    """It failed too often in a row: nobody is kept waiting for it for a while."""


class NotTrusted(PartnerFailed):
    """One side did not believe the other's TLS certificate."""


class Redirected(PartnerFailed):
    """It answered with another address; only registered ones are called."""


class NotSoap(PartnerFailed):
    """What came is no SOAP message, or not under the status that it needs."""


class NotDeferred(PartnerFailed):
    """It was asked to answer later, and does not."""


class TooLarge(PartnerFailed):
    """The answer is over our limit."""


class PartnerLate(PartnerFailed):
    """The partner was waited for as long as its profile says, and gave no answer."""


class Passing(PartnerFailed):
    """Nothing was answered, and nothing was refused: asked again, it may answer."""


class Unreachable(Passing):
    """No connection could be made."""


class BrokenOff(Passing):
    """The connection ended before the answer did."""


class EmptyAnswer(Passing):
    """It took the request and answered success with nothing in it."""


class Busy(Passing):
    """It is overloaded or away; `after_seconds` is when it wants to be asked again, if it says."""

    def __init__(self, reason: str, after_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.after_seconds = after_seconds
