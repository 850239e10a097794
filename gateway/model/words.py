"""Text as words that can be compared: without case, accents and the ways to set a sign."""

import unicodedata
from typing import Final

# Letters that do not come apart into a base letter and an accent.
_LETTERS: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "þ": "th", "ı": "i"}
)
_DASHES: Final = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_QUOTES: Final = "\u201c\u201d\u201e\u00ab\u00bb"
_APOSTROPHES: Final = "\u2018\u2019\u201b\u2032\u02b9\u02bb\u02bc"
# They stand for nothing; word processors leave them in names.
_UNSEEN: Final = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_PUNCTUATION: Final = str.maketrans(
    dict.fromkeys('-_,;:/\\()[]{}"&+*#!?|' + _DASHES + _QUOTES, " ")
    | dict.fromkeys("'`´." + _APOSTROPHES + _UNSEEN, "")
)
_FIRST_OF_OTHER_SCRIPTS: Final = "\u0700"
"""Latin, Greek, Cyrillic, Hebrew and Arabic stand before it: their marks are accents, or vowels
that are mostly left out. In later scripts (Devanagari, Thai, Japanese) a mark is a letter."""


def words(text: str) -> tuple[str, ...]:
    """Lower-case words, in ASCII where the letters are Latin; apostrophes and points vanish,
    hyphens part."""
    folded = text.casefold().translate(_PUNCTUATION)
    if not folded.isascii():
        apart = unicodedata.normalize("NFKD", folded.translate(_LETTERS))
        folded = _without_accents(apart).translate(_PUNCTUATION)
    return tuple(folded.split())


def _without_accents(text: str) -> str:
    kept: list[str] = []
    base = ""
    for character in text:
        if not unicodedata.combining(character):
            base = character
        elif base < _FIRST_OF_OTHER_SCRIPTS:
            continue
        kept.append(character)
    return "".join(kept)
