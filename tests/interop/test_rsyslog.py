"""Our audit feed into rsyslog from Debian, over mutual TLS and over UDP, stopped and started."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree

from gateway.app.house import House
from gateway.auditing import audit_feeds
from gateway.exchange.audit_feed import Feed
from gateway.model.exchange import Exchange
from gateway.settings_audit import Audit, AuditRepository
from gateway.store import audit_feed, exchange_log
from tests.gateway.clients.syslog_receiver import schema
from tests.gateway.house import authority, key_files, open_house
from tests.interop.debian import free_port, started, unpacked

SETTINGS = """\
global(workDirectory="{folder}" maxMessageSize="1m"
  defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="{folder}/anchor.pem"
  defaultNetstreamDriverCertFile="{certificate}" defaultNetstreamDriverKeyFile="{key}")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1"
  streamDriver.authMode="x509/name" permittedPeer=["{permitted}"])
input(type="imtcp" port="{port}")
module(load="imudp")
input(type="imudp" address="127.0.0.1" port="{port}")
template(name="whole" type="string" string="%pri% %app-name% %msgid% %structured-data% %msg%\\n")
action(type="omfile" file="{folder}/received" template="whole")
"""
NAME = "state"
SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Rsyslog:
    folder: Path
    port: int

    def up(self) -> AbstractContextManager[None]:
        command = ["/usr/sbin/rsyslogd", "-n", "-f", f"{self.folder}/rsyslog.conf"]
        command += ["-i", f"{self.folder}/pid"]
        root = unpacked("rsyslog", "rsyslog-gnutls")
        return started(root, command, users=(), groups=(), scratch=self.folder, port=self.port)

    def received(self, count: int) -> list[str | None]:
        """What the events say of why, of so many at least; each is of DICOM's schema."""
        deadline = time.monotonic() + SECONDS
        while len(lines := self._lines()) < count and time.monotonic() < deadline:
            time.sleep(0.1)
        found, valid = [], schema()
        for line in lines:
            pri, application, message_id, data, xml = line.split(" ", 4)
            assert (pri, data) == ("85", "-")
            assert (application, message_id) == ("document-exchange-gateway", "IHE+RFC-3881")
            message = etree.fromstring(xml.strip().encode())
            valid.assertValid(message)
            found.append(message.findtext("EventIdentification/EventOutcomeDescription"))
        return found

    def _lines(self) -> list[str]:
        file = self.folder / "received"
        return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def prepared(folder: Path, permitted: str = "localhost") -> Rsyslog:
    folder.mkdir(parents=True)
    (folder / "anchor.pem").write_text(authority().certificate_pem, encoding="ascii")
    certificate, key = key_files("Audit repository")
    port = free_port()
    text = SETTINGS.format(
        folder=folder, certificate=certificate, key=key, port=port, permitted=permitted
    )
    (folder / "rsyslog.conf").write_text(text, encoding="ascii")
    return Rsyslog(folder, port)


@pytest.fixture
def rsyslog(tmp_path: Path) -> Rsyslog:
    return prepared(tmp_path / "rsyslog")


@pytest.fixture
def house(tmp_path: Path, rsyslog: Rsyslog) -> Iterator[House]:
    with open_house(tmp_path / "house", audit=audit(rsyslog)) as found:
        yield found


def audit(rsyslog: Rsyslog, scheme: str = "tls") -> Audit:
    anchors = (rsyslog.folder / "anchor.pem",) if scheme == "tls" else ()
    address = f"{scheme}://localhost:{rsyslog.port}"
    return Audit(repositories=(AuditRepository(name=NAME, address=address, anchors=anchors),))


def feed_of(house: House) -> Feed:
    (found,) = audit_feeds(house.settings, house.database, house.archive.blobs.keys)
    return found


def note(house: House, numbers: range) -> None:
    now = datetime.now(UTC)
    for number in numbers:
        record = Exchange(now, "in", "CLI-MEMBERS", "success", reason=f"no. {number}, Zoë & <co>")
        house.database.write(lambda tx, record=record: exchange_log.append(tx, record))  # type: ignore[misc]


def told(numbers: range) -> list[str]:
    return [f"no. {number}, Zoë & <co>" for number in numbers]


def test_it_takes_every_event_in_order_though_it_is_stopped_and_started(
    house: House, rsyslog: Rsyslog
) -> None:
    feed = feed_of(house)
    with rsyslog.up():
        note(house, range(150))
        assert [feed.feed(), feed.feed(), feed.feed()] == [100, 50, 0]
        assert rsyslog.received(150) == told(range(150))
    note(house, range(150, 160))
    assert feed.feed() == 0
    (state,) = house.database.read(lambda tx: audit_feed.states(tx, now=datetime.now(UTC)))
    assert (state.records_behind, state.trouble) == (10, "Connection refused")
    with rsyslog.up():
        assert feed.feed() == 10
        assert rsyslog.received(160) == told(range(160))


def test_one_that_permits_another_peer_is_not_taken_to_have_received(tmp_path: Path) -> None:
    rsyslog = prepared(tmp_path / "rsyslog", permitted="somebody.else.example")
    with open_house(tmp_path / "house", audit=audit(rsyslog)) as house, rsyslog.up():
        feed = feed_of(house)
        note(house, range(1))
        assert feed.feed() == 0
        (state,) = house.database.read(lambda tx: audit_feed.states(tx, now=datetime.now(UTC)))
    assert state.records_behind == 1
    assert rsyslog.received(0) == []


def test_datagrams_reach_it_as_well(tmp_path: Path, rsyslog: Rsyslog) -> None:
    with open_house(tmp_path / "house", audit=audit(rsyslog, "udp")) as house, rsyslog.up():
        feed = feed_of(house)
        note(house, range(3))
        assert feed.feed() == 3
        assert rsyslog.received(3) == told(range(3))
