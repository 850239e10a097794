"""Each misbehaviour of the simulated partner, as our initiator sees it.

Whatever a partner does: it is recognised and told in plain words with what to do next, and never
taken for "no match" or "no documents".
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.app.house import House
from gateway.demo.simulator.mood import STEPS
from gateway.demo.simulator.moods import MOODS, mood
from gateway.exchange.conversation import Reread, crossed, reread
from gateway.model.exchange import RecordedExchange
from gateway.model.partner import PartnerProfile
from gateway.model.retrieval import PartnerProgress
from ihe.identifiers import HomeCommunityId
from tests.gateway.clients.asking_house import asking_house, assert_sound, calls, retrieve
from tests.gateway.demo.simulating import Wanted, all_simulated


@dataclass(frozen=True, slots=True)
class Told:
    """How a row must read: outcome and detail, what to do next, documents new and missing."""

    outcome: str
    detail: str | None
    next_step: str | None = None
    new: int = 0
    missing: int = 0


_FAULT = "it answered with a SOAP fault ({})"
_UNTRUSTED = "its answer could not be trusted: {}"
_CLOCKS = "Compare clocks and signing certificates"
_IN_ANY_STEP = {
    "empty": ("failed", "it answered HTTP 200 with an empty body", "Ask again later; if it stays"),
    "html": ("failed", "it answered with an HTML page instead of SOAP", "Check the address"),
    "fault-1.1-200": ("failed", _FAULT.format("Server"), "Ask again later; if it stays so, tell"),
    "fault-1.1-400": ("refused", _FAULT.format("Client"), "The partner finds fault with our"),
    "fault-1.1-500": ("failed", _FAULT.format("Server"), "Ask again later; if it stays so, tell"),
    "fault-1.2-200": ("failed", _FAULT.format("Receiver"), "Ask again later; if it stays so, tell"),
    "fault-1.2-400": ("refused", _FAULT.format("Sender"), "The partner finds fault with our"),
    "fault-1.2-500": ("failed", _FAULT.format("Receiver"), "Ask again later; if it stays so, tell"),
    "redirect": (
        "failed",
        "it answered HTTP 302, which points to another address",
        "Ask the partner for its current addresses",
    ),
    "status-500": ("failed", "it answered HTTP 500 without a SOAP fault", "Check the address"),
    "busy": (
        "failed",
        "it answered HTTP 503: it is busy or away and wants to be asked again in 120 s",
        "Ask again later",
    ),
    "hang": ("late", "no answer within 15 s", "Ask again later, or give it more time"),
    "drip": ("late", "no answer within 15 s", "Ask again later, or give it more time"),
    "slow": ("late", "no answer within 15 s", "Ask again later, or give it more time"),
    "endless": ("failed", "its answer is larger than we take", "Ask the partner what it sends"),
    "reset": (
        "failed",
        "it broke the connection off before its answer was whole",
        "Ask again later; if it stays so, tell the partner that its connections break, and"
        " ask whether it accepts our TLS certificate",
    ),
    "early-close": (
        "failed",
        "it broke the connection off before its answer was whole",
        "Ask again later; if it stays so, tell the partner that its connections break, and"
        " ask whether it accepts our TLS certificate",
    ),
    "wrong-relates-to": (
        "failed",
        "the answer relates to another message than our request",
        "Tell the partner that its answer belongs to another request",
    ),
    "clock-skew": ("failed", _UNTRUSTED.format("the Timestamp has expired"), _CLOCKS),
    "no-confirmation": (
        "failed",
        _UNTRUSTED.format("the answer does not confirm the signature of our request"),
        _CLOCKS,
    ),
    "no-security": (
        "failed",
        _UNTRUSTED.format("there is not exactly one wsse:Security header"),
        _CLOCKS,
    ),
}
_WELL = Told("matched", None, new=3)
_MISSING = "partial: 3 missing; "
_LISTED = "Tell the partner which documents it lists and does not give"
_IN_ONE_STEP = {
    "": _WELL,
    "expired-certificate": Told(
        "failed",
        "its TLS certificate is not trusted (certificate has expired)",
        "Compare the certificates on both sides",
    ),
    "refuse": Told(
        "failed", "no connection could be made", "Check the address and the firewalls on the way"
    ),
    # Mutual TLS stands for the signature; `partners check` tells that it is not there.
    **{f"unsigned@{step}": _WELL for step in STEPS},
    "named-fault@ITI-55": _WELL,
    "named-fault@ITI-38": _WELL,
    "other-person@ITI-55": Told(
        "no_match", "it returned someone else", "`gateway held list --member` shows whom it"
    ),
    "other-patient@ITI-38": Told(
        "failed",
        _MISSING + "all of its documents are listed under another patient id than the one asked"
        " for: not retrieved",
        "Ask the partner why its list names another patient id",
        missing=3,
    ),
    "success-with-errors@ITI-38": Told(
        "failed",
        "its document query failed: XDSRegistryError: it had a fault of its own",
        "Ask again later for the rest of the list",
    ),
    "partial-success@ITI-38": Told(
        "matched",
        "its list of documents may be incomplete: it reported XDSUnavailableCommunity: a community"
        " behind it could not be reached; ask again later (community {home})",
        "Ask again later for the rest of the list",
        new=2,
    ),
    **{
        f"{name}@ITI-38": Told(
            "matched",
            f"{_MISSING}it is not the document that was listed ({code})",
            "Tell the partner that size or hash of its list are not those",
            missing=3,
        )
        for name, code in (
            ("wrong-hash", "XDSNonIdenticalHash"),
            ("wrong-size", "XDSNonIdenticalSize"),
        )
    },
    "too-many-results@ITI-38": _WELL,
    "long-time@ITI-38": _WELL,
    "truncated@ITI-39": Told(
        "failed",
        _MISSING + "the message ends before its closing boundary",
        "Tell the partner that its answer breaks the standard",
        missing=3,
    ),
    "duplicate-cids@ITI-39": Told(
        "failed",
        _MISSING + "two parts have one Content-ID",
        "Tell the partner that its answer breaks the standard",
        missing=3,
    ),
    "other-document@ITI-39": Told(
        "matched",
        _MISSING + "3 came that nobody asked for: not taken; it reported success without 3 of the"
        " documents that it lists, asked twice",
        "Tell the partner that it gives documents under ids that nobody asked for",
        missing=3,
    ),
    "success-with-errors@ITI-39": Told(
        "matched",
        _MISSING + "it reported XDSRepositoryError: it had a fault of its own",
        _LISTED,
        missing=3,
    ),
    "partial-success@ITI-39": Told(
        "matched",
        "partial: 1 missing; it reported XDSMissingDocument: it has no content for a document that"
        " it listed",
        _LISTED,
        new=2,
        missing=1,
    ),
    "fewer-documents@ITI-39": Told(
        "matched",
        "partial: 1 missing; it reported success without 1 of the documents that it lists, asked"
        " twice",
        _LISTED,
        new=2,
        missing=1,
    ),
    "more-documents@ITI-39": Told(
        "matched",
        "1 came that nobody asked for: not taken",
        "Tell the partner that it gives documents under ids that nobody asked for",
        new=3,
    ),
    "wrong-home@ITI-39": Told(
        "matched",
        _MISSING + "3 came from another community than was asked: not taken",
        "Ask the partner why its documents name another community",
        missing=3,
    ),
    "no-mtom@ITI-39": _WELL,
    "one-per-retrieve@ITI-39": _WELL,
    "endless@ITI-39": Told(
        "failed",
        _MISSING + "the header of a part is over our limit",
        "[limits] in gateway.toml says how much we take",
        missing=3,
    ),
}


def _anywhere() -> Iterator[tuple[str, Told]]:
    for name, (outcome, detail, next_step) in _IN_ANY_STEP.items():
        for step in STEPS:
            is_last = step == "ITI-39"
            text = _MISSING + detail if is_last else detail
            yield f"{name}@{step}", Told(outcome, text, next_step, missing=3 * is_last)


TOLD = {**dict(_anywhere()), **_IN_ONE_STEP}


@dataclass(frozen=True, slots=True)
class Answered:
    """A partner's row, and its calls as (transaction, outcome)."""

    row: PartnerProgress
    calls: list[tuple[str, str]]
    home: HomeCommunityId
    reread: list[Reread]


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answered]:
    """One member's records asked of a partner in each of the moods, all at once; of those that
    are late apart, so that what the others cost does not count as their time."""
    late = [told for told in TOLD if told.startswith(("hang", "drip", "slow"))]
    others = [told for told in TOLD if told not in late]
    folder = tmp_path_factory.mktemp("moods")
    return {
        **_ask(folder / "others", others, timeout_seconds=110.0),
        **_ask(folder / "late", late, timeout_seconds=15.0),
    }


def _ask(folder: Path, moods: list[str], timeout_seconds: float) -> dict[str, Answered]:
    wanted = {
        told: Wanted(
            moods=(told,) if told else (),
            name=f"In mood {told}",
            home=HomeCommunityId.parse(f"2.999.7400.{number}"),
            profile=PartnerProfile(timeout_seconds=timeout_seconds),
        )
        for number, told in enumerate(moods, 1)
    }
    with all_simulated(tuple(wanted.values())) as partners:
        limits = {"message_bytes": 2_000_000}
        with asking_house(folder, partners, limits=limits) as house:
            rows = retrieve(house)
            assert_sound(house)
            return {told: _answered(house, rows, one) for told, one in wanted.items()}


def _answered(house: House, rows: dict[str, PartnerProgress], one: Wanted) -> Answered:
    keys, told = house.archive.blobs.keys, calls(house, str(one.home))
    seen = (RecordedExchange(number, call, "", "") for number, call in enumerate(told, 1))
    again = [house.database.read(lambda tx, it=it: crossed(tx, keys, it)) for it in seen]  # type: ignore[misc]
    return Answered(
        rows[one.name],
        [(call.transaction, call.outcome) for call in told],
        one.home,
        [said for it in again for said in reread(it)],
    )


@pytest.mark.parametrize("told", TOLD)
def test_a_misbehaving_partner_is_told_in_words_with_the_next_step(
    told: str, answered: dict[str, Answered]
) -> None:
    row, must = answered[told].row, TOLD[told]
    detail = None if must.detail is None else must.detail.format(home=answered[told].home)
    assert (row.outcome, row.detail) == (must.outcome, detail)
    assert (row.documents_new, row.documents_missing) == (must.new, must.missing)
    if must.next_step is None:
        assert row.next_step is None
    else:
        assert row.next_step is not None and row.next_step.startswith(must.next_step)


def test_every_mood_in_every_step_is_among_them() -> None:
    shown = {
        one.name if one.is_of_connection else f"{one.name}@{step}"
        for one in MOODS.values()
        for step in one.at
    }
    assert shown == TOLD.keys() - {""}


def test_nothing_that_is_wrong_is_ever_no_match_or_no_documents(
    answered: dict[str, Answered],
) -> None:
    for told, one in answered.items():
        # Whoever returns someone else does not know the member, and has said so in its way.
        is_other = one.row.detail == "it returned someone else" and one.row.next_step
        assert one.row.outcome != "no_match" or is_other, told
        assert "it lists no documents" not in (one.row.detail or ""), told
        if one.row.documents_new < 3:
            assert one.row.outcome != "matched" or one.row.next_step, told


def test_what_is_read_again_by_the_same_code_is_as_it_was(answered: dict[str, Answered]) -> None:
    for told, one in answered.items():
        assert one.reread, told
        assert [said for said in one.reread if said.differs] == [], told


@pytest.mark.parametrize(
    "told, times",
    [
        ("empty@ITI-38", 3),
        ("reset@ITI-55", 3),
        ("early-close@ITI-39", 3),
        ("busy@ITI-55", 1),
        ("hang@ITI-38", 2),  # over all time, then over a shorter one, within its time
        ("html@ITI-55", 1),
        ("fault-1.2-500@ITI-38", 1),
        ("truncated@ITI-39", 1),
        ("no-confirmation@ITI-55", 1),
    ],
)
def test_only_what_was_not_answered_is_asked_for_again(
    told: str, times: int, answered: dict[str, Answered]
) -> None:
    step = told.partition("@")[2]
    assert sum(transaction == step for transaction, _ in answered[told].calls) == times


def test_a_mood_that_is_not_there_or_does_not_show_there_is_a_sentence() -> None:
    with pytest.raises(ValueError, match="--list"):
        mood("grumpy")
    with pytest.raises(ValueError, match="only in ITI-39"):
        mood("truncated@ITI-55")
    assert mood("hang@iti-38").at == ("ITI-38",)
