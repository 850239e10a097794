"""A database with anchors, and authorities and bundles that answer over HTTP on loopback."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509

from gateway.clients.fetch import Fetcher
from gateway.clients.revocation import RevocationChecks
from gateway.exchange.direct_bundles import Refreshed, refresh_bundle
from gateway.exchange.direct_trust import DirectTrust
from gateway.model.direct_anchors import BundleVersion, DirectAnchor, DirectBundle, Reach
from gateway.model.exchange import Exchange, ExchangeFilter
from gateway.settings_addresses import PrivateAddresses
from gateway.store import direct_anchors, exchange_log
from gateway.store.database import Database, open_database
from gateway.store.migrations import upgrade
from gateway.store.scope import ALL_PLANS
from tests.direct_certificates import MailAuthority
from tests.issuers import Answering, answering

NOW = datetime.now(UTC).replace(microsecond=0)


@dataclass
class Place:
    """`files` lie on the web beside what the authorities answer; `now` is everybody's clock."""

    served: Answering
    database: Database
    fetcher: Fetcher
    root: MailAuthority
    issuing: MailAuthority
    now: datetime = NOW
    files: dict[str, bytes | int | tuple[int, dict[str, str]]] = field(default_factory=dict)
    known: dict[int, x509.Certificate] = field(default_factory=dict)

    @property
    def trust(self) -> DirectTrust:
        checks = RevocationChecks(self.fetcher, clock=lambda: self.now)
        return DirectTrust(self.database, checks, clock=lambda: self.now)

    def answer(self, path: str, body: bytes) -> bytes | int | tuple[int, dict[str, str]]:
        if path in self.files:
            return self.files[path]
        _, _, name, what = path.split("/", 3) if path.count("/") > 2 else ("", "", "", "")
        authority = {"root": self.root, "issuing": self.issuing}.get(name)
        if authority is None:
            return 404
        return authority.answer(f"/{what}", body, self.known)

    def anchor(self, *certificates: x509.Certificate, reach: Reach = Reach()) -> None:  # noqa: B008
        def unit(tx: Any) -> None:
            for one in certificates:
                direct_anchors.put_anchor(tx, DirectAnchor(one, reach), now=self.now)

        self.database.write(unit)

    # ---- bundles -----------------------------------------------------------------------------

    def bundle(self, content: bytes, **more: Any) -> DirectBundle:
        """The bundle `acc` with this content."""
        self.files["/acc.p7b"] = content
        made = DirectBundle("acc", f"{self.served.base}/acc.p7b", **more)
        self.database.write(lambda tx: direct_anchors.put_bundle(tx, made))
        return made

    def refresh(self) -> Refreshed:
        return refresh_bundle(self.database, self.fetcher, "acc", now=self.now)

    def versions(self) -> tuple[BundleVersion, ...]:
        return self.database.read(lambda tx: direct_anchors.versions(tx, "acc"))

    def trusted(self) -> Sequence[x509.Certificate]:
        return [
            one.certificate
            for one in self.database.read(
                lambda tx: direct_anchors.trusted(tx, domain="plan.example", direction="incoming")
            )
        ]

    def records(self) -> list[Exchange]:
        """What the log holds, the oldest first."""
        found = self.database.read(
            lambda tx: exchange_log.search(tx, plan=ALL_PLANS, wanted=ExchangeFilter(), limit=100)
        )
        return [one.exchange for one in sorted(found, key=lambda each: each.sequence)]


@contextmanager
def a_place(folder: Path) -> Iterator[Place]:
    """The place, open while the block runs."""
    url = f"sqlite:///{folder / 'gateway.sqlite'}"
    upgrade(url)
    database = open_database(url)
    try:
        with answering() as served:
            root = MailAuthority("Root", NOW, f"{served.base}/ca/root")
            issuing = MailAuthority("Issuing", NOW, f"{served.base}/ca/issuing", above=root)
            fetcher = Fetcher(PrivateAddresses.of([served.address]), seconds=5)
            place = Place(served, database, fetcher, root, issuing)
            served.answer = place.answer
            yield place
    finally:
        database.close()
