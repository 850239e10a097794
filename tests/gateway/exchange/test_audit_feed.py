"""The audit feed: every record of the log told in order, at least once, whatever happens there."""

import asyncio
import base64
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.app.house import House, log_seal
from gateway.app.serving import work
from gateway.app.working import working
from gateway.auditing import audit_feeds, repository_places
from gateway.exchange.atna_acts import START, STOP
from gateway.exchange.audit_feed import Feed
from gateway.exchange.checkpoints import make_checkpoint, publish
from gateway.model.audit_feed import DeadLetter, FeedState
from gateway.model.exchange import Exchange
from gateway.settings_audit import Audit, AuditRepository, PublishedTo
from gateway.store import audit_feed, exchange_log
from gateway.store.database import open_database
from tests.gateway.clients.syslog_receiver import (
    Manners,
    Receiver,
    free_port,
    read,
    receiving,
)
from tests.gateway.house import MEMBER, PLAN, _folder, authority, open_house, whole_log

NAME = "state"


def audit(port: int, **changes: object) -> Audit:
    anchor = _folder() / "anchor.pem"
    anchor.write_text(authority().certificate_pem, encoding="ascii")
    given = {"name": NAME, "address": f"tls://localhost:{port}", "anchors": (anchor,)}
    repository = AuditRepository.model_validate({**given, **changes})
    return Audit(repositories=(repository,), publish=(PublishedTo(repository=repository.name),))


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def house(tmp_path: Path, port: int) -> Iterator[House]:
    with open_house(tmp_path, audit=audit(port)) as found:
        yield found


def feed_of(house: House) -> Feed:
    (found,) = audit_feeds(house.settings, house.database, house.archive.blobs.keys)
    return found


def note(house: House, *numbers: int, transaction: str = "CLI-MEMBERS", **more: str) -> None:
    """Records that tell themselves apart by their reason."""
    for number in numbers:
        record = Exchange(
            datetime.now(UTC), "in", transaction, "success", reason=f"no. {number}", **more
        )  # type: ignore[arg-type]
        house.database.write(lambda tx, record=record: exchange_log.append(tx, record))  # type: ignore[misc]


def state(house: House, later: float = 0) -> FeedState:
    now = datetime.now(UTC) + timedelta(seconds=later)
    (found,) = house.database.read(lambda tx: audit_feed.states(tx, now=now))
    return found


def dead(house: House) -> tuple[DeadLetter, ...]:
    return house.database.read(lambda tx: audit_feed.dead_letters(tx, NAME))


def told(receiver: Receiver) -> list[str | None]:
    """Why, of each event; but not that a test has opened its house with other settings."""
    found = [read(message).description for message in receiver.messages]
    return [why for why in found if not (why or "").startswith("changed: ")]


def numbers(*found: int) -> list[str | None]:
    return [f"no. {number}" for number in found]


def numbers_of(house: House, *reasons: str) -> list[int]:
    """Which records these are."""
    return [n for n, one in enumerate(whole_log(house), 1) if one.reason in reasons]


def test_a_new_repository_is_told_of_what_comes_and_of_the_whole_log_if_asked(
    tmp_path: Path, port: int
) -> None:
    with open_house(tmp_path) as before:
        note(before, 1)
    with open_house(tmp_path, audit=audit(port), furnished=False) as house:
        feed = feed_of(house)
        note(house, 2)
        with receiving(port) as receiver:
            assert feed.feed() == 1
        assert told(receiver) == numbers(2)
    whole = audit(port, name="other", whole_log=True)
    with open_house(tmp_path, audit=whole, furnished=False) as house:
        feed = feed_of(house)
        with receiving(port) as receiver:
            while feed.feed():
                pass
        assert told(receiver)[-2:] == numbers(1, 2)


def test_what_happens_while_the_repository_is_away_is_told_once_it_is_back(
    house: House, port: int
) -> None:
    feed = feed_of(house)
    with receiving(port) as first:
        note(house, 1)
        assert feed.feed() == 1
    note(house, 2)
    assert feed.feed() == 0
    note(house, 3)
    assert feed.feed() == 0
    behind = state(house, later=60)
    assert (behind.records_behind, behind.attempts) == (2, 2)
    assert behind.seconds_behind >= 60
    assert behind.trouble == "Connection refused"
    with receiving(port) as second:
        assert feed.feed() == 2
    assert told(first) + told(second) == numbers(1, 2, 3)
    assert state(house) == FeedState(NAME, state(house).sequence, 0, 0.0, 0, None, 0)


def test_a_restart_of_ours_goes_on_where_it_stood(tmp_path: Path, port: int) -> None:
    with open_house(tmp_path, audit=audit(port)) as house:
        feed_of(house)
        note(house, 1, 2)
    with open_house(tmp_path, audit=audit(port), furnished=False) as house:
        note(house, 3)
        with receiving(port) as receiver:
            feed_of(house).feed()
    assert told(receiver) == numbers(1, 2, 3)


def test_a_conversation_that_breaks_off_is_had_again_whole(house: House, port: int) -> None:
    feed = feed_of(house)
    note(house, 1, 2, 3)
    with receiving(port, manners=Manners(hang_up_after=1500)) as first:
        assert feed.feed() == 0
    assert first.halves == 1
    assert told(first) == numbers(1)
    with receiving(port) as second:
        assert feed.feed() == 3
    assert told(second) == numbers(1, 2, 3)


def test_a_repository_that_is_not_believed_is_told_nothing_and_nothing_is_lost(
    house: House, port: int
) -> None:
    feed = feed_of(house)
    note(house, 1)
    with receiving(port, issuer="Another network") as impostor:
        assert feed.feed() == 0
    assert impostor.messages == []
    assert "not to be trusted" in (state(house).trouble or "")
    with receiving(port) as receiver:
        assert feed.feed() == 1
    assert told(receiver) == numbers(1)


def test_one_record_that_the_repository_never_takes_is_a_dead_letter_and_the_rest_goes_on(
    house: House, port: int
) -> None:
    feed = feed_of(house)
    note(house, 1, 2, 3)
    with receiving(port, manners=Manners(refuses=b"no. 2")) as receiver:
        rounds = 0
        while state(house).records_behind and (rounds := rounds + 1) < 30:
            feed.feed()
    assert told(receiver)[-1:] == numbers(3)
    assert not state(house).records_behind
    ((letter),) = dead(house)
    assert letter.reason == "the repository does not take it"
    with receiving(port) as mended:
        house.database.write(lambda tx: audit_feed.revive(tx, NAME))
        assert feed.feed() == 1
    assert told(mended) == numbers(2)
    assert dead(house) == ()


def test_a_dead_letter_that_is_not_taken_once_more_stands_in_nobodys_way(
    house: House, port: int
) -> None:
    feed = feed_of(house)
    note(house, 1)
    note(house, 2, transaction="NOBODY-KNOWS")
    with receiving(port, manners=Manners(refuses=b"no. 3")) as receiver:
        assert feed.feed() == 2
        note(house, 3, 4)
        rounds = 0
        while state(house).records_behind and (rounds := rounds + 1) < 30:
            feed.feed()
        assert [letter.sequence for letter in dead(house)] == numbers_of(house, "no. 2", "no. 3")
        house.database.write(lambda tx: audit_feed.revive(tx, NAME))
        note(house, 5)
        rounds = 0
        while state(house).records_behind and (rounds := rounds + 1) < 30:
            feed.feed()
    assert told(receiver)[-1:] == numbers(5)
    assert [letter.sequence for letter in dead(house)] == numbers_of(house, "no. 2", "no. 3")


def test_a_record_that_nobody_can_read_is_a_dead_letter_and_the_rest_goes_on(
    house: House, port: int
) -> None:
    """Somebody has changed what is sealed in it: `audit verify` names it."""
    feed = feed_of(house)
    note(house, 1)
    note(house, 2, 3, plan=PLAN, member=MEMBER.id)
    note(house, 4)
    (place,) = numbers_of(house, "no. 2")
    for statement in (
        "DROP TRIGGER exchange_keeps_updates",
        f"UPDATE exchange SET private = 'AAAA' WHERE sequence = {place}",  # noqa: S608
    ):
        house.database.write(lambda tx, s=statement: tx.connection.execute(text(s)))
    with receiving(port) as receiver:
        for _ in range(2):
            rounds = 0
            while state(house).records_behind and (rounds := rounds + 1) < 30:
                feed.feed()
            assert dead(house) == (DeadLetter(place, "DamagedRecord"),)
            house.database.write(lambda tx: audit_feed.revive(tx, NAME))
            note(house, 5)
    assert told(receiver) == numbers(1, 3, 4, 5)


def test_a_repository_that_takes_nothing_makes_no_dead_letters(house: House, port: int) -> None:
    feed = feed_of(house)
    note(house, 1, 2)
    with receiving(port, manners=Manners(refuses=b"AuditMessage")):
        for _ in range(12):
            assert feed.feed() == 0
    assert dead(house) == ()
    assert state(house).records_behind == 2


def test_a_record_without_an_event_is_a_dead_letter_at_once(house: House, port: int) -> None:
    feed = feed_of(house)
    note(house, 1)
    note(house, 2, transaction="NOBODY-KNOWS")
    note(house, 3)
    with receiving(port) as receiver:
        assert feed.feed() == 3
    assert told(receiver) == numbers(1, 3)
    ((letter),) = dead(house)
    assert letter.reason == "no event is defined for NOBODY-KNOWS"


def test_what_no_datagram_can_carry_is_a_dead_letter(tmp_path: Path) -> None:
    changes = {"address": "udp://127.0.0.1:9", "anchors": ()}
    with open_house(tmp_path, audit=audit(1, **changes)) as house:
        feed = feed_of(house)
        note(house, 1, peer="x" * 70_000)
        feed.feed()
        ((letter),) = dead(house)
    assert "longer than" in letter.reason


def test_words_of_a_peer_that_xml_cannot_hold_are_told_all_the_same(
    house: House, port: int
) -> None:
    feed = feed_of(house)
    note(house, 1, peer="a\x01b\x1b", message_id="<\x01@there>")
    with receiving(port) as receiver:
        assert feed.feed() == 1
    assert "a\N{REPLACEMENT CHARACTER}b" in receiver.messages[0].decode()
    assert dead(house) == ()


def test_another_process_feeds_only_when_the_first_is_dead(house: House, port: int) -> None:
    feed = feed_of(house)
    note(house, 1)
    with receiving(port) as receiver:
        assert feed.feed() == 1
        with closing(open_database(house.settings.database)) as other:
            house.database.write(lambda tx: audit_feed.release(tx, NAME))
            assert other.write(lambda tx: audit_feed.hold(tx, NAME)) is not None
            note(house, 2)
            assert feed.feed() == 0
        assert feed.feed() == 1
    assert told(receiver) == numbers(1, 2)


async def test_a_start_and_a_stop_are_told_though_the_stop_ends_the_telling(
    house: House, port: int
) -> None:
    feed = feed_of(house)  # told of what comes from here on
    house.database.write(lambda tx: audit_feed.release(tx, NAME))
    with receiving(port) as receiver:
        running = asyncio.create_task(work(house))
        while signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:  # who is not ready would die
            await asyncio.sleep(0.02)
            assert not running.done()
        await asyncio.to_thread(receiver.wait_for, 1)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(running, 30)
        house.database.write(lambda tx: audit_feed.release(tx, NAME))
        while feed.feed():
            pass
        said = [read(message).codes for message in receiver.messages]
    # At least once: what was cut off before it was confirmed is told again.
    assert list(dict.fromkeys(one for one in said if one[0] == "110100")) == [
        ("110100", "110120"),
        ("110100", "110121"),
    ]
    own = [one for one in whole_log(house) if one.transaction in (START, STOP)]
    assert [one.transaction for one in own] == [START, STOP]
    for one in own:
        assert (one.outcome, one.peer) == ("success", f"process {os.getpid()}")
        assert one.reason is not None and one.reason.endswith(": it works")


def test_a_slow_repository_delays_nobody_else(house: House, port: int) -> None:
    reads = threading.Event()

    async def meanwhile() -> list[str | None]:
        with receiving(port, manners=Manners(reads_once=reads)) as receiver:
            async with working(house):
                while not receiver.peers:
                    note(house, 0)
                    await asyncio.sleep(0.05)
                # The repository has the connection and reads nothing: the house goes on.
                for number in range(1, 51):
                    await house.database.write_async(
                        lambda tx, number=number: exchange_log.append(  # type: ignore[misc]
                            tx,
                            Exchange(
                                datetime.now(UTC), "in", "FILE", "success", reason=f"no. {number}"
                            ),
                        )
                    )
                assert receiver.messages == []
                reads.set()
                await asyncio.to_thread(receiver.wait_for, 51)
                while "no. 50" not in told(receiver):
                    await asyncio.sleep(0.05)
            return told(receiver)

    wanted = numbers(*range(1, 51))
    assert [text for text in asyncio.run(meanwhile()) if text in wanted] == wanted


def test_a_checkpoint_reaches_the_repository_as_it_was_signed(house: House, port: int) -> None:
    note(house, 1)
    made = house.database.write(
        lambda tx: make_checkpoint(tx, log_seal(house.settings), now=datetime.now(UTC))
    )
    places = dict(repository_places(house.settings, house.database))
    assert publish(house.database, places) == 1  # it is away
    with receiving(port) as receiver:
        assert publish(house.database, places) == 0
        assert publish(house.database, places) == 0
    assert made is not None
    (message,) = receiver.messages
    detail = read(message).xml.find("ParticipantObjectIdentification/ParticipantObjectDetail")
    assert detail is not None
    assert base64.b64decode(detail.get("value") or "").decode() == made.note
