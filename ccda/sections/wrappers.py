"""Acts and organizers that say nothing themselves: what stands inside them is what is said.

CDA R2: 4.3.6.1. A wrapper without a code would be an entry of nothing, and hide a procedure, a
finding or a directive in its details.
"""

from collections.abc import Iterator
from typing import Final

from ccda import templates
from ccda.narrative import Narrative
from ccda.sections.no_information import names_nothing
from ccda.sections.problems import is_qualifier
from ccda.sections.statement import Statement

_WRAPPERS: Final = frozenset(("act", "organizer"))
_TRACKING: Final = "CONC"
_BESIDE: Final = templates.COMMENT | templates.INSTRUCTION | templates.ENTRY_REFERENCE


def unwrapped(
    top: Statement, narrative: Narrative, wrappers: frozenset[str] = _WRAPPERS
) -> Iterator[Statement]:
    """`top`, or what stands inside it where it only holds that, the outermost that says more."""
    held = list(_held(top)) if top.name in wrappers and top.inner else []
    if not held or not _says_nothing(top, narrative):
        yield top
        return
    for inner in held:
        yield from unwrapped(inner, narrative, wrappers)


def _held(wrapper: Statement) -> Iterator[Statement]:
    """What is a part of it; not a remark, nor what only qualifies or names something else."""
    for inner in wrapper.inner:
        code = inner.code_of("code") or ""
        is_beside = inner.is_a(_BESIDE) or templates.PART_BY_CODE.get(code) == "comment"
        if not is_beside and not is_qualifier(inner) and inner.relation != "RSON":
            yield inner


def _says_nothing(statement: Statement, narrative: Narrative) -> bool:
    if statement.code_of("code") == _TRACKING:
        return True
    if narrative.text(statement.text) is not None or "nullFlavor" in statement.element.attrib:
        return False
    code = narrative.code(statement.one("code"))
    return names_nothing(code, None if code is None else code.original_text)
