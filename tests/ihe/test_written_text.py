"""An ITI-55 answer written as text is, to the octet, what a tree would be written out as."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from ccda.hl7v3 import AD, II, IVL, PN, TEL, TS
from ccda.hl7v3_writing import Written, append
from ccda.text_element import TextElement
from ihe.demographics import write_parameters, write_person
from ihe.discovery import (
    Demographics,
    Matched,
    MoreDemographicsRequested,
    NoMatch,
)
from ihe.errors import CommunityCouldNotAnswer
from ihe.identifiers import HomeCommunityId, Oid, PatientId
from ihe.v3_message import a_text, a_tree, write_acknowledged, write_community, write_integer
from ihe.xcpd import Match
from ihe.xcpd_answer import write_answer

TEXT = st.text(max_size=12) | st.sampled_from(
    ["&<>\"'", "a\r\nb\tc", "]]>", "\u00a0\u2028", "Zoë 💊", "\x00", "\x0b", "\ufffe", "\x85"]
)
SAID = st.none() | TEXT
TIMES = st.builds(TS, SAID, SAID)
PERIODS = st.none() | st.builds(
    IVL, low=st.none() | TIMES, high=st.none() | TIMES, value=st.none() | TIMES, null_flavor=SAID
)
SEVERAL = st.lists(TEXT, max_size=2).map(tuple)
NAMES = st.builds(
    PN,
    family=SAID,
    given=SEVERAL,
    prefix=SEVERAL,
    suffix=SEVERAL,
    text=SAID,
    use=SAID,
    valid=PERIODS,
    qualifiers=st.lists(
        st.tuples(st.sampled_from(["given", "family"]), TEXT, TEXT), max_size=2
    ).map(tuple),
)
ADDRESSES = st.builds(
    AD, lines=SEVERAL, city=SAID, state=SAID, postal_code=SAID, country=SAID, period=PERIODS
)
PEOPLE = st.builds(
    Demographics,
    names=st.lists(NAMES, min_size=1, max_size=2).map(tuple),
    birth_time=st.none() | TIMES,
    gender=SAID,
    addresses=st.lists(ADDRESSES, max_size=2).map(tuple),
    telecoms=st.lists(st.builds(TEL, SAID, SAID, SAID, PERIODS), max_size=2).map(tuple),
    ids=st.lists(st.builds(II, SAID, SAID), max_size=2).map(tuple),
    mothers_maiden_name=st.none() | NAMES,
    birth_place=st.none() | ADDRESSES,
    birth_place_name=SAID,
)
HOME = HomeCommunityId(Oid("2.999.1"))


def both(write: Callable[[Any], object]) -> tuple[bytes | str, bytes | str]:
    """What comes of a tree and of text, or that neither can be."""
    said: list[bytes | str] = []
    for root, out in (
        (a_tree("PRPA"), lambda root: etree.tostring(root, encoding="UTF-8")),
        (a_text("PRPA"), lambda root: root.written()),
    ):
        try:
            write(root)
            said.append(out(root))
        except ValueError:
            said.append("it cannot stand in XML")
    return said[0], said[1]


@given(PEOPLE)
def test_whoever_is_written_both_are_the_same(person: Demographics) -> None:
    def write(root: Written) -> None:
        write_parameters(append(root, "parameterList"), person, person.ids)
        write_person(append(root, "patient", classCode="PAT"), person)
        append(root, "end")

    tree, text = both(write)
    assert tree == text


@pytest.mark.parametrize(
    "answer",
    [
        NoMatch(),
        CommunityCouldNotAnswer("ResponderBusy"),
        CommunityCouldNotAnswer(None),
        MoreDemographicsRequested(("PatientAddressRequested",), ("Other",)),
        Matched(
            (
                Match(PatientId("1", Oid("2.999.2")), HOME, Demographics((PN("A"),)), degree=9),
                Match(PatientId("2", Oid("2.999.2")), HOME, Demographics((PN("B"),)), degree=None),
            )
        ),
    ],
    ids=lambda answer: type(answer).__name__,
)
def test_whatever_is_answered_both_are_the_same(answer: Any) -> None:
    def write(root: Written) -> None:
        write_community(root, "receiver", "RCV", None)
        write_community(root, "sender", "SND", HOME)
        write_acknowledged(root, "AA", II("1.2", "<3>"))
        act = append(root, "controlActProcess")
        append(act, "code", code=write_answer(act, answer))
        write_integer(append(act, "matchCriterionList"), None)

    tree, text = both(write)
    assert isinstance(tree, bytes)
    assert tree == text


def test_what_comes_too_late_is_refused() -> None:
    root = TextElement.root("a")
    first = root.child("b", {})
    second = root.child("c", {})
    with pytest.raises(ValueError, match="ended"):
        first.child("d", {})
    second.text = "said"
    for too_late in (lambda: second.set("x", "y"), lambda: setattr(second, "text", "more")):
        with pytest.raises(ValueError, match="before"):
            too_late()
    assert root.written() == b"<a><b/><c>said</c></a>"
