"""The folder of a simulated partner: throwaway keys, and the file by which a gateway knows it."""

import csv
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from gateway.clients.tls import outgoing_context, partner_listener_context
from gateway.demo.certificates import create_authority, issue
from gateway.demo.simulator.answering import Responder
from gateway.demo.simulator.deferred_moods import DEFERRED
from gateway.demo.simulator.holdings import holdings
from gateway.demo.simulator.locating_moods import LOCATING
from gateway.demo.simulator.mood import Mood
from ihe.identifiers import HomeCommunityId
from ihe.trust import SigningKey
from ihe.xcpd import Demographics

PARTNER_FILE = "partner.toml"


_DEFERS: Final = "deferred_discovery = true\nanswer_within_seconds = 3\n"
_LOCATES: Final = "health_data_locator = true\n"


@dataclass(frozen=True, slots=True)
class Made:
    """A partner ready to listen."""

    responder: Responder
    context: ssl.SSLContext
    client: ssl.SSLContext
    """With which it connects to the gateways that it lets in."""


def lay_out(
    folder: Path,
    *,
    name: str,
    home: HomeCommunityId,
    moods: tuple[Mood, ...],
    callers: Sequence[str],
) -> Made:
    """Makes keys and certificates in `folder`; `callers` are PEM texts of whom it lets in."""
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    authority = create_authority(f"{name} CA", now=now)
    signing = issue(authority, name, now=now)
    is_expired = any(mood.expired for mood in moods)
    tls = issue(authority, name, now=now - timedelta(days=3)) if is_expired else signing
    signing.save(folder, "signing")
    certificate, key = tls.save(folder, "tls")
    context = partner_listener_context(certificate=certificate, key=key, anchors=(), pinned=callers)
    client = outgoing_context(certificate=certificate, key=key, anchors=(), pinned=callers)
    signing_key = SigningKey(signing.key, signing.certificate)
    return Made(Responder(holdings(home), signing_key, moods), context, client)


def write_partner_file(
    folder: Path, *, name: str, home: HomeCommunityId, port: int, moods: tuple[Mood, ...] = ()
) -> Path:
    """For `gateway partners add`; its profile has it asked what its moods show in: of a partner
    that defers, an answer is waited for a few seconds."""
    profile = _DEFERS if any(one.name in DEFERRED for one in moods) else ""
    profile += _LOCATES if any(one.name in LOCATING for one in moods) else ""
    if profile:
        profile = f"\n[profile]\n{profile}"
    base = f"https://localhost:{port}/ihe"
    file = folder / PARTNER_FILE
    file.write_text(
        f"""\
name = "{name}"
home_community_id = "{home}"
tls_certificates = ["tls.pem"]
signing_certificates = ["signing.pem"]

[endpoints]
iti55 = "{base}/xcpd"
iti38 = "{base}/xca"
iti39 = "{base}/xca"
{profile}""",
        encoding="utf-8",
    )
    return file


def write_roster(folder: Path, person: Demographics, *, plan: str) -> Path:
    """For `gateway members import`: whom the partner knows, as a member of the plan."""
    name, address = person.names[0], person.addresses[0]
    given = {
        "plan": plan,
        "member_id": "SIM-1",
        "family": name.family,
        "given": name.given[0],
        "birth_date": person.birth_time and person.birth_time.iso,
        "gender": person.gender,
        "address": " ".join(address.lines),
        "city": address.city,
        "state": address.state,
        "zip": address.postal_code,
        "phone": person.telecoms[0].value,
    }
    file = folder / "roster.csv"
    with file.open("w", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerows((given.keys(), given.values()))
    return file
