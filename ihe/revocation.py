"""Whether a certificate was revoked: OCSP first, else its CRL (RFC 6960, RFC 5280; DECISIONS 5).

Nothing here fetches. `decide` looks at what is at hand and answers `Good`, `Revoked`, `Undecided`,
or `Needs` a request that the caller sends before it asks again; an answer that could not be had
is given as None, or as `NotThere`. Only what the certificate's issuer has signed counts, so it
does not matter by which way an answer came.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from ihe.errors import SecurityRefused
from ihe.key_info import public_key

# RFC 6960: 2.4: without nextUpdate a responder has newer knowledge at any time.
_OPEN_END: Final = timedelta(hours=1)
_SKEW: Final = timedelta(minutes=5)
# SHA-1 names the issuer in a CertID and proves nothing; many responders know no other (RFC 5019).
_NAMING: Final = hashes.SHA1()  # noqa: S303
_Extension = TypeVar("_Extension", bound=x509.ExtensionType)
_SIGNATURES: Final = (hashes.SHA256, hashes.SHA384, hashes.SHA512)


@dataclass(frozen=True, slots=True)
class Question:
    """What has to be fetched: POST `body` to `url` for OCSP, GET it otherwise."""

    kind: Literal["ocsp", "crl", "issuer"]
    url: str
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class NotThere:
    """Whoever was asked has nothing at that address; `status` is the 404 or 410 of HTTP."""

    status: int


Answer = bytes | NotThere | None
Answers = Mapping[Question, Answer]
"""What came for each question; None if nothing did."""


@dataclass(frozen=True, slots=True)
class Good:
    """Not revoked, as far as is known until then; `until` is None if nothing was to be asked."""

    until: datetime | None
    since: datetime | None = field(default=None, compare=False)
    """As of when its issuer says so."""
    source: Question | None = field(default=None, compare=False)
    """What was asked."""


@dataclass(frozen=True, slots=True)
class Revoked:
    """Its issuer has taken it back."""


@dataclass(frozen=True, slots=True)
class Undecided:
    """It names lists or responders, and none of them has given anything usable.

    `is_temporary` if one of them could not be reached, and may decide it another time.
    """

    reason: str
    is_temporary: bool = False


@dataclass(frozen=True, slots=True)
class Needs:
    """Ask this and decide again."""

    question: Question


Decision = Good | Revoked | Undecided | Needs


def decide(
    certificate: x509.Certificate,
    issuers: Iterable[x509.Certificate],
    answers: Answers,
    *,
    now: datetime,
) -> Decision:
    """Whether `certificate` is revoked. Its issuer is among `issuers`, or fetched where it says.

    A certificate that names no list and no responder is Good: nobody could know better.
    """
    try:
        responders = _access(certificate, AuthorityInformationAccessOID.OCSP)
        lists = _lists(certificate)
        is_listed = _extension(certificate, x509.CRLDistributionPoints) is not None
    except ValueError:
        return Undecided("its extensions cannot be read")
    if not responders and not lists:
        # LDAP, or lists of some reasons only: there is one, and we cannot look.
        return Undecided("it names no list that can be fetched") if is_listed else Good(None)
    issuer = _issuer(certificate, issuers, answers)
    if isinstance(issuer, Needs | Undecided):
        return issuer
    reasons, is_temporary = [], False
    for question in _questions(certificate, issuer, responders, lists):
        if question not in answers:
            return Needs(question)
        answer = answers[question]
        if not isinstance(answer, bytes):
            reasons.append(f"{_NAMES[question.kind]} {_absence(answer)}")
            is_temporary = True  # an issuer may put back what it has taken away
            continue
        try:
            if question.kind == "ocsp":
                return _read_response(answer, question, certificate, issuer, now=now)
            return _read_list(answer, question, certificate, issuer, now=now)
        except _Unusable as unusable:
            reasons.append(f"{_NAMES[question.kind]} {unusable}")
    return Undecided("; ".join(dict.fromkeys(reasons)), is_temporary)


_NAMES: Final = {
    "ocsp": "its OCSP responder",
    "crl": "its revocation list",
    "issuer": "its issuer's certificate",
}


def _absence(answer: NotThere | None) -> str:
    if answer is None:
        return "cannot be reached"
    return f"is not at its address (HTTP {answer.status})"


class _Unusable(Exception):
    """An answer that decides nothing; the text says why, after the name of what answered."""


# ---- whom to ask -----------------------------------------------------------------------------


def _questions(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    responders: list[str],
    lists: list[str],
) -> Iterator[Question]:
    if responders:
        builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, _NAMING)
        body = builder.build().public_bytes(Encoding.DER)
        yield from (Question("ocsp", url, body) for url in responders)
    yield from (Question("crl", url) for url in lists)


def _access(certificate: x509.Certificate, method: x509.ObjectIdentifier) -> list[str]:
    found = _extension(certificate, x509.AuthorityInformationAccess)
    return [
        access.access_location.value
        for access in found or ()
        if access.access_method == method and _is_web(access.access_location)
    ]


def _lists(certificate: x509.Certificate) -> list[str]:
    """Where its CRL lies; LDAP addresses are left aside, and a CRL of some reasons only."""
    points = _extension(certificate, x509.CRLDistributionPoints)
    return [
        name.value
        for point in points or ()
        if point.reasons is None and point.crl_issuer is None
        for name in point.full_name or ()
        if _is_web(name)
    ]


def _is_web(name: x509.GeneralName) -> bool:
    is_uri = isinstance(name, x509.UniformResourceIdentifier)
    return is_uri and name.value.lower().startswith(("http://", "https://"))


def _extension(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


# ---- the issuer ------------------------------------------------------------------------------


def _issuer(
    certificate: x509.Certificate, known: Iterable[x509.Certificate], answers: Answers
) -> x509.Certificate | Needs | Undecided:
    """Whose signatures on lists and answers count: whoever has signed the certificate."""
    for candidate in (*known, certificate):
        if _has_issued(candidate, certificate):
            return candidate
    for url in _access(certificate, AuthorityInformationAccessOID.CA_ISSUERS):
        question = Question("issuer", url)
        if question not in answers:
            return Needs(question)
        for candidate in _read_certificates(answers[question]):
            if _has_issued(candidate, certificate):
                return candidate
    return Undecided("the certificate of its issuer is not known")


def _has_issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _read_certificates(answer: Answer) -> list[x509.Certificate]:
    """RFC 5280: 4.2.2.1: one certificate, or a bag of them; PEM is not allowed, and is sent."""
    readers = (
        lambda data: [x509.load_der_x509_certificate(data)],
        pkcs7.load_der_pkcs7_certificates,
        x509.load_pem_x509_certificates,
    )
    for read in readers:
        try:
            return read(answer) if isinstance(answer, bytes) else []
        except (ValueError, UnsupportedAlgorithm):
            continue
    return []


# ---- OCSP ------------------------------------------------------------------------------------


def _read_response(
    data: bytes,
    question: Question,
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    *,
    now: datetime,
) -> Good | Revoked:
    """What an OCSP response says of the certificate (RFC 6960: 3.2)."""
    try:
        response = ocsp.load_der_ocsp_response(data)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise _Unusable("gives no answer")
        if not any(_has_signed(signer, response) for signer in _signers(response, issuer, now)):
            raise _Unusable("is not one of the issuer's")
        singles = [one for one in response.responses if _is_about(one, certificate, issuer)]
    except (ValueError, UnsupportedAlgorithm):
        raise _Unusable("gives no answer that can be read") from None
    if len(singles) != 1:
        raise _Unusable("answers about another certificate")
    (single,) = singles
    end = single.next_update_utc or single.this_update_utc + _OPEN_END
    if single.certificate_status is ocsp.OCSPCertStatus.REVOKED:
        return Revoked()  # whenever that was said: it is not taken back
    if single.certificate_status is not ocsp.OCSPCertStatus.GOOD:
        raise _Unusable("does not know the certificate")
    _demand_current(single.this_update_utc, end, now)
    return Good(end, single.this_update_utc, question)


def _signers(
    response: ocsp.OCSPResponse, issuer: x509.Certificate, now: datetime
) -> Iterator[x509.Certificate]:
    """The issuer, and whom it has named its responder (RFC 6960: 4.2.2.2).

    A delegate must say that it need not be looked up itself (4.2.2.2.1), or this would not end.
    """
    yield issuer
    for delegate in response.certificates:
        usage = _extension(delegate, x509.ExtendedKeyUsage)
        if (
            usage is not None
            and ExtendedKeyUsageOID.OCSP_SIGNING in usage
            and _extension(delegate, x509.OCSPNoCheck) is not None
            and delegate.not_valid_before_utc <= now <= delegate.not_valid_after_utc
            and _has_issued(issuer, delegate)
        ):
            yield delegate


def _has_signed(signer: x509.Certificate, response: ocsp.OCSPResponse) -> bool:
    algorithm, content = response.signature_hash_algorithm, response.tbs_response_bytes
    if not isinstance(algorithm, _SIGNATURES):
        return False
    try:
        match public_key(signer):
            case rsa.RSAPublicKey() as key:
                key.verify(response.signature, content, padding.PKCS1v15(), algorithm)
            case ec.EllipticCurvePublicKey() as key:
                key.verify(response.signature, content, ec.ECDSA(algorithm))
    except (InvalidSignature, SecurityRefused):
        return False
    return True


def _is_about(
    single: ocsp.OCSPSingleResponse, certificate: x509.Certificate, issuer: x509.Certificate
) -> bool:
    if single.serial_number != certificate.serial_number:
        return False
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, single.hash_algorithm)
    wanted = builder.build()
    return (single.issuer_name_hash, single.issuer_key_hash) == (
        wanted.issuer_name_hash,
        wanted.issuer_key_hash,
    )


# ---- lists -----------------------------------------------------------------------------------


def _read_list(
    data: bytes,
    question: Question,
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    *,
    now: datetime,
) -> Good | Revoked:
    """What a CRL says of the certificate (RFC 5280: 6.3.3)."""
    try:
        is_text = data.lstrip().startswith(b"-----BEGIN")
        crl = (x509.load_pem_x509_crl if is_text else x509.load_der_x509_crl)(data)
        _demand_signed(crl, issuer)
        _demand_scope(crl, certificate)
        entry = crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
    except (ValueError, TypeError, UnsupportedAlgorithm, SecurityRefused):
        raise _Unusable("cannot be read") from None
    if entry is not None:
        return Revoked()
    if crl.next_update_utc is None:
        raise _Unusable("does not say until when it holds")
    _demand_current(crl.last_update_utc, crl.next_update_utc, now)
    return Good(crl.next_update_utc, crl.last_update_utc, question)


def _demand_signed(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> None:
    usage = _extension(issuer, x509.KeyUsage)
    if usage is not None and not usage.crl_sign:
        raise _Unusable("is signed with a key that may sign none")
    if not isinstance(crl.signature_hash_algorithm, _SIGNATURES):
        raise _Unusable("is signed with an algorithm that we do not take")
    if crl.issuer != issuer.subject or not crl.is_signature_valid(public_key(issuer)):
        raise _Unusable("is not one of the issuer's")


def _demand_scope(crl: x509.CertificateRevocationList, certificate: x509.Certificate) -> None:
    """The list must be whole, and be the part of the issuer's lists that has this certificate."""
    scope: x509.IssuingDistributionPoint | None = None
    for extension in crl.extensions:
        if isinstance(extension.value, x509.IssuingDistributionPoint):
            scope = extension.value
        elif extension.critical or isinstance(extension.value, x509.DeltaCRLIndicator):
            raise _Unusable("is of a kind that we do not take")
    if scope is None:
        return
    basic = _extension(certificate, x509.BasicConstraints)
    of_another = (
        scope.only_contains_user_certs if basic and basic.ca else scope.only_contains_ca_certs
    )
    names = {name.value for name in scope.full_name or () if _is_web(name)}
    if (
        scope.indirect_crl
        or scope.only_some_reasons
        or scope.only_contains_attribute_certs
        or scope.relative_name
        or of_another
        or (scope.full_name and names.isdisjoint(_lists(certificate)))
    ):
        raise _Unusable("is about other certificates")


def _demand_current(begin: datetime, end: datetime, now: datetime) -> None:
    if begin > now + _SKEW:
        raise _Unusable("is of the future")
    if end <= now:
        raise _Unusable("is out of date")
