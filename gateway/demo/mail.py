"""Direct mail in the demo: two security agents, each with its own domain, keys and name server.

The plan and the HISP find each other's certificates in DNS, judge them by the demo's own
authority, and hand sealed mail over under verified STARTTLS.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509

from direct.trust import Strictness
from gateway.app.house import House
from gateway.demo.parties import DIRECT_DOMAINS
from gateway.model.direct_anchors import DirectAnchor
from gateway.store import direct_anchors, direct_keys
from gateway.store.direct_keys import read_key_pair

_NAME_SERVER: Final = "ns.demo-network.example"


@dataclass(frozen=True, slots=True)
class Post:
    """Ports of loopback at which a community takes mail and answers DNS."""

    smtp: int
    dns: int


def mail_settings(folder: Path, key: str, posts: Mapping[str, Post]) -> str:
    """What the settings of one of the two say of mail; `posts` are both."""
    domain, post = DIRECT_DOMAINS[key], posts[key]
    (other,) = (one for one in DIRECT_DOMAINS if one != key)
    return f"""
[mail]
domains = [{{name = "{domain}"}}]
listen = "127.0.0.1:{post.smtp}"

[[mail.out.routes]]
domain = "{DIRECT_DOMAINS[other]}"
smarthost = {{server = "127.0.0.1:{posts[other].smtp}", certificates = "{folder / "ca.pem"}"}}

[discovery]
name_servers = ["127.0.0.1:{posts[other].dns}"]

[publish]
domains = ["{domain}"]
dns = "127.0.0.1:{post.dns}"
name_servers = ["{_NAME_SERVER}"]
"""


def seed_mail(house: House, folder: Path, key: str) -> None:
    """Its own key, and the demo's authority as the anchor of both directions.

    The throwaway certificates name no revocation list; the anchor says that this is known.
    """
    now = datetime.now(UTC)
    pair = [(folder / key / f"direct.{ending}").read_bytes() for ending in ("key", "pem")]
    private, certificate, _ = read_key_pair(b"".join(pair))
    sealed = direct_keys.seal_key(
        house.archive.blobs.keys,
        plan=house.plans[0].id,
        owner=DIRECT_DOMAINS[key],
        key=private,
        certificates=[certificate],
        now=now,
        since=now,
    )
    authority = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    anchor = DirectAnchor(authority, strictness=Strictness(no_source="accept"))
    house.database.write(lambda tx: direct_keys.put(tx, sealed))
    house.database.write(lambda tx: direct_anchors.put_anchor(tx, anchor, now=now))
