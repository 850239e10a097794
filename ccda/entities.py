"""Entity references of a damaged document as numbers, before a forgiving parse drops them.

libxml2, once it has met an undeclared entity and goes on, drops even `&lt;` and `&amp;` from
there on: `< 10` would read `10`. HTML's names are what senders mean by others.
"""

import re
from html import unescape
from typing import Final

# What stands in a CDATA section is no reference.
_REFERENCE: Final = re.compile(rb"<!\[CDATA\[.*?\]\]>|&([A-Za-z][A-Za-z0-9]{0,40};)", re.DOTALL)


def spell_out_entities(xml: bytes) -> bytes:
    """`xml`, each `&name;` as a number; a name that HTML does not know shows as it is written."""
    return _REFERENCE.sub(_spelled, xml)


def _spelled(match: re.Match[bytes]) -> bytes:
    if match[1] is None:
        return match[0]
    name = match[1].decode("ascii")
    meant = unescape(f"&{name}")
    if meant.startswith("&") and len(meant) > 1:
        return b"&#38;" + match[1]
    return "".join(f"&#{ord(character)};" for character in meant).encode("ascii")
