"""A document twice as long takes twice as long, whatever it repeats: no part may ask all others.

Calls are counted, not seconds: over three lengths at equal steps, work that grows with the square
of the length shows in the second difference, on the busiest machine too.
"""

import copy
import cProfile
import gc
from collections.abc import Callable, Iterator

import pytest

from ccda import parse_document
from ccda.hl7v3 import v3
from ccda.html import render_html
from ccda.safe_xml import Element, parse_xml, serialize_xml
from tests.ccda.conftest import SAMPLES

STEP = 5


def sections() -> Iterator[tuple[str, bytes]]:
    """The whole record, once for each of its sections, with that section alone."""
    data = (SAMPLES / "whole_record.xml").read_bytes()
    count = len(list(parse_xml(data).iter(v3("section"))))
    for place in range(count):
        root = parse_xml(data)
        for position, section in enumerate(list(root.iter(v3("section")))):
            holder = section.getparent()
            if position != place and holder is not None:
                holder.remove(section)
        title = next(root.iter(v3("section"))).findtext(v3("title")) or str(place)
        yield title, serialize_xml(root)


SECTIONS = dict(sections())


def calls(read: Callable[[bytes], object], document: bytes) -> int:
    profile = cProfile.Profile()
    gc.disable()  # what it clears away is another test's, and its callbacks would be counted
    try:
        profile.runcall(read, document)
    finally:
        gc.enable()
    return sum(entry.callcount for entry in profile.getstats())


def repeated(root: Element, place: int, times: int) -> bytes:
    grown = copy.deepcopy(root)
    element = list(grown.iter())[place]
    for _ in range(times):
        element.addnext(copy.deepcopy(element))
    return serialize_xml(grown)


def growth_of_growth(read: Callable[[bytes], object], root: Element, place: int) -> int:
    first, second, third = (calls(read, repeated(root, place, n * STEP)) for n in (1, 2, 3))
    return (third - second) - (second - first)


def shape_of(element: Element) -> tuple[object, ...]:
    """By which names, templates and types it is reached: what decides who reads it."""
    return tuple(
        (
            holder.tag,
            *(one.get("root") for one in holder.iterchildren(v3("templateId"))),
            *sorted(value for name, value in holder.items() if name != "value"),
        )
        for holder in (element, *element.iterancestors())
    )


@pytest.mark.parametrize("read", [parse_document, render_html])
@pytest.mark.parametrize("title", SECTIONS)
def test_no_repetition_costs_more_than_its_length(
    title: str, read: Callable[[bytes], object]
) -> None:
    root = parse_xml(SECTIONS[title])
    read(SECTIONS[title])  # what is cached at first use is none of the document's cost
    elements = list(root.iter())
    section = next(root.iter(v3("section")))
    seen: set[tuple[object, ...]] = set()
    for place in range(elements.index(section), len(elements)):
        if (shape := shape_of(elements[place])) in seen:
            continue  # it would be read by the same code once more
        seen.add(shape)
        extra = growth_of_growth(read, root, place)
        if extra > STEP:  # a cache filled at first use is not filled twice; a square comes again
            extra = growth_of_growth(read, root, place)
        assert extra <= STEP, root.getroottree().getpath(elements[place])
