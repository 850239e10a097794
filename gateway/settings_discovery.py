"""`[discovery]`: where others' certificates are asked for; `[publish]`: how ours are shown."""

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from direct.discovery import is_name
from gateway.settings_addresses import PrivateTexts, host_and_port

_HOST: Final = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]*[a-z0-9])?")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Discovery(_Part):
    """Whom we ask for certificates of Direct addresses; LDAP servers at public addresses alone.

    `private_addresses` names others, each `address:port`: a directory inside the house.
    """

    name_servers: tuple[str, ...] = ()
    """Each `address:port`; those of the system if there is none."""
    private_addresses: PrivateTexts = ()
    seconds: float = Field(default=5.0, gt=0, le=60, allow_inf_nan=False)
    """How long one name server, or one LDAP server, is waited for."""

    @field_validator("name_servers")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            host, _ = host_and_port(one)
            ip_address(host)
        return value


class Publish(_Part):
    """Our certificates, as DNS and LDAP show them to whoever wants to send to us.

    Nothing listens unless `dns` or `ldap` say where. `gateway direct publish` prints the same for
    servers of yours, which may have other names and ports.
    """

    domains: tuple[str, ...] = Field(min_length=1)
    certificates: tuple[Path, ...] = ()
    """PEM files, if others than those of `gateway direct keys`; published by the addresses and
    domains that they are bound to."""
    dns: str | None = None
    """`address:port` where we answer for the domains, over UDP and TCP."""
    ldap: str | None = None
    """`address:port` where we show the entries to anybody."""
    name_servers: tuple[str, ...] = ()
    """The hosts that the domains are delegated to; their addresses are known elsewhere."""
    ldap_server: str | None = None
    """`host:port` of the LDAP server as others reach it."""
    ttl_seconds: int = Field(default=3600, ge=60, le=604800)

    @field_validator("domains", "name_servers")
    @classmethod
    def _are_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            if not _HOST.fullmatch(one.lower()) or not is_name(one):
                raise ValueError("not a name of DNS")
        return tuple(one.lower() for one in value)

    @field_validator("dns", "ldap")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is not None:
            host, _ = host_and_port(value)
            ip_address(host)
        return value

    @field_validator("ldap_server")
    @classmethod
    def _is_server(cls, value: str | None) -> str | None:
        if value is not None and not _HOST.fullmatch(host_and_port(value)[0]):
            raise ValueError("not of the form host:port")
        return value

    @model_validator(mode="after")
    def _can_be_served(self) -> Self:
        if self.dns is not None and not self.name_servers:
            raise ValueError("dns needs name_servers, for a zone names its own")
        hosts = [*self.name_servers]
        if self.server is not None:
            hosts.append(self.server[0])
        for host in hosts if self.dns is not None else ():
            if any(host == domain or host.endswith(f".{domain}") for domain in self.domains):
                raise ValueError("a server stands inside a domain whose zone has no address of it")
        return self

    @property
    def server(self) -> tuple[str, int] | None:
        """The LDAP server's host and port, as others reach it."""
        return None if self.ldap_server is None else host_and_port(self.ldap_server)
