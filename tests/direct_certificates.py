"""Authorities for Direct mail and the certificates that they issue, made once a process.

A `MailAuthority` may stand below another; what it issues names its list, its responder and where
its own certificate lies, unless told otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from tests.certificates import NOW, Issued, private_key
from tests.issuers import DAY, Authority

Extensions = Sequence[tuple[x509.ExtensionType, bool]]


@dataclass
class MailAuthority(Authority):
    """A CA of Direct certificates; with `above` an intermediate one."""

    above: "MailAuthority | None" = None
    kind: str = "p256"
    path_length: int | None = None
    may_issue: bool = True
    digest: hashes.HashAlgorithm = field(default_factory=hashes.SHA256)
    lifetime: tuple[timedelta, timedelta] = (-DAY, 365 * DAY)
    extensions: Extensions = ()

    def __post_init__(self) -> None:
        key = private_key(f"authority {self.name} {self.above and self.above.name}", self.kind)
        more: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca=self.may_issue, path_length=self.path_length), True),
            (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
            *self.extensions,
        ]
        if self.may_issue:
            more.append((usage("key_cert_sign", "crl_sign"), True))
        if self.above:
            more += self.above.sources()
        self.issued = certify(  # type: ignore[assignment] - the same two fields
            named(self.name),
            key_owner=key,
            issuer=self.above,
            extensions=more,
            begin=self.now + self.lifetime[0],
            end=self.now + self.lifetime[1],
            digest=self.digest,
        )

    def sources(self, *, crl: bool = True, ocsp: bool = False, issuer: bool = True) -> Extensions:
        """The extensions that say where its list, its responder, its own certificate are."""
        found: list[tuple[x509.ExtensionType, bool]] = []
        if crl:
            uri = x509.UniformResourceIdentifier(self.crl_url)
            point = x509.DistributionPoint([uri], None, None, None)
            found.append((x509.CRLDistributionPoints([point]), False))
        access = [
            x509.AccessDescription(method, x509.UniformResourceIdentifier(url))
            for wanted, method, url in (
                (ocsp, AuthorityInformationAccessOID.OCSP, self.ocsp_url),
                (issuer, AuthorityInformationAccessOID.CA_ISSUERS, self.issuer_url),
            )
            if wanted
        ]
        if access:
            found.append((x509.AuthorityInformationAccess(access), False))
        return found

    def leaf(
        self,
        *names: str,
        kind: str = "rsa",
        subject: x509.Name | None = None,
        usages: Sequence[str] | None = ("digital_signature", "key_encipherment"),
        purposes: Sequence[x509.ObjectIdentifier] = (),
        begin: timedelta = -DAY,
        end: timedelta = 300 * DAY,
        digest: hashes.HashAlgorithm | None = None,
        pss: padding.PSS | None = None,
        crl: bool = True,
        ocsp: bool = False,
        issuer: bool = False,
        more: Extensions = (),
    ) -> Issued:
        """A certificate for mail; a name with "@" is an address, one without a domain."""
        alternatives: list[x509.GeneralName] = [
            x509.RFC822Name(name) if "@" in name else x509.DNSName(name) for name in names
        ]
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            *self.sources(crl=crl, ocsp=ocsp, issuer=issuer),
            *more,
        ]
        if alternatives:
            extensions.append((x509.SubjectAlternativeName(alternatives), False))
        if usages is not None:
            extensions.append((usage(*usages), True))
        if purposes:
            extensions.append((x509.ExtendedKeyUsage(purposes), False))
        return certify(
            subject or named(names[0] if names else "Nobody"),
            key_owner=private_key(f"leaf {kind}", kind),
            issuer=self,
            extensions=extensions,
            begin=self.now + begin,
            end=self.now + end,
            digest=digest or self.digest,
            pss=pss,
        )


def certify(
    subject: x509.Name,
    *,
    key_owner: object,
    issuer: Authority | None,
    extensions: Extensions,
    begin: datetime,
    end: datetime,
    digest: hashes.HashAlgorithm,
    pss: padding.PSS | None = None,
) -> Issued:
    """A certificate signed by `issuer`, or by itself."""
    key = key_owner
    signer = issuer.issued.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())  # type: ignore[attr-defined]
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(
        signer.public_key()  # type: ignore[attr-defined]
    )
    for extension, critical in ((identifier, False), *extensions):
        builder = builder.add_extension(extension, critical=critical)
    signed = builder.sign(signer, digest, rsa_padding=pss)  # type: ignore[arg-type]
    return Issued(signed, key)  # type: ignore[arg-type]


def unreadable_subject(name: str) -> bytes:
    """A certificate in DER whose subject stops being text: it loads, and its subject does not."""
    return _garbled(MailAuthority("Fine", NOW).leaf(subject=named(name)), name)


def unreadable_issuer(name: str) -> bytes:
    """The same of its issuer."""
    return _garbled(MailAuthority(name, NOW).leaf(subject=named("Fine")), name)


def _garbled(issued: Issued, name: str) -> bytes:
    der = issued.certificate.public_bytes(Encoding.DER)
    assert name.encode() in der
    return der.replace(name.encode(), name[:-2].encode() + b"\xff\xfe")


def named(name: str, email: str | None = None) -> x509.Name:
    """A subject; `email` is the attribute that old certificates have."""
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, name[:64])]
    if email is not None:
        attributes.append(x509.NameAttribute(NameOID.EMAIL_ADDRESS, email))
    return x509.Name(attributes)


@cache
def usage(*names: str) -> x509.KeyUsage:
    """A keyUsage extension with these bits."""
    every = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement"
        " key_cert_sign crl_sign encipher_only decipher_only"
    ).split()
    return x509.KeyUsage(**{name: name in names for name in every})
