"""What a mail server's refusal means, in our words (RFC 5321: 4.2.3, RFC 3463).

Its own words may name a person, and the exchange log forgets nothing: of them only the enhanced
status code is kept, beside the reply code.
"""

import re
from typing import Final

_STATUS: Final = re.compile(r"[245]\.(\d{1,3})\.(\d{1,3})(?!\S)")
# RFC 3463: 3, RFC 7505: 4.
_DETAILS: Final = {
    "1.1": "there is no such mailbox",
    "1.2": "there is no such domain",
    "1.3": "the address is not one of its form",
    "1.6": "the mailbox has moved",
    "1.10": "the domain takes no mail",
    "2.1": "the mailbox takes no mail",
    "2.2": "the mailbox is full",
    "2.3": "the message is too long for the mailbox",
    "3.1": "there is no room for mail",
    "3.4": "the message is too large",
    "5.3": "there are too many recipients at once",
    "7.1": "we may not send to it",
}
_SUBJECTS: Final = {
    "1": "it is about the address",
    "2": "it is about the mailbox",
    "3": "it is about the mail system",
    "4": "it is about the way there",
    "5": "it is about how we speak with it",
    "6": "it is about the content",
    "7": "it is about security or policy",
}
_CODES: Final = {
    450: "the mailbox is not to be had now",
    451: "something has gone wrong there",
    452: "there is no room for mail",
    550: "the mailbox is not to be had",
    551: "the mailbox is somewhere else",
    552: "there is no room for mail",
    553: "the address is not one of its form",
}


def in_our_words(code: int, said: str) -> str:
    """The reply code, the enhanced status code where `said` begins with one, and what they mean."""
    status = _STATUS.match(said)
    if status is None:
        return ", ".join(filter(None, (str(code), _CODES.get(code))))
    subject, detail = status.groups()
    meant = _DETAILS.get(f"{subject}.{detail}") or _SUBJECTS.get(subject) or _CODES.get(code)
    return ", ".join(filter(None, (f"{code} {status[0]}", meant)))
