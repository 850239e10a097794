"""How a stored query spells its values (ITI TF-2: 3.18.4.1.2.3.5).

A text is quoted, a quote inside it doubled; alternatives stand in parentheses; several `Value`s
are one long list. Partners leave quotes and parentheses out.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

_VALUE_LENGTH: Final = 256  # LongName of rim.xsd
# Possessive: to be able to go back would take a hundred bytes of memory for each that is read.
_ITEM: Final = re.compile(r"'((?:[^']++|'')*+)'|([^,']+)")


def parse_values(text: str) -> tuple[str, ...]:
    """What one `Value` holds: `'a'`, `('a','b''c')`, a number; quotes may be missing."""
    bare = text.strip()
    # Quirk: one list cut over several values, so that a parenthesis may lack its partner.
    opens = bare.startswith("(") and (bare.endswith(")") or bare[1:].lstrip().startswith("'"))
    inner = bare[1:] if opens else bare
    quotes = inner.lstrip().startswith("'")
    if not opens and not quotes:
        return (bare,) if bare else ()
    if opens or bare.endswith("')"):
        inner = inner.removesuffix(")")
    items = (
        text.replace("''", "'") if text else plain.strip() for text, plain in _ITEM.findall(inner)
    )
    return tuple(item for item in items if item)


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def listed(values: Iterable[str]) -> Iterator[str]:
    """The values as lists, as few as the length of a `Value` allows."""
    packed = ""
    for value in map(quoted, values):
        if packed and len(packed) + len(value) + 3 > _VALUE_LENGTH:
            yield f"({packed})"
            packed = ""
        packed = f"{packed},{value}" if packed else value
    if packed:
        yield f"({packed})"
