"""Addresses, read so that two readers cannot differ (RFC 5322: 3.4, Direct AS 1.3: 1.4).

Strategy: a certificate is bound to an address, so whoever gets us to see another address in From
than the sender's own system saw has forged a signature (CVE-2023-27043). The grammar is read by
hand and whatever stands in doubt is refused: a second address beside the one in brackets, a
comment or quotes inside an address, a route, an address literal, anything that is not ASCII.
Names in front of an address are for people and decide nothing.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from direct.encoded_words import decode_words
from direct.mail_errors import MalformedAddress

_ATEXT: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_DOT_ATOM: Final = re.compile(rf"{_ATEXT}(?:\.{_ATEXT})*")
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
# The field is unfolded: a line break in it is no blank, but a reason to refuse it.
_BLANK: Final = re.compile(r"[ \t]+")
# A word of a name; a dot and letters beyond ASCII are let in, as senders write them.
_NAME_WORD: Final = re.compile(r"[^\x00-\x20\x7f()<>\[\]:;@\\,\"]+")
_ADDRESS_WORD: Final = re.compile(r"[^\x00-\x20\x7f()<>\[\]:;\\,\"@]+")
_COMMENT_DEPTH: Final = 8
_MOST_ADDRESSES: Final = 1000


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One address, checked when made; `name` is what stood beside it, for people only."""

    local: str
    domain: str
    name: str | None = None

    def __post_init__(self) -> None:
        if len(self.local) > 64 or len(self.domain) > 253:
            raise ValueError("an address is longer than mail can carry")
        if _DOT_ATOM.fullmatch(self.local) is None:
            raise ValueError("the part before the @ is not one that we take")
        if _DOMAIN.fullmatch(self.domain) is None:
            raise ValueError("the part behind the @ is no domain name")

    @property
    def address(self) -> str:
        """`local@domain` as written."""
        return f"{self.local}@{self.domain}"

    @property
    def key(self) -> str:
        """The address for comparing: case means nothing in Direct."""
        return self.address.lower()

    @classmethod
    def parse(cls, text: str) -> "Mailbox":
        """From a bare address, as it stands in an envelope or a certificate.

        Raises:
            ValueError: it is none that we take.
        """
        local, at, domain = text.strip(" \t").removeprefix("<").removesuffix(">").rpartition("@")
        if not at:
            raise ValueError("there is no @ in it")
        return cls(local, domain)


def each_once(addresses: Iterable[str]) -> tuple[str, ...]:
    """Bare addresses without those that only differ in case from one before (`Mailbox.key`)."""
    found: dict[str, str] = {}
    for address in addresses:
        found.setdefault(address.lower(), address)
    return tuple(found.values())


def parse_mailboxes(text: str) -> tuple[Mailbox, ...]:
    """The addresses of a To or Cc field, those inside groups too.

    Raises:
        MalformedAddress: any part of it is in doubt.
    """
    return _Reader(text).mailboxes()


def parse_mailbox(text: str) -> Mailbox:
    """The one address of a From field.

    Raises:
        MalformedAddress: there is none, or more than one, or any part of it is in doubt.
    """
    reader = _Reader(text)
    found = reader.mailboxes(groups=False)
    if len(found) != 1:
        raise MalformedAddress("a field that holds one address holds none or several")
    return found[0]


class _Reader:
    """Reads a field from left to right, each character once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def mailboxes(self, *, groups: bool = True) -> tuple[Mailbox, ...]:
        found: list[Mailbox] = []
        in_group = False
        while True:
            self._skip()
            if self._at >= len(self._text):
                break
            match self._text[self._at]:
                case ",":
                    self._at += 1
                case ";" if in_group:
                    in_group = False
                    self._at += 1
                    self._end_of_item()
                case _:
                    box = self._mailbox_or_group(allow_group=groups and not in_group)
                    if box is None:
                        in_group = True
                    else:
                        found.append(box)
                        self._end_of_item(group=in_group)
            if len(found) > _MOST_ADDRESSES:
                raise MalformedAddress("a field holds more addresses than we take")
        if in_group:
            raise MalformedAddress("a group of addresses does not end")
        return tuple(found)

    def _end_of_item(self, *, group: bool = False) -> None:
        self._skip()
        if self._at < len(self._text) and self._text[self._at] not in (",;" if group else ","):
            raise MalformedAddress("something stands between an address and the next comma")

    def _mailbox_or_group(self, *, allow_group: bool) -> Mailbox | None:
        """A mailbox; None once the name of a group and its colon are read."""
        start = self._at
        words: list[str] = []
        while True:
            self._skip()
            here = self._text[self._at : self._at + 1]
            if here == "<":
                self._at += 1
                box = self._address(" ".join(words) or None)
                self._expect(">")
                return box
            if here == "@" and len(words) == 1:
                # No name then, but the first half of a bare address.
                self._at = start
                return self._address(None)
            if here == ":" and words and allow_group:
                self._at += 1
                return None
            word = self._word()
            if word is None:
                raise MalformedAddress("an address cannot be read")
            words.append(word)

    def _word(self) -> str | None:
        if (quoted := _QUOTED.match(self._text, self._at)) is not None:
            self._at = quoted.end()
            return _ESCAPED.sub(r"\1", quoted[1])
        if (atom := _NAME_WORD.match(self._text, self._at)) is not None:
            self._at = atom.end()
            return atom[0]
        return None

    def _address(self, name: str | None) -> Mailbox:
        """`local@domain`, nothing inside of it (RFC 5322: 3.4.1, without what is obsolete)."""
        self._skip_blank()
        local = self._address_word()
        self._expect("@")
        domain = self._address_word()
        self._skip_blank()
        shown = decode_words(name) if name else None
        try:
            return Mailbox(local, domain, shown or None)
        except ValueError as error:
            raise MalformedAddress(str(error)) from None

    def _address_word(self) -> str:
        match = _ADDRESS_WORD.match(self._text, self._at)
        if match is None:
            raise MalformedAddress("an address cannot be read")
        self._at = match.end()
        return match[0]

    def _expect(self, character: str) -> None:
        if self._text[self._at : self._at + 1] != character:
            raise MalformedAddress("an address cannot be read")
        self._at += 1

    def _skip_blank(self) -> None:
        if (blank := _BLANK.match(self._text, self._at)) is not None:
            self._at = blank.end()

    def _skip(self) -> None:
        """Blanks and comments (RFC 5322: 3.2.2)."""
        while True:
            self._skip_blank()
            if self._text[self._at : self._at + 1] != "(":
                return
            self._skip_comment()

    def _skip_comment(self) -> None:
        depth = 0
        while self._at < len(self._text):
            character = self._text[self._at]
            self._at += 2 if character == "\\" else 1
            depth += (character == "(") - (character == ")")
            if depth == 0:
                return
            if depth > _COMMENT_DEPTH:
                break
        raise MalformedAddress("a comment does not end")
