"""Entity references of a damaged document as numbers, before a forgiving parse drops them.

libxml2, once it has met an undeclared entity and goes on, drops even `&lt;` and `&amp;` from
there on: `< 10` would read `10`. HTML's names are what senders mean by others. And it takes
the number of half a UTF-16 pair for a character, which no text can hold: Java and .NET write
`&#xD83D;&#xDE00;` for one sign.
"""

import re
from html import unescape
from typing import Final

# What stands in a CDATA section is no reference. One without an end is taken whole: looking for
# the end from each of thousands that have none would take the square of their length.
_REFERENCE: Final = re.compile(
    rb"<!\[CDATA\[.*?(?:\]\]>|\Z)|&([A-Za-z][A-Za-z0-9]{0,40};)"
    rb"|((?:&#(?:x0*[dD][89a-fA-F][0-9a-fA-F]{2}|0*5[5-7][0-9]{3});)+)",
    re.DOTALL,
)


def spell_out_entities(xml: bytes) -> bytes:
    """`xml`, each `&name;` as a number; a name that HTML does not know shows as it is written."""
    return _REFERENCE.sub(_spelled, xml)


def _spelled(match: re.Match[bytes]) -> bytes:
    if match[2] is not None:
        return _numbers(_joined(match[2]))
    if match[1] is None:
        return match[0]
    name = match[1].decode("ascii")
    meant = unescape(f"&{name}")
    if meant.startswith("&") and len(meant) > 1:
        return b"&#38;" + match[1]
    return _numbers(meant)


def _joined(references: bytes) -> str:
    """Numbers of UTF-16 as the text they make; half a pair alone is the replacement sign."""
    units = [
        int(number[1:], 16) if number.startswith(b"x") else int(number.lstrip(b"0"))
        for number in references.removeprefix(b"&#").removesuffix(b";").split(b";&#")
    ]
    return b"".join(unit.to_bytes(2, "big") for unit in units).decode("utf-16-be", "replace")


def _numbers(text: str) -> bytes:
    return "".join(f"&#{ord(character)};" for character in text).encode("ascii")
