"""Where a narrative's links may lead: within the document, or to a plain https address."""

import re
from typing import Final

_HTTPS: Final = re.compile(r"(?i)https://([a-z0-9.-]{1,253}(?::\d{1,5})?)(?=[/?#]|\Z)([!-~]*)")
"""No white space, control or non-ASCII character, and no user before the host."""
_SHOWN: Final = re.compile(r"(?i)https?://[!-~]{1,2000}")
_BLANKS: Final = re.compile(r"\s+")
_PREFIX: Final = "doc-"


def anchor(identifier: str) -> str:
    """A document's ID as an id of the page; none of the page's own begins like that."""
    return _PREFIX + _BLANKS.sub("_", identifier.strip())


def link(href: str | None) -> str | None:
    """`href`, where it may be followed; else None."""
    address = (href or "").strip()
    if address.startswith("#") and len(address) > 1:
        return "#" + anchor(address[1:])
    match = _HTTPS.fullmatch(address)
    return None if match is None else f"https://{match[1].lower()}{match[2]}"


def shown_address(href: str | None) -> str | None:
    """A web address that may be read but not followed."""
    address = (href or "").strip()
    return address if link(href) is None and _SHOWN.fullmatch(address) else None
