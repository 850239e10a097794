"""Addresses that settings name, `address:port`, and those of them that need not be public."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated

from pydantic import AfterValidator

Address = IPv4Address | IPv6Address


def host_and_port(text: str) -> tuple[str, int]:
    """The parts of `host:port`, or of `[address]:port`.

    Raises:
        ValueError: it is nothing of the kind.
    """
    host, colon, port = text.rpartition(":")
    if not (host and colon and port.isascii() and port.isdigit() and int(port) < 65536):
        raise ValueError("not of the form address:port")
    return host.strip("[]").lower(), int(port)


def private_address(text: str) -> tuple[Address, int]:
    """The address and the port of a text, however they are written.

    Raises:
        ValueError: nothing can be reached there; the text says why.
    """
    host, port = host_and_port(text)
    try:
        address = ip_address(host)
    except ValueError:
        raise ValueError(f"{text}: the host must be an address, written out") from None
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise ValueError(f"{text}: an address of one interface alone leads nowhere")
    if port == 0:
        raise ValueError(f"{text}: nothing is at port 0")
    return _plain(address), port


def _are_private(value: tuple[str, ...]) -> tuple[str, ...]:
    for one in value:
        private_address(one)
    return value


PrivateTexts = Annotated[tuple[str, ...], AfterValidator(_are_private)]
"""As they stand in settings."""


@dataclass(frozen=True, slots=True)
class PrivateAddresses:
    """Those of ours to which a stranger's name may lead us, each with its port."""

    _allowed: frozenset[tuple[Address, int]] = field(default_factory=frozenset)

    @classmethod
    def of(cls, texts: Iterable[str]) -> "PrivateAddresses":
        """Raises ValueError: one of them means nothing."""
        return cls(frozenset(map(private_address, texts)))

    def allow(self, address: Address, port: int) -> bool:
        return (_plain(address), port) in self._allowed


def _plain(address: Address) -> Address:
    """An IPv4 address that IPv6 carries is the same host."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
