"""One clinical statement as it stands in the tree: its children by name, and what it is part of.

CDA R2: 4.3.6 (act, encounter, observation, observationMedia, organizer, procedure,
regionOfInterest, substanceAdministration, supply). Children are sorted by name once; readers
then look them up, which costs far less than searching the element again and again.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from ccda.hl7v3 import NAMESPACE, SDTC
from ccda.safe_xml import Element

CLINICAL_STATEMENTS: Final = frozenset(
    "act encounter observation observationMedia organizer procedure regionOfInterest "
    "substanceAdministration supply".split()
)
# By these a statement is a part, the matter or the effect of the one it stands in: where the
# relationship does not hold, neither does the statement. A denied cause or reason may well be so.
_HOLDING: Final = frozenset((None, "COMP", "SUBJ", "MFST"))
_PARTS_OF: Final = frozenset((None, "COMP", "SUBJ"))
_YES: Final = frozenset(("true", "1"))
_GATHERING: Final = frozenset(("act", "organizer"))
_V3: Final = f"{{{NAMESPACE}}}"
_SDTC_TEXT: Final = f"{{{SDTC}}}text"
_STATEMENTS: Final = {_V3 + name: name for name in CLINICAL_STATEMENTS}
_HOLDERS: Final = frozenset((_V3 + "entryRelationship", _V3 + "component"))

Children = dict[str, list[Element]]
_NONE: Final[tuple[Element, ...]] = ()


_MOST_KNOWN: Final = 1000  # CDA has half as many tags; a hostile document may have any number
_LONGEST_KNOWN: Final = 100  # characters; what a hostile document writes may be a megabyte each


class _Known(dict[str, str]):
    """Texts to what was made of them: looking one up costs half of taking it apart again."""

    def __init__(self, make: Callable[[str], str]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, text: str) -> str:
        made = self._make(text)
        if len(self) < _MOST_KNOWN and len(text) <= _LONGEST_KNOWN:
            self[text] = made
        return made


def bare_oid(written: str) -> str:
    """An OID that was written as a URN or with white space around it."""
    return written.strip().removeprefix("urn:oid:")


# Asked more often than all else: Python finds a text faster where what it asks is a mere dict.
_NAMES: Final[dict[str, str]] = {}
_ROOT_OF: Final = _Known(bare_oid)
_IN_SMALL: Final = _Known(lambda code: code.strip().lower())


def _name_of(tag: str) -> str:
    name = tag.removeprefix(_V3)
    if len(_NAMES) < _MOST_KNOWN and len(tag) <= _LONGEST_KNOWN:
        _NAMES[tag] = name
    return name


def local_name(element: Element) -> str:
    """`code` for a V3 element; any other keeps its namespace."""
    tag: str = element.tag  # type: ignore[assignment] # a parsed tag is text
    return _NAMES[tag] if tag in _NAMES else _name_of(tag)


def children_of(element: Element) -> Children:
    """The children of `element` by name, each list in document order."""
    children: Children = {}
    names = _NAMES
    # A slice is made in less time than an iterator, and all of it is kept anyway.
    for child in element[:]:
        tag: str = child.tag  # type: ignore[assignment] # a parsed tag is text
        name = names[tag] if tag in names else _name_of(tag)
        if name in children:
            children[name].append(child)
        else:
            children[name] = [child]
    return children


def first(element: Element | None, *names: str) -> Element | None:
    """The first element down a path of child names, or None."""
    for name in names:
        if element is None or not len(element):
            return None
        tag = _V3 + name
        # Few children: a slice of them costs less than setting up a search does.
        for child in element[:]:
            if child.tag == tag:
                element = child
                break
        else:
            return None
    return element


def is_denied(element: Element) -> bool:
    """Whether its own negationInd says that it is not so."""
    written = element.get("negationInd")
    return written is not None and written.strip().lower() in _YES


class Statement:
    """A clinical statement and the statements inside it.

    `path` selects it in the whole document by positions alone, so that neither prefix nor
    namespace matters: `/*/*[7]/*[2]`. It is made on the way down, as asking an element for its
    place among many siblings takes as long as there are siblings.
    `relation` is the typeCode of the entryRelationship that holds it, `is_unrelated` whether that
    is negated; `position` is where its entry stands in the section, once it has one; the outermost
    counts them (`next_position`).
    `section_subject` is whom the section is about, where it names someone else than the patient.
    `level` counts the statements around it. `told` is set once the details of another statement's
    entry say what this one says; `answers` is what was found inside for each template, as
    thousands of parts may ask the same.
    """

    __slots__ = (
        "_denies", "_inner", "_nullified", "_templates", "above", "answers", "children", "element",
        "is_unrelated", "level", "name", "next_position", "path", "position", "relation",
        "section_subject", "told",
    )  # fmt: skip

    def __init__(
        self,
        element: Element,
        name: str,
        path: str,
        above: "Statement | None",
        relation: str | None,
    ) -> None:
        self.element = element
        self.name = name
        self.path = path
        self.above = above
        self.level: int = 0 if above is None else above.level + 1
        self.relation = relation
        self.is_unrelated = False
        self.children = children_of(element)
        self.position: int | None = None
        self.next_position = 0
        self.told = False
        self.section_subject: Element | None = None if above is None else above.section_subject
        self.answers: dict[frozenset[str], tuple[str | None, dict[str, Any] | None]] | None = None
        self._inner: list[Statement] | None = None
        self._denies: bool | None = None
        self._nullified: bool | None = None
        self._templates: frozenset[str] | None = None

    def all(self, name: str) -> list[Element] | tuple[Element, ...]:
        return self.children.get(name, _NONE)

    def one(self, name: str) -> Element | None:
        found = self.children.get(name)
        return found[0] if found else None

    def get(self, attribute: str) -> str | None:
        return self.element.get(attribute)

    @property
    def text(self) -> Element | None:
        """Its text; what CDA R2 gives none, such as an organizer, may have an sdtc:text."""
        found = self.children.get("text") or self.children.get(_SDTC_TEXT)
        return found[0] if found else None

    def code_of(self, name: str) -> str | None:
        """The code attribute of the first child of that name."""
        found = self.children.get(name)
        return found[0].get("code") if found else None

    @property
    def status(self) -> str | None:
        """Its statusCode, in the small letters that ActStatus is written in."""
        found = self.children.get("statusCode")
        written = found[0].get("code") if found else None
        return None if written is None else _IN_SMALL[written] or None

    @property
    def templates(self) -> frozenset[str]:
        if self._templates is None:
            found = self.children.get("templateId", _NONE)
            roots = [_ROOT_OF[root] for element in found if (root := element.get("root"))]
            self._templates = frozenset(roots)
        return self._templates

    def is_a(self, template: frozenset[str]) -> bool:
        return not template.isdisjoint(self.templates)

    @property
    def is_supply_entry(self) -> bool:
        """A supply that stands alone: an order or dispense whose administration is not given."""
        return self.above is None and self.name == "supply"

    @property
    def is_negated(self) -> bool:
        """Whether it says that it is not so, by its own or its relationship's negationInd."""
        if is_denied(self.element):
            return True
        return self.is_unrelated and self.relation in _HOLDING

    @property
    def is_within_denied(self) -> bool:
        """Whether an act or organizer that it is a part of is denied, and it with that."""
        whole = self.above
        if whole is None or whole.name not in _GATHERING or self.relation not in _PARTS_OF:
            return False
        if whole._denies is None:  # asked once: it may have thousands of parts
            whole._denies = whole.is_negated or whole.is_within_denied
        return whole._denies

    @property
    def is_nullified(self) -> bool:
        """Whether it was entered in error: by its own statusCode, or with what it stands in."""
        if self._nullified is None:  # asked once: it may have thousands of parts
            above = self.above
            within = above is not None and above.is_nullified
            self._nullified = within or self.status == "nullified"
        return self._nullified

    @property
    def inner(self) -> list["Statement"]:
        """The statements directly inside this one."""
        if self._inner is None:
            inner: list[Statement] = []
            self._inner = inner
            if "entryRelationship" in self.children or "component" in self.children:
                for position, holder in enumerate(self.element[:], 1):
                    if holder.tag in _HOLDERS:
                        inner.extend(statements_in(holder, f"{self.path}/*[{position}]", self))
        return self._inner

    def take_position(self) -> None:
        """Note that this statement's entry is the section's next."""
        top = self
        while top.above is not None:
            top = top.above
        self.position = top.next_position
        top.next_position += 1

    def release(self) -> None:
        """Let go of the statements inside, whose way back up would keep the whole tree alive."""
        inner, self._inner = self._inner, None
        for statement in inner or ():
            if statement._inner:
                statement.release()

    def ancestors(self) -> Iterator["Statement"]:
        """The statements around this one, the nearest first."""
        statement = self.above
        while statement is not None:
            yield statement
            statement = statement.above


def statements_in(
    holder: Element, path: str, above: Statement | None = None, *, subject: Element | None = None
) -> Iterator[Statement]:
    """The statements that are children of the entry, entryRelationship or component at `path`.

    `subject` is that of the section.
    """
    for position, child in enumerate(holder[:], 1):
        name = _STATEMENTS.get(child.tag)  # type: ignore[arg-type] # a parsed tag is text
        if name is not None:
            found = Statement(child, name, f"{path}/*[{position}]", above, holder.get("typeCode"))
            if subject is not None:
                found.section_subject = subject
            if above is not None:
                found.is_unrelated = is_denied(holder)
            yield found


def walk(statement: Statement, into: frozenset[str] = CLINICAL_STATEMENTS) -> Iterator[Statement]:
    """`statement` and all inside it, outer first; looking only inside elements named in `into`."""
    yield statement
    if statement.name in into:
        for inner in statement.inner:
            # Most have nothing inside, and need no walk of their own.
            if inner.inner:
                yield from walk(inner, into)
            else:
                yield inner
