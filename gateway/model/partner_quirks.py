"""What is known of communities' ways before the first word with them (partner_quirks.toml)."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Final

from gateway.model.partner import Endpoints
from ihe.identifiers import HomeCommunityId

_HARMLESS: Final = frozenset(
    {"documents_per_retrieve", "query_window_days", "other_home_accepted", "document_uuid_urn",
     "repository_id_urn", "pause_seconds", "asynchronous", "timeout_seconds", "members_at_once",
     "deferred_discovery"}
)  # fmt: skip
"""What of a profile may come from the file: nothing here weakens security (DECISIONS 5)."""


@dataclass(frozen=True, slots=True)
class Quirk:
    """One community's or product's way: what its profile should say, or advice for a person."""

    who: str
    oids: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    profile: dict[str, Any] = field(default_factory=dict)
    advice: str | None = None

    def __post_init__(self) -> None:
        if foreign := self.profile.keys() - _HARMLESS:
            raise ValueError(f"a quirk may not set {', '.join(sorted(foreign))}")

    def concerns(self, name: str, home: HomeCommunityId, endpoints: Endpoints) -> bool:
        """Whether that community is meant."""
        addresses = [one for one in (endpoints.iti55, endpoints.iti38, endpoints.iti39) if one]
        under = any(f"{home}.".startswith(f"{oid}.") for oid in self.oids)
        at = any(one.lower().startswith(url) for one in addresses for url in self.urls)
        return under or at or any(part in name.lower() for part in self.names)


def quirks_of(name: str, home: HomeCommunityId, endpoints: Endpoints) -> Iterator[Quirk]:
    """The known quirks of that community, in the order of the file."""
    return (one for one in known_quirks() if one.concerns(name, home, endpoints))


@cache
def known_quirks() -> tuple[Quirk, ...]:
    """All of the file."""
    text = files("gateway.model").joinpath("partner_quirks.toml").read_text("utf-8")
    return tuple(_quirk(given) for given in tomllib.loads(text)["quirks"])


def _quirk(given: dict[str, Any]) -> Quirk:
    lists = {key: tuple(given.get(key, ())) for key in ("oids", "urls", "names")}
    return Quirk(
        given["who"], **lists, profile=given.get("profile", {}), advice=given.get("advice")
    )
