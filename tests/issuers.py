"""An authority whose certificates name lists and responders, and the answers that it makes.

Everything is made for the moment given, so that tests have no clock of their own; `Answering` is
an HTTP server on loopback for whoever fetches in earnest.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from gateway.demo.certificates import Issued

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
_SHA256 = hashes.SHA256()


@dataclass
class Authority:
    """A CA; `base` is where its lists and responder are, such as `http://crl.example`."""

    name: str
    now: datetime
    base: str = "http://ca.example"
    revoked: set[int] = field(default_factory=set)
    may_sign_lists: bool = True
    issued: Issued = field(init=False)

    def __post_init__(self) -> None:
        self.issued = self._sign(self.name, None, ca=True)

    @property
    def certificate(self) -> x509.Certificate:
        return self.issued.certificate

    @property
    def crl_url(self) -> str:
        return f"{self.base}/list.crl"

    @property
    def ocsp_url(self) -> str:
        return f"{self.base}/ocsp"

    @property
    def issuer_url(self) -> str:
        return f"{self.base}/ca.cer"

    # ---- certificates ------------------------------------------------------------------------

    def issue(
        self,
        name: str,
        *,
        crl: bool = False,
        responder: bool = False,
        issuer: bool = False,
        more: tuple[tuple[x509.ExtensionType, bool], ...] = (),
    ) -> Issued:
        """A leaf for localhost that names the list, the responder, the issuer's certificate."""
        extensions = list(more)
        if crl:
            point = x509.DistributionPoint(
                [x509.UniformResourceIdentifier(self.crl_url)], None, None, None
            )
            extensions.append((x509.CRLDistributionPoints([point]), False))
        access = [
            x509.AccessDescription(method, x509.UniformResourceIdentifier(url))
            for wanted, method, url in (
                (responder, AuthorityInformationAccessOID.OCSP, self.ocsp_url),
                (issuer, AuthorityInformationAccessOID.CA_ISSUERS, self.issuer_url),
            )
            if wanted
        ]
        if access:
            extensions.append((x509.AuthorityInformationAccess(access), False))
        return self._sign(name, extensions)

    def delegate(self, *, for_ocsp: bool = True, nocheck: bool = True) -> Issued:
        """A responder's certificate."""
        usage = ExtendedKeyUsageOID.OCSP_SIGNING if for_ocsp else ExtendedKeyUsageOID.CODE_SIGNING
        more: list[tuple[x509.ExtensionType, bool]] = [(x509.ExtendedKeyUsage([usage]), False)]
        if nocheck:
            more.append((x509.OCSPNoCheck(), False))
        return self._sign("Responder", more)

    def _sign(
        self,
        name: str,
        extensions: list[tuple[x509.ExtensionType, bool]] | None,
        *,
        ca: bool = False,
    ) -> Issued:
        key = ec.generate_private_key(ec.SECP256R1())
        issuer_key = key if ca else self.issued.key
        issuer = _named(name) if ca else self.certificate.subject
        builder = (
            x509.CertificateBuilder()
            .subject_name(_named(name))
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now - DAY)
            .not_valid_after(self.now + 30 * DAY)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(_usage(ca, lists=ca and self.may_sign_lists), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        )
        if not ca:
            names = [x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1"))]
            names.append(x509.DNSName(f"{name.lower().replace(' ', '-')}.example"))
            identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
            builder = builder.add_extension(identifier, critical=False)
        for extension, critical in extensions or ():
            builder = builder.add_extension(extension, critical=critical)
        return Issued(builder.sign(issuer_key, _SHA256), key)

    def revoke(self, *issued: Issued) -> None:
        self.revoked |= {one.certificate.serial_number for one in issued}

    # ---- answers -----------------------------------------------------------------------------

    def crl(
        self,
        *,
        at: datetime | None = None,
        lifetime: timedelta = DAY,
        by: Issued | None = None,
        more: tuple[tuple[x509.ExtensionType, bool], ...] = (),
        algorithm: hashes.SHA256 | hashes.SHA224 = _SHA256,
    ) -> bytes:
        """Its list; `by` signs it in the authority's name."""
        at = at or self.now
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(at - HOUR)
            .next_update(at - HOUR + lifetime)
        )
        for serial in sorted(self.revoked):
            entry = x509.RevokedCertificateBuilder().serial_number(serial)
            builder = builder.add_revoked_certificate(entry.revocation_date(at - HOUR).build())
        for extension, critical in more:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign((by or self.issued).key, algorithm).public_bytes(Encoding.DER)

    def ocsp(
        self,
        certificate: x509.Certificate,
        *,
        at: datetime | None = None,
        lifetime: timedelta | None = DAY,
        by: Issued | None = None,
        issuer: x509.Certificate | None = None,
        unknown: bool = False,
        attached: bool = True,
    ) -> bytes:
        """Its answer about the certificate; `by` is who signs, if not the authority itself."""
        at, signer = at or self.now, by or self.issued
        revoked = certificate.serial_number in self.revoked
        status = ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD
        if unknown:
            status = ocsp.OCSPCertStatus.UNKNOWN
        builder = ocsp.OCSPResponseBuilder().add_response(
            cert=certificate,
            issuer=issuer or self.certificate,
            algorithm=hashes.SHA1(),  # noqa: S303 - the name of an issuer, as responders write it
            cert_status=status,
            this_update=at - HOUR,
            next_update=None if lifetime is None else at - HOUR + lifetime,
            revocation_time=at - DAY if revoked else None,
            revocation_reason=None,
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, signer.certificate)
        if by is not None and attached:
            builder = builder.certificates([by.certificate])
        return builder.sign(signer.key, _SHA256).public_bytes(Encoding.DER)

    def answer(self, path: str, body: bytes, known: dict[int, x509.Certificate]) -> bytes:
        """What it answers over HTTP about the certificates that it knows."""
        if path == "/list.crl":
            return self.crl()
        if path == "/ca.cer":
            return self.certificate.public_bytes(Encoding.DER)
        request = ocsp.load_der_ocsp_request(body)
        return self.ocsp(known[request.serial_number])


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(ca: bool, *, lists: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=lists,
        encipher_only=False,
        decipher_only=False,
    )


# ---- over HTTP -------------------------------------------------------------------------------


@dataclass
class Answering:
    """An HTTP server; `asked` are the paths that were asked for, in order."""

    address: str
    asked: list[str]
    answer: Callable[[str, bytes], bytes | int | tuple[int, dict[str, str]]]

    @property
    def base(self) -> str:
        return f"http://{self.address}"


@contextmanager
def answering() -> Iterator[Answering]:
    """The server, up on loopback while the block runs; `answer` says what it answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            length = int(self.headers.get("content-length") or 0)
            found = served.answer(self.path, self.rfile.read(length))
            status, headers, content = 200, dict[str, str](), b""
            if isinstance(found, bytes):
                content = found
            elif isinstance(found, int):
                status = found
            else:
                status, headers = found
            self.send_response(status)
            for key, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Answering(f"127.0.0.1:{server.server_address[1]}", [], lambda _path, _body: 404)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
