"""Whether a certificate speaks for a Direct address (Direct AS 1.2: 4.1, 5.3; RFC 5280: 4.2.1.6).

Address-bound: the address stands in the certificate. Domain-bound: exactly its domain does.
Nothing else binds: no wildcard, no domain above or below.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

from cryptography import x509
from cryptography.x509.oid import NameOID

from direct.certificates import extension

Binding = Literal["address", "domain"]

_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# ASCII without blanks and controls, one "@": a NUL, a second address or a look-alike letter of
# another script is no address here, so that no name in a certificate can be equal to it.
_ADDRESS: Final = re.compile(rf"[!-?A-~]{{1,64}}@((?:{_LABEL}\.)+{_LABEL})")
_MOST_LETTERS: Final = 254  # RFC 5321: 4.5.3.1.3
_CAPITALS: Final = {ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


@dataclass(frozen=True, slots=True)
class Unbound:
    """It does not speak for the address; `reason` is a sentence without the address."""

    reason: str


def binding(certificate: x509.Certificate, address: str) -> Binding | Unbound:
    """How `certificate` is bound to `address`.

    Letters are compared without regard to case, in ASCII alone: providers write addresses in any
    case, and `str.lower` would make one letter of two (the Kelvin sign is no "k"). An
    internationalised domain is compared as DNS spells it, `xn--…`.
    """
    wanted = _folded(address)
    found = _ADDRESS.fullmatch(wanted)
    if found is None or len(wanted) > _MOST_LETTERS:
        return Unbound("what the message names as the address is not one")
    names = _Names.of(certificate)
    if isinstance(names, Unbound):
        return names
    if wanted in names.addresses:
        return "address"
    if found[1] in names.domains:
        return "domain"
    return Unbound(_why_not(names, found[1]))


@dataclass(frozen=True, slots=True)
class _Names:
    addresses: frozenset[str]
    domains: frozenset[str]

    @classmethod
    def of(cls, certificate: x509.Certificate) -> "_Names | Unbound":
        try:
            names = extension(certificate, x509.SubjectAlternativeName)
        except ValueError:
            return Unbound("its extensions cannot be read")
        addresses = names.get_values_for_type(x509.RFC822Name) if names else []
        domains = names.get_values_for_type(x509.DNSName) if names else []
        if not addresses and not domains:
            # RFC 8550: 3: the emailAddress of old certificates. Beside newer names it would be a
            # second identity that the issuer need not have looked at.
            addresses = _subject_addresses(certificate)
        return cls(frozenset(map(_folded, addresses)), frozenset(map(_folded, domains)))


def _subject_addresses(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS)
    except ValueError:
        return []
    return [str(one.value) for one in found]


def _why_not(names: _Names, domain: str) -> str:
    if not names.addresses and not names.domains:
        return "it names neither an address nor a domain"
    above = domain.partition(".")[2]
    if f"*.{above}" in names.domains or f"*.{domain}" in names.domains:
        return "it names a wildcard domain, and a wildcard binds no address"
    if any(domain.endswith(f".{one}") for one in names.domains):
        return "it names a domain above that of the address, which binds nothing below it"
    if any(one.endswith(f".{domain}") for one in names.domains):
        return "it names a domain below that of the address"
    if any(one.endswith(f"@{domain}") for one in names.addresses):
        return "it is bound to another address of the same domain"
    return "it is bound to another address or domain"


def _folded(text: str) -> str:
    return text.translate(_CAPITALS)
