"""What can be wrong with the bytes of a mail, as exceptions.

MalformedMessage
└─ MalformedMail          the bytes are not a message that we can trust ourselves to read
   ├─ MailOverLimit       well-formed as far as read, but deeper or larger than we take
   ├─ MalformedAddress    a From, To or Cc field that is no list of addresses (RFC 5322: 3.4)
   └─ HeadersDisagree     the outer header is not what was signed (Direct AS 1.3: 2.7)

None of them allows a notice: whoever wrote such a message is not known.
"""

from direct.errors import MalformedMessage, MessageTooLarge


class MalformedMail(MalformedMessage):
    """The bytes are not a message that we can trust ourselves to read."""


class MailOverLimit(MalformedMail, MessageTooLarge):
    """One of our own caps was reached: `limit` names it."""

    def __init__(self, limit: str) -> None:
        super().__init__(f"the message exceeds the limit on {limit}")
        self.limit = limit


class MalformedAddress(MalformedMail):
    """A field of addresses that is none."""


class HeadersDisagree(MalformedMail):
    """The outer header says something else than the signed one."""
