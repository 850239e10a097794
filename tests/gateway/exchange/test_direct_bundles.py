"""Bundles fetched over HTTP: what joins is taken, what leaves or is doubtful waits for a person."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from direct.bundle import MOST_BYTES
from gateway.app.house import House
from gateway.exchange.direct_bundles import (
    Refreshed,
    UnknownBundle,
    approve,
    refresh_bundle,
    reject,
)
from gateway.exchange.jobs import JobMeans, perform
from gateway.model.direct_anchors import REFRESH_BUNDLE, DirectBundle
from gateway.model.job import Job
from gateway.store import direct_anchors, tables
from tests.certificates import Issued
from tests.direct_certificates import MailAuthority
from tests.gateway.direct_place import NOW, Place, a_place
from tests.issuers import DAY
from tests.signed_bundles import bag, signed_bundle

ONE, TWO, THREE = (MailAuthority(name, NOW).certificate for name in ("One", "Two", "Three"))
PUBLISHER = MailAuthority("Publisher's CA", NOW).leaf("bundles@publisher.example")
OTHER = MailAuthority("Other CA", NOW).leaf("bundles@other.example")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with a_place(tmp_path) as made:
        yield made


def signed(*anchors: object, by: Issued = PUBLISHER) -> bytes:
    return signed_bundle(bag(anchors), by)  # type: ignore[arg-type]


def test_a_signed_bundle_is_taken_and_recorded(place: Place) -> None:
    place.bundle(signed(ONE, TWO))
    assert place.refresh() == Refreshed("taken", "2 anchors join, 0 leave")
    assert set(place.trusted()) == {ONE, TWO}
    (record,) = place.records()
    assert (record.transaction, record.direction, record.outcome) == (
        "DIRECT-BUNDLE",
        "out",
        "success",
    )
    assert record.reason == "the bundle acc: 2 anchors join, 0 leave"
    assert record.peer == place.served.address
    found = place.database.read(lambda tx: direct_anchors.get_bundle(tx, "acc"))
    assert found is not None
    assert (found.checked, found.failure) == (NOW, None)


def test_anchors_that_join_are_taken(place: Place) -> None:
    place.bundle(signed(ONE))
    place.refresh()
    place.bundle(signed(ONE, TWO))
    assert place.refresh() == Refreshed("taken", "1 anchors join, 0 leave")
    assert set(place.trusted()) == {ONE, TWO}


def test_a_bundle_signed_anew_with_the_same_anchors_is_unchanged(place: Place) -> None:
    place.bundle(signed(ONE, TWO))
    place.refresh()
    place.bundle(signed(TWO, ONE))
    assert place.refresh().became == "unchanged"
    assert len(place.versions()) == 1


def test_anchors_that_leave_wait_for_a_person_and_stay_trusted_till_then(place: Place) -> None:
    place.bundle(signed(ONE, TWO))
    place.refresh()
    place.bundle(signed(TWO, THREE))
    waits = Refreshed("held", "1 anchors join, 1 leave; anchors leave")
    assert place.refresh() == waits
    assert set(place.trusted()) == {ONE, TWO}
    assert place.records()[-1].outcome == "partial"
    assert place.refresh() == waits
    assert len(place.versions()) == 2, "it waits once, however often it is fetched"
    taken, words = place.database.write(lambda tx: approve(tx, "acc", None, now=place.now))
    assert (taken.number, words) == (2, "version 2 taken")
    assert set(place.trusted()) == {TWO, THREE}
    assert place.refresh().became == "unchanged"


def test_what_was_rejected_does_not_wait_again_until_it_changes(place: Place) -> None:
    place.bundle(signed(ONE, TWO))
    place.refresh()
    place.bundle(signed(TWO))
    place.refresh()
    place.database.write(lambda tx: reject(tx, "acc", now=place.now))
    assert place.refresh() == Refreshed("unchanged", "it is still what was rejected")
    assert set(place.trusted()) == {ONE, TWO}
    place.bundle(signed(TWO, THREE))
    assert place.refresh().became == "held"


def test_what_waits_is_past_once_the_bundle_is_again_what_it_was(place: Place) -> None:
    place.bundle(signed(ONE, TWO))
    place.refresh()
    place.bundle(signed(ONE))
    place.refresh()
    place.bundle(signed(ONE, TWO))
    assert place.refresh().became == "unchanged"
    assert [one.state for one in place.versions()] == ["past", "current"]


def test_another_signer_waits_for_a_person(place: Place) -> None:
    place.bundle(signed(ONE))
    place.refresh()
    place.bundle(signed(ONE, TWO, by=OTHER))
    became = place.refresh()
    assert became.became == "held"
    assert "it is signed by another than before" in became.reason
    assert list(place.trusted()) == [ONE]
    place.bundle(bag([ONE, TWO]))
    became = place.refresh()
    assert "it is signed by another than before" in became.reason
    assert "neither signed nor fetched over https" in became.reason


def test_a_pinned_signer_is_demanded_from_the_first_and_follows_an_approval(place: Place) -> None:
    place.bundle(signed(ONE, by=OTHER), signer=PUBLISHER.certificate)
    became = place.refresh()
    assert became.became == "held"
    assert "it is not signed by whom it must be" in became.reason
    assert list(place.trusted()) == []
    _, words = place.database.write(lambda tx: approve(tx, "acc", None, now=place.now))
    assert words == "version 1 taken, and whoever has signed it must sign it from now on"
    place.files["/acc.p7b"] = signed(ONE, TWO, by=OTHER)
    assert place.refresh().became == "taken"


def test_an_unsigned_bundle_over_plain_http_always_waits(place: Place) -> None:
    place.bundle(bag([ONE]))
    became = place.refresh()
    assert became.became == "held"
    assert "it is neither signed nor fetched over https" in became.reason
    assert list(place.trusted()) == []


def test_every_change_waits_where_that_was_asked_for(place: Place) -> None:
    place.bundle(signed(ONE), hold="any")
    assert place.refresh().became == "taken", "whoever adds a bundle has looked at it"
    place.bundle(signed(ONE, TWO), hold="any")
    assert "every change of it waits" in place.refresh().reason


def test_an_expired_signer_waits(place: Place) -> None:
    authority = MailAuthority("Late CA", NOW)
    late = authority.leaf("bundles@late.example", begin=-9 * DAY, end=-DAY)
    place.bundle(signed(ONE, by=late))
    assert "the certificate of its signer has expired" in place.refresh().reason


def test_an_earlier_bundle_that_comes_back_waits(place: Place) -> None:
    """Its signature is genuine; an anchor that was taken out would be trusted again."""
    old = signed(ONE, TWO)
    place.bundle(old)
    place.refresh()
    place.bundle(signed(TWO))
    place.refresh()
    place.database.write(lambda tx: approve(tx, "acc", None, now=place.now))
    place.bundle(old)
    became = place.refresh()
    assert became.became == "held"
    assert "an earlier version that comes back" in became.reason
    assert list(place.trusted()) == [TWO]


def test_going_back_lasts_until_a_person_says_otherwise(place: Place) -> None:
    place.bundle(signed(ONE))
    place.refresh()
    place.bundle(signed(ONE, TWO))
    place.refresh()
    _, words = place.database.write(lambda tx: approve(tx, "acc", 1, now=place.now))
    assert words == "gone back to version 1"
    assert list(place.trusted()) == [ONE]
    assert place.refresh().reason == "it is still what was rejected"
    place.bundle(signed(ONE, TWO, THREE))
    became = place.refresh()
    assert became.became == "held"
    assert "its last version was rejected" in became.reason
    assert list(place.trusted()) == [ONE]


@pytest.mark.parametrize(
    "content, became, reason",
    [
        (404, "failed", "it cannot be had: it answers HTTP 404"),
        (b"<html>moved</html>", "refused", ""),
        (bag([], b"<trustBundle/>"), "refused", "the bundle holds no certificate"),
        (bytes(MOST_BYTES + 1), "failed", "it cannot be had: it is larger than we take"),
        (signed(ONE)[:-9], "refused", ""),
    ],
    ids=["gone", "html", "empty", "large", "cut"],
)
def test_a_bundle_that_cannot_be_had_or_read_changes_nothing(
    place: Place, content: bytes | int, became: str, reason: str
) -> None:
    place.bundle(signed(ONE, TWO))
    place.refresh()
    place.files["/acc.p7b"] = content
    found = place.refresh()
    assert found.became == became
    assert found.reason.startswith(reason)
    assert set(place.trusted()) == {ONE, TWO}
    bundle = place.database.read(lambda tx: direct_anchors.get_bundle(tx, "acc"))
    assert bundle is not None
    assert bundle.failure == found.reason
    record = place.records()[-1]
    assert record.outcome == became
    assert record.reason == f"the bundle acc: {found.reason}"


def test_an_unknown_bundle_is_said_to_be_one(place: Place) -> None:
    with pytest.raises(UnknownBundle):
        place.refresh()
    for decide in (
        lambda tx: approve(tx, "acc", None, now=NOW),
        lambda tx: approve(tx, "acc", 7, now=NOW),
        lambda tx: reject(tx, "acc", now=NOW),
    ):
        with pytest.raises(UnknownBundle):
            place.database.write(decide)
    assert place.records() == []


async def test_the_job_refreshes_the_bundle(place: Place, either_house: House) -> None:
    """On both databases, as the schedule's job does it."""
    place.files["/acc.p7b"] = signed(ONE)
    bundle = DirectBundle("acc", f"{place.served.base}/acc.p7b")
    house = either_house
    house.database.write(lambda tx: direct_anchors.put_bundle(tx, bundle))
    means = JobMeans(
        house.archive,
        None,  # type: ignore[arg-type] - no partner is asked
        house.community,
        house.plans,
        house.queue,
        fetcher=place.fetcher,
    )
    job = Job(1, REFRESH_BUNDLE, None, {"bundle": "acc"}, 1, datetime.now(UTC))
    await perform(job, means)
    (version,) = house.database.read(lambda tx: direct_anchors.versions(tx, "acc"))
    assert (version.state, version.anchors) == ("current", (ONE,))
    await perform(job, means)
    assert len(house.database.read(lambda tx: direct_anchors.versions(tx, "acc"))) == 1


def test_a_refresh_that_dies_leaves_a_record_of_it(place: Place) -> None:
    """The open record stands before the first byte leaves (DECISIONS 16)."""
    place.bundle(signed(ONE))
    seen: list[int] = []

    def answer(_path: str, _body: bytes) -> bytes:
        seen.append(
            len(
                place.database.read(
                    lambda tx: tx.connection.execute(tables.exchange_open.select()).all()
                )
            )
        )
        return signed(ONE)

    place.served.answer = answer
    refresh_bundle(place.database, place.fetcher, "acc", now=NOW)
    assert seen == [1]
