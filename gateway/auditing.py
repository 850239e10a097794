"""Puts together what tells audit repositories of the log, and what they are told."""

import os
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from gateway.clients.audit_client import AuditSender, TlsSender, UdpSender
from gateway.clients.checkpoint_mail import CheckpointMail
from gateway.clients.tls import outgoing_context
from gateway.exchange.atna import Reporter
from gateway.exchange.audit_feed import Feed, FeedMeans, checkpoint_message
from gateway.exchange.checkpoints import Bring, Seldom
from gateway.exchange.direct_opening import smarthost_server
from gateway.model.audit_feed import FeedState
from gateway.model.community import Community
from gateway.model.later import DEFERRAL
from gateway.settings import InvalidSettings, KeyPair, Settings
from gateway.settings_audit import AuditRepository, PublishedTo
from gateway.store import audit_feed
from gateway.store.database import Database
from gateway.store.keys import KeyRing
from gateway.store.own_keys import OwnKeys


def audit_feeds(settings: Settings, database: Database, keys: KeyRing) -> tuple[Feed, ...]:
    """A feed for each repository; the cursor of one that is new stands from now on.

    Raises:
        InvalidSettings: one has no certificate of ours to see.
    """
    reporter = reporter_of(settings)
    found = []
    for stated in settings.audit.repositories:
        sender = _sender(settings, database, stated)
        begin = partial(audit_feed.begin, repository=stated.name, whole_log=stated.whole_log)
        database.write(begin)
        found.append(Feed(FeedMeans(database, keys, reporter), stated.name, sender))
    return tuple(found)


_DOORS: Final = {
    "ITI-55": "xcpd",
    DEFERRAL: "xcpd",
    "ITI-56": "xcpd",
    "ITI-38": "xca",
    "ITI-39": "xca",
    "ITI-41": "xdr",
    "ITI-80": "xdr",
}


def repository_places(settings: Settings, database: Database) -> Iterator[tuple[str, Bring]]:
    """The repositories to which checkpoints are published, as places."""
    reporter = reporter_of(settings)
    known = {stated.name: stated for stated in settings.audit.repositories}
    for place in settings.audit.publish:
        if place.repository is not None:
            # Its own sender: the feed's is in another thread's hands.
            sender = _sender(settings, database, known[place.repository])
            yield f"repository {place.repository}", partial(_bring, sender, reporter)


def mail_places(settings: Settings) -> tuple[Seldom, ...]:
    """The auditors' mailboxes to which checkpoints go.

    Raises:
        InvalidSettings: a file of a smarthost cannot be read.
    """
    return tuple(
        Seldom(f"mail to {place.mail}", _mail(place).bring, timedelta(hours=place.every_hours))
        for place in settings.audit.publish
        if place.mail is not None
    )


def _mail(place: PublishedTo) -> CheckpointMail:
    if place.mail is None or place.sender is None or place.smarthost is None:
        raise InvalidSettings("[[audit.publish]] mail needs a sender and a smarthost")
    return CheckpointMail(place.mail, place.sender, smarthost_server(place.smarthost))


def feed_lag(database: Database) -> list[dict[str, object]]:
    """How far behind each repository is, as JSON."""
    states = database.read(partial(audit_feed.states, now=datetime.now(UTC)))
    return [lag_form(state) for state in states]


def lag_form(state: FeedState) -> dict[str, object]:
    """One repository's state, as JSON."""
    return {
        "repository": state.repository,
        "records_behind": state.records_behind,
        "seconds_behind": round(state.seconds_behind, 3),
        "attempts": state.attempts,
        "trouble": state.trouble,
        "dead_letters": state.dead_letters,
    }


def _bring(sender: AuditSender, reporter: Reporter, _size: int, note: str) -> None:
    sender.send([checkpoint_message(note, reporter, now=datetime.now(UTC))])


def reporter_of(settings: Settings) -> Reporter:
    """Who speaks to audit repositories: our community, this host and process, and our doors."""
    base = settings.listen.public or f"https://{settings.listen.partners}"
    doors = {transaction: f"{base}/ihe/{door}" for transaction, door in _DOORS.items()}
    community = Community(settings.community, settings.organization)
    return Reporter(community, socket.gethostname(), str(os.getpid()), doors)


def _sender(settings: Settings, database: Database, stated: AuditRepository) -> AuditSender:
    host, port = stated.host_and_port
    if not stated.is_tls:
        return UdpSender(host, port)
    keys = None if settings.tls is None else OwnKeys("tls", settings.tls, database)
    if stated.certificate is not None and stated.key is not None:
        own = KeyPair(certificate=stated.certificate, key=stated.key)
        return TlsSender(host, port, lambda: _context(stated, own))
    if keys is None:
        raise InvalidSettings(f"[[audit.repositories]] {stated.name} needs a certificate of ours")
    return TlsSender(host, port, lambda: _context(stated, keys.current()))


def _context(stated: AuditRepository, own: KeyPair) -> ssl.SSLContext:
    return outgoing_context(
        certificate=own.certificate,
        key=own.key,
        anchors=[_text(path) for path in stated.anchors],
        pinned=[_text(path) for path in stated.certificates],
    )


def _text(path: Path) -> str:
    return path.read_text(encoding="ascii")
