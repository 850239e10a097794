"""`[mail.out]`: how Direct messages leave, how long we wait for notices, and what goes by rule."""

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from gateway.settings_addresses import PrivateTexts

Domain = Annotated[str, StringConstraints(to_lower=True, pattern=r"^[A-Za-z0-9.-]{1,253}$")]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
KeyTransport = Literal["rsa-oaep", "rsa-pkcs1v15"]
Package = Literal["attachments", "xdm"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Smarthost(_Part):
    """A server that takes our mail and sends it on: a HISP's, or a relay of ours. Always under
    TLS, and verified."""

    server: str = Field(pattern=r"^\S+:[0-9]{1,5}$")
    security: Literal["starttls", "tls"] = "starttls"
    certificates: Path | None = None
    """PEM of who vouches for it; the system's authorities if left out."""
    user: str | None = None
    password_file: Path | None = None

    @property
    def host(self) -> str:
        return self.server.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.server.rpartition(":")[2])


class Route(_Part):
    """How one domain is written to, where that differs."""

    domain: Domain
    smarthost: Smarthost | None = None
    tls: Literal["opportunistic", "required"] = "opportunistic"
    """Whether its own servers must show a certificate that we can verify."""
    key_transport: KeyTransport = "rsa-oaep"
    """`rsa-pkcs1v15` for an agent that cannot read OAEP. Never learned, only stated here."""
    oaep_digest: Literal["sha1", "sha256", "sha384", "sha512"] = "sha1"
    cipher: Literal[
        "aes128-cbc", "aes192-cbc", "aes256-cbc", "aes128-gcm", "aes192-gcm", "aes256-gcm"
    ] = "aes256-cbc"
    package: Package = "attachments"
    """`xdm` for a receiver that wants documents in a zip with their metadata (ITI-32)."""
    context: bool = True
    """Whether a message about a member says whom it is about in a `metadata.txt` (Context IG)."""


ANY: Final = Route(domain="any")
"""How a domain is written to of which nothing is stated."""


class Forward(_Part):
    """Each new state of a member's summary is sent to an address."""

    name: Words
    plan: str
    to: str = Field(pattern=r"^[^@\s]{1,64}@[A-Za-z0-9.-]{1,253}$")
    sender: str = Field(pattern=r"^[^@\s]{1,64}@[A-Za-z0-9.-]{1,253}$")
    members: tuple[Words, ...] = Field(min_length=1)
    """The plan's own numbers."""
    purpose: Words
    requester: Words
    authority: Words | None = None
    package: Package | None = None
    """How the summary is packed; as the domain's route says if left out."""
    every_seconds: int = Field(default=60, ge=5)


class MailOut(_Part):
    """Out by MX unless there is a smarthost. Times in minutes."""

    hostname: Domain | None = None
    """How we greet; the first of our domains if left out."""
    smarthost: Smarthost | None = None
    routes: tuple[Route, ...] = ()
    private_addresses: PrivateTexts = ()
    """Mail servers at addresses that are not public, each `address:port`."""
    processed_minutes: float = Field(default=60, gt=0, allow_inf_nan=False)
    dispatched_minutes: float = Field(default=24 * 60, gt=0, allow_inf_nan=False)
    sends_dispatched: bool = False
    """In mode hisp: whether the notice of final delivery is ours to send."""
    forward: tuple[Forward, ...] = ()

    @field_validator("routes")
    @classmethod
    def _are_distinct(cls, value: tuple[Route, ...]) -> tuple[Route, ...]:
        names = [one.domain for one in value]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{', '.join(twice)} stands there twice")
        return value

    def route(self, domain: str) -> Route:
        """What is stated of the domain, or what holds for any."""
        return next((one for one in self.routes if one.domain == domain.lower()), ANY)
