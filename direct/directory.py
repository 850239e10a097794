"""A directory that is only read: what a search finds among a few entries (RFC 4511: 4.5)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from direct import ldap
from direct.ldap import Entry, Search
from direct.ldap_filter import Values, matches, plain

MOST_ENTRIES: Final = 20
"""Whoever looks for an address finds one; whoever wants the list of all is not helped."""


@dataclass(frozen=True, slots=True)
class Directory:
    """Entries below their contexts, and what the server says of itself."""

    contexts: tuple[str, ...]
    entries: tuple[Entry, ...]

    def search(self, asked: Search) -> tuple[tuple[Entry, ...], int]:
        """What is found, with the attributes that were asked for, and the result code."""
        base = normal(asked.base)
        if base == "" and asked.scope == ldap.BASE:
            return self._described(asked), ldap.SUCCESS
        if base and not any(_is_under(normal(one.name), base) for one in self.entries):
            return (), ldap.NO_SUCH_OBJECT
        most = min(asked.size_limit or MOST_ENTRIES, MOST_ENTRIES)
        found: list[Entry] = []
        for entry in self.entries:
            if _is_in_scope(normal(entry.name), base, asked.scope) and _takes(asked, entry):
                if len(found) == most:
                    return tuple(found), ldap.SIZE_LIMIT_EXCEEDED
                found.append(_selected(entry, asked))
        return tuple(found), ldap.SUCCESS

    def _described(self, asked: Search) -> tuple[Entry, ...]:
        """The root (RFC 4512: 5.1): where entries are, and which version is spoken."""
        root = Entry(
            "",
            (
                ("objectClass", (b"top",)),
                ("namingContexts", tuple(one.encode() for one in self.contexts)),
                ("supportedLDAPVersion", (b"3",)),
            ),
        )
        return (_selected(root, asked, is_root=True),) if _takes(asked, root) else ()


def normal(name: str) -> str:
    """A distinguished name without case and without blanks between its parts."""
    parts = (part.partition("=") for part in _split(name))
    return ",".join(f"{kind.strip()}={value.strip()}" for kind, _, value in parts).lower()


def _split(name: str) -> Iterator[str]:
    """At commas that are not escaped."""
    part = ""
    letters = iter(name)
    for letter in letters:
        if letter == "\\":
            part += letter + next(letters, "")
        elif letter == ",":
            yield part
            part = ""
        else:
            part += letter
    if part.strip():
        yield part


def _is_under(name: str, base: str) -> bool:
    return not base or name == base or name.endswith(f",{base}")


def _is_in_scope(name: str, base: str, scope: int) -> bool:
    if scope == ldap.BASE:
        return name == base
    if scope == ldap.ONE_LEVEL:
        parent = ",".join(list(_split(name))[1:])
        return bool(base) and parent == base
    return _is_under(name, base)


def _takes(asked: Search, entry: Entry) -> bool:
    values: Values = {
        plain(name): [value.strip().lower() for value in found] for name, found in entry.attributes
    }
    return matches(asked.filter, values) is True


def _selected(entry: Entry, asked: Search, *, is_root: bool = False) -> Entry:
    """RFC 4511: 4.5.1.8; who names no attribute gets all but the root's own, if not by name."""
    wanted = [name.lower() for name in asked.attributes]
    everything = not wanted or "*" in wanted or (is_root and "+" in wanted)
    return Entry(
        entry.name,
        tuple(
            (name, () if asked.types_only else values)
            for name, values in entry.attributes
            if everything or _is_wanted(name.lower(), wanted)
        ),
    )


def _is_wanted(name: str, wanted: Iterable[str]) -> bool:
    """An attribute also comes with options that were not asked for (RFC 4512: 2.5.1)."""
    return any(name == one or name.startswith(f"{one};") for one in wanted)
