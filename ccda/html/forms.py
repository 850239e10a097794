"""What each element of a narrative becomes (CDA R2: 4.3.5; NarrativeBlock.xsd), as tables."""

from collections.abc import Mapping
from typing import Final

from lxml import etree

from ccda.safe_xml import Element

BLOCKS: Final = frozenset(
    "caption table paragraph list item p div ul ol li dl dt dd pre h1 h2 h3 h4 h5 h6 "
    "thead tbody tfoot tr td th title".split()
)
"""Elements that cannot stand inside a `p` or a `span`."""

LINES: Final = frozenset("p pre span sub sup strong em u a".split())
"""HTML elements that hold none of `BLOCKS`; where they would, a `div` stands instead."""

PLAIN: Final[Mapping[str, str]] = {
    "content": "span",
    "paragraph": "p",
    "table": "table",
    "thead": "thead",
    "tbody": "tbody",
    "tfoot": "tfoot",
    "tr": "tr",
    "td": "td",
    "th": "th",
    "caption": "caption",
    "list": "ul",
    "item": "li",
    "linkHtml": "a",
    "footnote": "span",
    "footnoteRef": "sup",
    "renderMultiMedia": "span",
    "sub": "sub",
    "sup": "sup",
    # Quirk: HTML where the narrative's own elements should stand.
    "p": "p",
    "div": "div",
    "ul": "ul",
    "ol": "ol",
    "li": "li",
    "pre": "pre",
    "span": "span",
    "b": "strong",
    "strong": "strong",
    "i": "em",
    "em": "em",
    "u": "u",
    "a": "a",
    **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6", "dt", "dd", "dl", "title"), "div"),
}
"""The HTML element for each that is known; of any other only the words are kept."""

_ROWS: Final = frozenset(("table", "thead", "tbody", "tfoot"))

PARENTS: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(("caption", "thead", "tbody", "tfoot"), frozenset(("table",))),
    "tr": _ROWS,
    **dict.fromkeys(("td", "th"), _ROWS | {"tr"}),
    "li": frozenset(("ul", "ol")),
}
"""Where an HTML element may stand; anywhere else it becomes a `div`."""

CHILDREN: Final[Mapping[str, frozenset[str]]] = {
    "table": frozenset(("caption", "thead", "tbody", "tfoot", "tr")),
    **dict.fromkeys(("thead", "tbody", "tfoot"), frozenset(("tr",))),
    "tr": frozenset(("td", "th")),
    "ul": frozenset(("li",)),
    "ol": frozenset(("li",)),
}
"""What may stand in an HTML element that holds no text; the rest is wrapped as `WRAPPERS` say."""

WRAPPERS: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(_ROWS, ("tr", "td")),
    "tr": ("td",),
    "ul": ("li",),
    "ol": ("li",),
}

STYLES: Final[Mapping[str, str]] = {
    "bold": "b",
    "bolditalics": "b i",
    "italics": "i",
    "underline": "u",
    "emphasis": "i",
    "strikethrough": "gone",
    "lrule": "rule-left",
    "rrule": "rule-right",
    "toprule": "rule-top",
    "botrule": "rule-bottom",
    "disc": "disc",
    "circle": "circle",
    "square": "square",
    "arabic": "decimal",
    "littleroman": "lower-roman",
    "bigroman": "upper-roman",
    "littlealpha": "lower-alpha",
    "bigalpha": "upper-alpha",
}
"""styleCode values, in lower case, and our classes; a vendor's own are left out."""

ALIGNMENTS: Final = frozenset(("left", "center", "right"))
SCOPES: Final = frozenset(("row", "col", "rowgroup", "colgroup"))
REVISIONS: Final[Mapping[str, str]] = {"insert": "ins", "delete": "del"}

_SHOWN: Final = frozenset(("renderMultiMedia", "footnoteRef", "table"))

_MOST: Final = {"colspan": 100, "rowspan": 1000}
"""The widest real table has 30 columns; a browser lays out every cell that is claimed."""


def wrappers(form: str | None, parent: str) -> tuple[str, ...]:
    """What must stand around an element of this form where its parent is that one."""
    children = CHILDREN.get(parent)
    if form is None or children is None or form in children:
        return ()
    return ("tr",) if form in CHILDREN["tr"] and parent in _ROWS else WRAPPERS[parent]


def span(element: Element, name: str) -> int | None:
    """A colspan or rowspan between 2 and our limit; None for one, for zero and for nonsense."""
    written = (element.get(name) or "").strip()
    if not (written.isascii() and written.isdigit()):
        return None
    number = _MOST[name] if len(written) > 6 else min(int(written), _MOST[name])
    return number if number > 1 else None


def style_classes(element: Element) -> list[str]:
    """Our classes for an element's styleCode and align."""
    written = (element.get("styleCode") or "").lower().split()
    classes = [STYLES[style] for style in written if style in STYLES]
    align = (element.get("align") or "").strip().lower()
    return [*classes, align] if align in ALIGNMENTS else classes


def local_name(element: Element) -> str:
    """Its name whatever its namespace; what is no element has none."""
    name = element.tag
    return name.rpartition("}")[2] if isinstance(name, str) else ""


def says_anything(element: Element) -> bool:
    """Whether it holds a word, or something that is shown where no word stands."""
    return any(words.strip() for words in element.itertext()) or any(
        local_name(below) in _SHOWN for below in element.iter(etree.Element)
    )


def around_blocks(narrative: Element) -> set[Element]:
    """Every element that has one of `BLOCKS` somewhere below it."""
    around: set[Element] = set()
    for block in narrative.iter(etree.Element):
        above = block.getparent() if local_name(block) in BLOCKS else None
        while above is not None and above not in around:
            around.add(above)
            above = above.getparent()
    return around
