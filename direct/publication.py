"""Our own certificates as others look for them: CERT records, and LDAP entries with mail
attributes (Direct AS 1.3: 5; RFC 4398; RFC 2849).

What is published is what the certificate is bound to: the addresses and domains of its
subjectAltName, as far as they are ours.
"""

import base64
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from direct.discovery import InvalidAddress, is_name, split_address
from direct.ldap import Entry

_CERTIFICATE: Final = "userCertificate;binary"
_UNSAFE: Final = frozenset('"();\\@$.')


class NothingToPublish(ValueError):
    """The certificate is bound to no address and no domain of ours."""


@dataclass(frozen=True, slots=True)
class Listing:
    """An address, or a domain, and the certificates (DER) that are bound to it."""

    name: str
    domain: str
    certificates: tuple[bytes, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The name of its CERT records: of an address, the local part stands before the domain."""
        return tuple(self.name.replace("@", ".").split("."))

    @property
    def is_in_dns(self) -> bool:
        """Whether DNS can have the name; LDAP has any."""
        return is_name(".".join(self.labels))


def listings(
    certificates: Iterable[x509.Certificate], domains: Iterable[str]
) -> tuple[Listing, ...]:
    """Everything that the certificates are bound to below these domains, in order of names.

    Raises:
        NothingToPublish: one of the certificates is bound to nothing of it.
    """
    own = {domain.lower() for domain in domains}
    found: dict[tuple[str, str], list[bytes]] = {}
    for certificate in certificates:
        names = list(_bound_names(certificate, own))
        if not names:
            raise NothingToPublish("a certificate is bound to none of our addresses and domains")
        for name in names:
            found.setdefault(name, []).append(certificate.public_bytes(Encoding.DER))
    return tuple(
        Listing(name, domain, tuple(dict.fromkeys(ders)))
        for (domain, name), ders in sorted(found.items())
    )


def _bound_names(certificate: x509.Certificate, own: set[str]) -> Iterator[tuple[str, str]]:
    """Each (domain, address or domain) that it is bound to; a wildcard binds nothing."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
    for domain in names.get_values_for_type(x509.DNSName):
        if domain.lower() in own:
            yield domain.lower(), domain.lower()
    for address in names.get_values_for_type(x509.RFC822Name):
        try:
            local, domain = split_address(address)
        except InvalidAddress:
            continue
        if domain in own:
            yield domain, f"{local.lower()}@{domain}"


# ---- DNS -------------------------------------------------------------------------------------


def zone_lines(
    found: Sequence[Listing], *, ttl_seconds: int, server: tuple[str, int] | None = None
) -> str:
    """Lines for the zones of our domains (RFC 1035: 5.1), with whole names.

    `server` is the host and port of an LDAP server that has our entries.
    """
    lines: list[str] = []
    for domain in dict.fromkeys(one.domain for one in found):
        if server is not None:
            host, port = server
            lines.append(f"_ldap._tcp.{domain}. {ttl_seconds} IN SRV 0 0 {port} {host}.")
    for one in found:
        if not one.is_in_dns:
            continue
        owner = ".".join(_escaped(label) for label in one.labels)
        for der in one.certificates:
            # RFC 4398: 2: algorithm 0 is one that DNSSEC does not know, and has key tag 0.
            text = "\n    ".join(textwrap.wrap(base64.b64encode(der).decode("ascii"), 76))
            lines.append(f"{owner}. {ttl_seconds} IN CERT PKIX 0 0 (\n    {text} )")
    return "".join(f"{line}\n" for line in lines)


def _escaped(label: str) -> str:
    return "".join(f"\\{letter}" if letter in _UNSAFE else letter for letter in label)


# ---- LDAP ------------------------------------------------------------------------------------


def context_of(domain: str) -> str:
    """The name of the domain's own entry, under which the others stand (RFC 2247)."""
    return ",".join(f"dc={label}" for label in domain.split("."))


def entries(found: Sequence[Listing]) -> tuple[Entry, ...]:
    """The domains' own entries, and one for each address and domain with certificates.

    inetOrgPerson (RFC 2798) wants a common name and a surname; the address is both, for a
    directory of certificates knows no other.
    """
    domains = dict.fromkeys(one.domain for one in found)
    return (*map(_domain_entry, domains), *map(_entry, found))


def _domain_entry(domain: str) -> Entry:
    first = domain.partition(".")[0]
    return Entry(
        context_of(domain),
        (
            ("objectClass", (b"top", b"dcObject", b"organization")),
            ("dc", (first.encode(),)),
            ("o", (domain.encode(),)),
        ),
    )


def _entry(one: Listing) -> Entry:
    name = one.name.encode()
    return Entry(
        f"mail={_dn_escaped(one.name)},{context_of(one.domain)}",
        (
            ("objectClass", (b"top", b"person", b"organizationalPerson", b"inetOrgPerson")),
            ("cn", (name,)),
            ("sn", (name,)),
            ("mail", (name,)),
            (_CERTIFICATE, one.certificates),
        ),
    )


def _dn_escaped(value: str) -> str:
    """RFC 4514: 2.4."""
    escaped = "".join(f"\\{letter}" if letter in ',+"\\<>;=' else letter for letter in value)
    return f"\\{escaped}" if escaped.startswith("#") else escaped


def ldif(found: Sequence[Entry]) -> str:
    """The entries as LDIF, for a directory of yours (RFC 2849).

    The line with the version is left out: slapadd takes it for an entry.
    """
    blocks = []
    for entry in found:
        lines = [f"dn: {entry.name}"]
        for name, values in entry.attributes:
            is_binary = name == _CERTIFICATE
            for value in values:
                text = base64.b64encode(value).decode("ascii") if is_binary else value.decode()
                lines.append(f"{name}{'::' if is_binary else ':'} {text}")
        blocks.append("".join(f"{_folded(line)}\n" for line in lines))
    return "\n".join(blocks)


def _folded(line: str) -> str:
    return "\n ".join([line[:76], *(line[at : at + 75] for at in range(76, len(line), 75))])
