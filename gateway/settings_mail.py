"""`[mail]`: for which domains we take Direct messages, by which doors, and how much of them."""

import re
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from gateway.settings_mail_out import MailOut

_DOMAIN: Final = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{1,63}")
_LOCAL: Final = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}")
_PLACE: Final = r"^\S+:[0-9]{1,5}$"


def _domain(text: str) -> str:
    lower = text.lower()
    if not _DOMAIN.fullmatch(lower) or len(lower) > 253:
        raise ValueError("not a domain in ASCII (of an international one, the xn-- form)")
    return lower


def _address(text: str) -> str:
    local, _, domain = text.lower().rpartition("@")
    if not _LOCAL.fullmatch(local):
        raise ValueError("not an address")
    return f"{local}@{_domain(domain)}"


Domain = Annotated[str, AfterValidator(_domain)]
Address = Annotated[str, AfterValidator(_address)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MailDomain(_Part):
    """A domain whose mail is a plan's; `plan` may be left out where there is only one.

    A name stands for itself alone: its subdomains are other domains.
    """

    name: Domain
    plan: str | None = None


class Mailbox(_Part):
    """A mailbox at a HISP that we read by IMAP: `server` is `host:port`, always under TLS."""

    server: str = Field(pattern=_PLACE)
    user: str = Field(min_length=1)
    password_file: Path
    """Holds the password alone; a line's end after it does not count."""
    address: Address
    """The address whose mail it is, which IMAP does not tell."""
    folder: str = Field(default="INBOX", min_length=1)
    security: Literal["tls", "starttls"] = "tls"
    certificates: Path | None = None
    """PEM of who vouches for the server; the system's authorities if left out."""
    after: Literal["flag", "delete"] = "flag"
    """What becomes there of a message that is safe here: marked as seen, or deleted."""
    every_seconds: float = Field(default=60.0, ge=1, allow_inf_nan=False)


class MailFolder(_Part):
    """A folder in which `.eml` files appear; each is moved to its folder `done` once it is safe.

    A file counts once it is named so: whoever writes one gives it another name until it is whole.
    """

    path: Path
    address: Address
    """The address whose mail it is."""
    every_seconds: float = Field(default=5.0, ge=0.1, allow_inf_nan=False)


class MailLimits(_Part):
    """How much a peer may send and how long it may take. Sizes in bytes, times in seconds."""

    message_bytes: int = Field(default=32 * 1024 * 1024, ge=64 * 1024)
    recipients: int = Field(default=100, ge=1)
    """RFC 5321: 4.5.3.1.8 wants 100 at least."""
    connections: int = Field(default=64, ge=1)
    connections_per_peer: int = Field(default=16, ge=1)
    """A peer is one address, or one /64 of IPv6."""
    messages_per_minute: int = Field(default=600, ge=1)
    """Of one peer; beyond it hears that we are busy."""
    errors: int = Field(default=20, ge=1)
    """Commands refused on one connection before it is ended."""
    command_seconds: float = Field(default=300.0, gt=0, allow_inf_nan=False)
    """RFC 5321: 4.5.3.2.7 wants five minutes at least."""
    data_seconds: float = Field(default=600.0, gt=0, allow_inf_nan=False)
    """For the whole of a message, however its bytes drip."""


class Mail(_Part):
    """How Direct messages reach us.

    With `mode = "agent"` we are the security agent: messages come sealed, from anybody. With
    `mode = "hisp"` our HISP is: they come open, and only from it, so that it must say who it is.
    """

    domains: tuple[MailDomain, ...] = Field(min_length=1)
    mode: Literal["agent", "hisp"] = "agent"
    listen: str | None = Field(default=None, pattern=_PLACE)
    """Where we take SMTP, `address:port`; with a real address only under STARTTLS."""
    authentication: Literal["off", "offered", "required"] | None = None
    """SASL PLAIN with a token's name and secret; required in mode hisp, else off if left out."""
    hostname: Domain | None = None
    """The name by which we greet; the first domain's if left out."""
    limits: MailLimits = MailLimits()
    imap: tuple[Mailbox, ...] = ()
    folders: tuple[MailFolder, ...] = ()
    out: MailOut = MailOut()

    @field_validator("domains")
    @classmethod
    def _are_distinct(cls, value: tuple[MailDomain, ...]) -> tuple[MailDomain, ...]:
        names = [domain.name for domain in value]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} stands there twice")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.mode == "hisp" and self.authentication not in (None, "required"):
            raise ValueError("in mode hisp messages are not signed: authentication is required")
        known = {domain.name for domain in self.domains}
        named = [*(one.address for one in self.imap), *(one.address for one in self.folders)]
        strange = [one for one in named if one.rpartition("@")[2] not in known]
        if strange:
            raise ValueError(f"{strange[0]} is of none of the domains")
        return self

    @property
    def authenticates(self) -> Literal["off", "offered", "required"]:
        """Whether SMTP clients say who they are."""
        return self.authentication or ("required" if self.mode == "hisp" else "off")

    def belonging_to(self, plans: tuple[str, ...]) -> "Mail":
        """These settings with a plan at every domain.

        Raises:
            ValueError: a domain's plan is unknown, or not stated among several.
        """
        only = plans[0] if len(plans) == 1 else None
        found = []
        for domain in self.domains:
            plan = domain.plan or only
            if plan is None:
                raise ValueError(f"{domain.name}: say whose mail it is with plan")
            if plan not in plans:
                raise ValueError(f"{domain.name}: there is no plan {plan}")
            found.append(domain.model_copy(update={"plan": plan}))
        return self.model_copy(update={"domains": tuple(found)})
