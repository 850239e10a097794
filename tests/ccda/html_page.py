"""A page as a browser would read it, held to what any page of ours may be."""

import re
from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise

from ccda.html.style import STYLE

VOID = frozenset(("meta", "br", "img"))
ANY = frozenset(("id", "class", "lang", "dir"))
ALLOWED = {
    **dict.fromkeys(
        "html head title style body header main footer section nav h1 h2 h3 h4 h5 h6 p pre div "
        "span strong em u s ins del sub sup br ul ol li dl dt dd table caption thead tbody tfoot "
        "tr th td a img details summary".split(),
        ANY,
    ),
    "meta": frozenset(("charset", "name", "content", "http-equiv")),
}
MORE = {
    "a": {"href", "rel"},
    "th": {"colspan", "rowspan", "headers", "scope", "abbr"},
    "td": {"colspan", "rowspan", "headers"},
    "img": {"src", "alt"},
    "details": {"open"},
    "li": {"value"},
    "nav": {"aria-labelledby"},
    "ul": {"aria-label", "role"},
    "div": {"aria-label", "role", "tabindex"},
    "span": {"role"},
}
HREF = re.compile(r"#[^\s]+|https://[a-z0-9.-]+(:\d+)?([/?#][!-~]*)?")
PICTURE = re.compile(r"data:image/(png|jpeg|gif);base64,[A-Za-z0-9+/=]+")
CLASSES = frozenset(re.findall(r"\.([a-z][a-z-]*)", STYLE)) | {"dim", "narrative"}
BLOCKS = frozenset("div p ul ol li dl table pre section h1 h2 h3 h4 h5 h6 details".split())
LINES = frozenset("p span strong em u s ins del sub sup h1 h2 h3 h4 h5 h6 pre summary".split())
ROWS = frozenset(("table", "thead", "tbody", "tfoot"))
PARENTS = {
    **dict.fromkeys(("thead", "tbody", "tfoot", "caption"), frozenset(("table",))),
    "tr": ROWS,
    **dict.fromkeys(("td", "th"), frozenset(("tr",))),
    "li": frozenset(("ul", "ol")),
    **dict.fromkeys(("dt", "dd"), frozenset(("div",))),
}
CHILDREN = {
    "table": frozenset(("thead", "tbody", "tfoot", "caption", "tr")),
    **dict.fromkeys(ROWS - {"table"}, frozenset(("tr",))),
    "tr": frozenset(("td", "th")),
    **dict.fromkeys(("ul", "ol"), frozenset(("li",))),
}
"""What the HTML standard's parser would otherwise move, close or drop."""
METAS = [
    {"charset"}, {"http-equiv", "content"}, {"name", "content"}, {"name", "content"},
]  # fmt: skip


@dataclass
class Page(HTMLParser):
    """Elements with their attributes in document order, and the words that are shown."""

    source: str
    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    style: str = ""
    open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.source)
        self.close()
        assert self.open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), (tag, names)
        self._check_place(tag)
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, "elements are closed in the order they were opened"

    def _check_place(self, tag: str) -> None:
        parent = self.open[-1] if self.open else ""
        assert parent in PARENTS.get(tag, {parent}), (parent, tag)
        assert tag in CHILDREN.get(parent, {tag}), (parent, tag)
        assert parent not in LINES - {"ins", "del"} or tag not in BLOCKS, (parent, tag)
        assert tag != "a" or "a" not in self.open

    def handle_data(self, data: str) -> None:
        assert self.open[-1:] == [] or self.open[-1] not in CHILDREN or not data.strip(), data
        if self.open[-1:] == ["style"]:
            self.style += data
        elif self.open[-1:] != ["title"]:
            self.pieces.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError("a page has no comments")

    def handle_pi(self, data: str) -> None:
        raise AssertionError("a page has no processing instructions")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError("a page has no CDATA sections")

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.pieces).split())

    @property
    def squeezed(self) -> str:
        """The words without any white space: what is a word depends on where elements end."""
        return "".join("".join(self.pieces).split())


def read_page(source: str) -> Page:
    """The page, once it is known to be harmless and well built."""
    page = Page(source)
    for tag, attributes in page.elements:
        assert tag in ALLOWED, tag
        assert attributes.keys() <= ALLOWED[tag] | MORE.get(tag, set()), (tag, attributes)
        assert set(attributes.get("class", "").split()) <= CLASSES, attributes
    _check_links(page)
    _check_structure(page)
    assert page.style == STYLE
    assert [meta.keys() for meta in page.all("meta")] == METAS
    return page


def _check_links(page: Page) -> None:
    for link in page.all("a"):
        assert HREF.fullmatch(link["href"]), link
        assert link["href"].startswith("#") or link["rel"] == "noopener noreferrer"
    for picture in page.all("img"):
        assert PICTURE.fullmatch(picture["src"])
        assert picture["alt"]


def _check_structure(page: Page) -> None:
    ids = Counter(attributes["id"] for _, attributes in page.elements if "id" in attributes)
    assert [name for name, count in ids.items() if count > 1] == []
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(below - above <= 1 for above, below in pairwise(levels))
    for landmark in ("header", "main", "footer"):
        assert len(page.all(landmark)) == 1
    assert page.all("html")[0]["lang"] == "en"
    own = {link["href"][1:] for link in page.all("a") if not link["href"].startswith("#doc-")}
    assert {name for name in own if not name.startswith("ttps:")} <= set(ids)
