"""The one place where text becomes HTML: what is not listed here cannot be written.

Two types keep them apart: `str` is a document's words, `Html` is markup. Only `text` turns the
one into the other, and it escapes; only `start`, `end` and `tag` write elements, and they know
no others than `ATTRIBUTES` lists.
"""

import re
from html import escape
from typing import Final, NewType

Html = NewType("Html", str)
Attribute = str | int | None

NOTHING: Final = Html("")

_EVERYWHERE: Final = frozenset(("id", "class", "lang", "dir"))
_CELL: Final = frozenset(("colspan", "rowspan", "headers"))

ATTRIBUTES: Final[dict[str, frozenset[str]]] = {
    **dict.fromkeys(
        "h1 h2 h3 h4 h5 h6 p pre div span strong em u s ins del sub sup br ul ol li dl dt dd "
        "table caption thead tbody tfoot tr summary body footer main".split(),
        frozenset[str](),
    ),
    "a": frozenset(("href", "rel")),
    "td": _CELL,
    "th": _CELL | {"scope", "abbr"},
    "img": frozenset(("src", "alt")),
    "li": frozenset(("value",)),
    "details": frozenset(("open",)),
    "header": frozenset[str](),
    **dict.fromkeys(("nav", "section", "div", "ul"), frozenset(("aria-label", "aria-labelledby",
                                                                "role", "tabindex"))),
    "span": frozenset(("role",)),
    "html": frozenset[str](),
    "head": frozenset[str](),
    "title": frozenset[str](),
    "style": frozenset[str](),
    "meta": frozenset(("charset", "name", "content", "http-equiv")),
}  # fmt: skip
"""Each element, and what it may carry beside `_EVERYWHERE`."""

# Embeddings, overrides and isolates can make a line read other than it was written; the other
# controls are no text. Marks (U+200E, U+200F, U+061C) stay: right-to-left scripts need them.
_UNSAFE: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef\ufffe\uffff]"
)
_REPLACEMENT: Final = "\ufffd"


def clean(words: str) -> str:
    """`words`; what could hide or reorder others shows as U+FFFD."""
    return _UNSAFE.sub(_REPLACEMENT, words)


def text(words: str | None) -> Html:
    """A document's words, escaped for content and for quoted attributes alike."""
    return Html(escape(clean(words), quote=True)) if words else NOTHING


def start(name: str, /, **attributes: Attribute) -> Html:
    """A start tag. `class_` is written `class`, `aria_label` is `aria-label`; None is left out.

    Raises:
        ValueError: the element or one of its attributes is not listed: our own mistake.
    """
    allowed = ATTRIBUTES.get(name)
    if allowed is None:
        raise ValueError(f"the element {name} is not listed")
    written = [f"<{name}"]
    for key, value in attributes.items():
        attribute = key.removesuffix("_").replace("_", "-")
        if attribute not in allowed and attribute not in _EVERYWHERE:
            raise ValueError(f"the attribute {attribute} of {name} is not listed")
        if value is not None:
            written.append(f' {attribute}="{text(str(value))}"')
    return Html("".join(written) + ">")


def end(name: str) -> Html:
    return Html(f"</{name}>")


def tag(name: str, /, *content: Html, **attributes: Attribute) -> Html:
    """An element with its content."""
    return Html("".join((start(name, **attributes), *content, end(name))))


def join(*parts: Html, by: str = "") -> Html:
    """The parts that are not empty, with the words `by` between them."""
    return Html(text(by).join(part for part in parts if part))
