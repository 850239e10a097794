"""`[audit]`: how the exchange log is sealed and published, and who is told of it."""

import re
from pathlib import Path
from typing import Final, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from gateway.settings_mail_out import Smarthost

KEY_NAME: Final = "checkpoint-key"
_FEWEST_YEARS: Final = 6
"""45 CFR 164.316(b)(2)(i), and what an accounting of disclosures reaches back (164.528)."""
_MOST_YEARS: Final = 100
_ADDRESS: Final = re.compile(
    r"(?:tls|udp)://(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})"
)
_MAILBOX: Final = r"^[^@\s]{1,64}@[A-Za-z0-9.-]{1,253}$"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AuditRepository(_Part):
    """An ATNA audit record repository, which is told of every record (ITI-20).

    Over TLS it is trusted by `anchors`, or as one of `certificates`, and sees the certificate that
    `certificate` and `key` name, else the one of `[tls]`. UDP is in the clear.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")
    address: str
    """`tls://host:port` (RFC 5425), or `udp://host:port` (RFC 5426)."""
    anchors: tuple[Path, ...] = ()
    certificates: tuple[Path, ...] = ()
    certificate: Path | None = None
    key: Path | None = None
    whole_log: bool = False
    """Begin with the first record there is, rather than with what comes from now on."""

    @field_validator("address")
    @classmethod
    def _is_address(cls, value: str) -> str:
        found = _ADDRESS.fullmatch(value)
        if found is None or not 0 < int(found["port"]) < 65536:
            raise ValueError("not of the form tls://host:port or udp://host:port")
        return value

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        trusted = bool(self.anchors or self.certificates)
        if self.is_tls != trusted:
            raise ValueError("anchors or certificates are for tls, which must have some")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")
        if not self.is_tls and self.certificate is not None:
            raise ValueError("a certificate is for tls alone")
        return self

    @property
    def is_tls(self) -> bool:
        return self.address.startswith("tls:")

    @property
    def host_and_port(self) -> tuple[str, int]:
        found = _ADDRESS.fullmatch(self.address)
        if found is None:
            raise ValueError("no address")  # it was checked when it was made
        return found["host"].strip("[]"), int(found["port"])


class PublishedTo(_Part):
    """A place outside for checkpoints, which whoever runs the database cannot change: a folder, one
    of the audit repositories, or the mailbox of an auditor, to whom the newest goes by `smarthost`
    once in `every_hours`."""

    folder: Path | None = None
    repository: str | None = None
    mail: str | None = Field(default=None, pattern=_MAILBOX)
    sender: str | None = Field(default=None, pattern=_MAILBOX)
    smarthost: Smarthost | None = None
    every_hours: float = Field(default=24.0, gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if [self.folder, self.repository, self.mail].count(None) != 2:
            raise ValueError("either a folder, a repository, or mail")
        if (self.mail is None) != (self.sender is None) or (self.mail is None) != (
            self.smarthost is None
        ):
            raise ValueError("mail needs a sender and a smarthost, and nothing else takes them")
        return self


class Retention(_Part):
    """For how many years the log of one plan is kept, or of every plan of a line of business."""

    plan: str | None = None
    line_of_business: str | None = None
    years: int = Field(ge=_FEWEST_YEARS, le=_MOST_YEARS)

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.plan is None) == (self.line_of_business is None):
            raise ValueError("either a plan or a line_of_business")
        return self


class Usual(_Part):
    """What access to members is usual; `gateway exchanges unusual` shows what is not."""

    days: int = Field(default=90, ge=1, le=3660)
    """How far back somebody is remembered."""
    members_per_day: int = Field(default=50, ge=1)
    """So many different members in a day are never unusual."""
    times: float = Field(default=3.0, ge=1, allow_inf_nan=False)
    """Beyond that: more than so many times what he otherwise looks at in a day."""
    opens: int = Field(default=6, ge=0, le=24)
    closes: int = Field(default=22, ge=0, le=24)
    """The hours between which people work, in `zone`."""
    zone: str = "UTC"

    @field_validator("zone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        try:
            return value if value == "UTC" else ZoneInfo(value).key
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("no time zone of this system, as America/Chicago") from None


class Audit(_Part):
    """A checkpoint is made once so many records have come, or so much time has gone by."""

    checkpoint_key: Path | None = None
    """An Ed25519 key, made if it is not there; beside the key-encryption key if none is named."""
    every_records: int = Field(default=1000, ge=1)
    every_seconds: float = Field(default=60.0, ge=1, allow_inf_nan=False)
    publish: tuple[PublishedTo, ...] = ()
    repositories: tuple[AuditRepository, ...] = ()
    usual: Usual = Usual()
    retention_years: int = Field(default=10, ge=_FEWEST_YEARS, le=_MOST_YEARS)
    """Of plans that `retention` says nothing of (DECISIONS 19)."""
    retention: tuple[Retention, ...] = ()

    def years_of(self, plan: str | None, line_of_business: str | None) -> int:
        """How long that plan's log is kept: what is said of it, else of its line of business.

        None for what belongs to no plan: as long as the longest.
        """
        if plan is None:
            return max((self.retention_years, *(one.years for one in self.retention)))
        by_plan = (one.years for one in self.retention if one.plan == plan)
        by_line = (
            one.years
            for one in self.retention
            if one.line_of_business is not None and one.line_of_business == line_of_business
        )
        return next(by_plan, next(by_line, self.retention_years))

    @model_validator(mode="after")
    def _fits(self) -> Self:
        names = [repository.name for repository in self.repositories]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"repositories: {', '.join(twice)} stands there twice")
        for place in self.publish:
            if place.repository is not None and place.repository not in names:
                raise ValueError(f"publish: there is no repository {place.repository}")
        return self
