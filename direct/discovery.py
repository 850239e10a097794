"""Where a Direct address' certificates are looked for, and in what order (Direct AS 1.3: 5).

DNS first: CERT records of the address, then of its domain (RFC 4398). Then the LDAP servers that
the domain's SRV records name, by the address, then by the domain. The first place that gives a
valid certificate ends the search, and all valid ones of that place count: keys overlap when they
change. An invalid one never ends it.

Nothing here asks anybody. `search` looks at the answers at hand and gives `Ask`, a question that
the caller puts before it searches again, or how the search ended: `Found` or `NotFound`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from direct.certificates import read_certificate

MOST_CERTIFICATES: Final = 16
"""Of one answer: each may cost the fetching of lists, and nobody has so many for one address."""
MOST_LINKS: Final = 4
MOST_SERVERS: Final = 8
_LONGEST_NAME: Final = 253
_LONGEST_LABEL: Final = 63

Place = Literal["dns-address", "dns-domain", "ldap-address", "ldap-domain"]
PLACES: Final[tuple[Place, ...]] = ("dns-address", "dns-domain", "ldap-address", "ldap-domain")


class InvalidAddress(ValueError):
    """It is no mail address whose certificates could be looked for."""


# ---- questions and answers -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CertRecords:
    """The CERT records of a name; answered by `Records`."""

    name: str


@dataclass(frozen=True, slots=True)
class ServiceRecords:
    """The SRV records of a name; answered by `Services`."""

    name: str


@dataclass(frozen=True, slots=True)
class DirectoryEntries:
    """The certificates of whoever has that mail attribute; answered by `Records`."""

    host: str
    port: int
    mail: str


@dataclass(frozen=True, slots=True)
class LinkedCertificates:
    """What an IPKIX record points to (RFC 4398: 2.1); answered by `Records`."""

    url: str


@dataclass(frozen=True, slots=True)
class Validity:
    """Whether the certificate is valid for the address; answered by a `Verdict`.

    `others` were found at the same place and may stand between it and an anchor.
    """

    certificate: x509.Certificate
    others: tuple[x509.Certificate, ...] = ()


@dataclass(frozen=True, slots=True)
class Records:
    """Certificates in DER as they were published, and addresses of such; both empty if none."""

    certificates: tuple[bytes, ...] = ()
    links: tuple[str, ...] = ()
    ttl_seconds: int | None = None
    """How long the answer may be kept; None if nobody said."""


@dataclass(frozen=True, slots=True)
class Service:
    """One SRV record (RFC 2782)."""

    host: str
    port: int
    priority: int = 0
    weight: int = 0


@dataclass(frozen=True, slots=True)
class Services:
    """SRV records in whatever order they came."""

    services: tuple[Service, ...] = ()
    ttl_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """There was no answer, not even that there is nothing; `reason` follows "it"."""

    reason: str


class Verdict(Protocol):
    """What `direct.trust` thinks of a certificate."""

    @property
    def trusted(self) -> bool: ...

    @property
    def reasons(self) -> tuple[str, ...]: ...

    @property
    def is_temporary(self) -> bool: ...


Lookup = CertRecords | ServiceRecords | DirectoryEntries | LinkedCertificates
Question = Lookup | Validity
Answer = Records | Services | Failed
Answers = Mapping[Lookup, Answer]
Verdicts = Mapping[Validity, Verdict]


# ---- how it ends -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was looked at, for people; `certificate` if it was one.

    A certificate that failed is refused because somebody could not be asked about it.
    """

    place: Place
    where: str
    outcome: Literal["valid", "invalid", "nothing", "failed", "skipped"]
    said: str
    certificate: x509.Certificate | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A valid certificate, where it was, and what was thought of it."""

    certificate: x509.Certificate
    place: Place
    where: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Ask:
    """Answer this and search again."""

    question: Question


@dataclass(frozen=True, slots=True)
class Found:
    """All valid certificates of the first place that had one, the newest first."""

    candidates: tuple[Candidate, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class NotFound:
    """No place had a valid one; `certain` is false if somebody could not be asked."""

    steps: tuple[Step, ...]
    certain: bool


def search(address: str, answers: Answers, verdicts: Verdicts) -> Ask | Found | NotFound:
    """The next question about the address' certificates, or how the search ended.

    Raises:
        InvalidAddress: it is no address of the form local@domain in ASCII.
    """
    local, domain = split_address(address)
    going = _Search(answers, verdicts)
    try:
        found = going.run(local, domain)
    except _Unanswered as unanswered:
        return Ask(unanswered.question)
    steps = tuple(going.steps)
    if found:
        newest_first = sorted(found, key=_newest, reverse=True)
        return Found(tuple(newest_first), steps)
    return NotFound(steps, certain=all(step.outcome != "failed" for step in steps))


def split_address(address: str) -> tuple[str, str]:
    """The local part, and the domain in lower case.

    Raises:
        InvalidAddress: it is no address of the form local@domain in ASCII, as DNS writes it.
    """
    local, at, domain = address.rpartition("@")
    printable = address.isascii() and address.isprintable() and " " not in address
    if not (local and at and domain and printable) or "@" in local:
        raise InvalidAddress("not an address of the form local@domain")
    if not is_name(domain):
        raise InvalidAddress("its domain is no name of DNS")
    return local, domain.lower()


def is_name(text: str) -> bool:
    """Whether DNS could have such a name (RFC 1035: 2.3.4)."""
    labels = text.split(".")
    return len(text) <= _LONGEST_NAME and all(0 < len(label) <= _LONGEST_LABEL for label in labels)


def in_order(services: Iterable[Service]) -> list[Service]:
    """The servers as they are asked: the lowest priority first, then the highest weight.

    RFC 2782 draws by lot among equal priorities, in proportion to weight. Direct's testers expect
    the heaviest first (DCDT D16), which is one of the orders that a draw may give.
    """
    # RFC 2782: a target of "." says that there is no such service.
    real = {one for one in services if one.host.strip(".") and one.port}
    return sorted(real, key=lambda one: (one.priority, -one.weight, one.host, one.port))


# ---- searching -------------------------------------------------------------------------------


class _Unanswered(Exception):
    def __init__(self, question: Question) -> None:
        super().__init__("a question is open")
        self.question = question


@dataclass(slots=True)
class _Search:
    """One walk through the places, as far as the answers go."""

    answers: Answers
    verdicts: Verdicts
    steps: list[Step] = field(default_factory=list)
    silent: set[Service] = field(default_factory=set)

    def run(self, local: str, domain: str) -> list[Candidate]:
        """The valid certificates of the first place that has any."""
        found = self._in_dns("dns-address", f"{local}.{domain}")
        found = found or self._in_dns("dns-domain", domain)
        servers = [] if found else self._servers(f"_ldap._tcp.{domain}")
        mails: tuple[tuple[Place, str], ...] = (
            ("ldap-address", f"{local}@{domain}"),
            ("ldap-domain", domain),
        )
        for place, mail in mails:
            for server in servers:
                found = found or self._in_directory(place, server, mail)
        return found

    def _in_dns(self, place: Place, name: str) -> list[Candidate]:
        where = f"CERT records of {name}"
        if not is_name(name):
            self._note(place, where, "skipped", "it cannot be a name of DNS")
            return []
        answer = self._records(place, where, CertRecords(name))
        return self._judged(place, where, answer)

    def _servers(self, name: str) -> list[Service]:
        where = f"SRV records of {name}"
        answer = self._answer(ServiceRecords(name))
        if isinstance(answer, Failed):
            self._note("ldap-address", where, "failed", f"it {answer.reason}")
            return []
        servers = in_order(answer.services if isinstance(answer, Services) else ())
        if not servers:
            self._note("ldap-address", where, "nothing", "no LDAP server is named")
        elif len(servers) > MOST_SERVERS:
            self._note("ldap-address", where, "skipped", f"only the first {MOST_SERVERS} are asked")
        return servers[:MOST_SERVERS]

    def _in_directory(self, place: Place, server: Service, mail: str) -> list[Candidate]:
        """RFC 2782: the next server is tried on failure; on an empty answer too, and if nothing
        valid was there."""
        where = f"{server.host}:{server.port} by mail={mail}"
        if server in self.silent:
            self._note(place, where, "skipped", "it was not to be had a moment ago")
            return []
        question = DirectoryEntries(server.host, server.port, mail)
        answer = self._records(place, where, question)
        if answer is None:
            self.silent.add(server)
        return self._judged(place, where, answer)

    def _records(
        self, place: Place, where: str, question: CertRecords | DirectoryEntries
    ) -> Records | None:
        """What is there, noted if it is nothing; None if it could not be asked."""
        answer = self._answer(question)
        if isinstance(answer, Failed):
            self._note(place, where, "failed", f"it {answer.reason}")
            return None
        records = answer if isinstance(answer, Records) else Records()
        if not records.certificates and not records.links:
            self._note(place, where, "nothing", "no certificate is there")
        return records

    def _judged(self, place: Place, where: str, records: Records | None) -> list[Candidate]:
        """The valid ones; each that was looked at is noted."""
        if records is None:
            return []
        certificates = list(self._certificates(place, where, records))
        found: list[Candidate] = []
        for certificate in certificates:
            others = tuple(one for one in certificates if one is not certificate)
            verdict = self._verdict(Validity(certificate, others))
            said = "; ".join(verdict.reasons)
            self.steps.append(Step(place, where, _outcome(verdict), said, certificate))
            if verdict.trusted:
                found.append(Candidate(certificate, place, where, verdict))
        return found

    def _certificates(
        self, place: Place, where: str, records: Records
    ) -> Iterator[x509.Certificate]:
        """Those that can be read, each once, with those that records point to."""
        published = list(records.certificates)
        for url in records.links[:MOST_LINKS]:
            answer = self._answer(LinkedCertificates(url))
            if isinstance(answer, Records):
                published += answer.certificates
            elif isinstance(answer, Failed):
                said = f"what an IPKIX record points to cannot be had: it {answer.reason}"
                self._note(place, where, "failed", said)
        if len(records.links) > MOST_LINKS:
            self._note(place, where, "skipped", f"only {MOST_LINKS} IPKIX records are followed")
        once = dict.fromkeys(published)
        if len(once) > MOST_CERTIFICATES:
            said = f"only {MOST_CERTIFICATES} of {len(once)} certificates are looked at"
            self._note(place, where, "skipped", said)
        for der in list(once)[:MOST_CERTIFICATES]:
            certificate = _read(der)
            if certificate is None:
                self._note(place, where, "invalid", "it is no certificate that can be read")
            else:
                yield certificate

    def _answer(self, question: Lookup) -> Answer:
        if question not in self.answers:
            raise _Unanswered(question)
        return self.answers[question]

    def _verdict(self, question: Validity) -> Verdict:
        if question not in self.verdicts:
            raise _Unanswered(question)
        return self.verdicts[question]

    def _note(
        self,
        place: Place,
        where: str,
        outcome: Literal["invalid", "nothing", "failed", "skipped"],
        said: str,
    ) -> None:
        self.steps.append(Step(place, where, outcome, said))


def _outcome(verdict: Verdict) -> Literal["valid", "invalid", "failed"]:
    if verdict.trusted:
        return "valid"
    return "failed" if verdict.is_temporary else "invalid"


def _read(der: bytes) -> x509.Certificate | None:
    try:
        certificate = read_certificate(der)
        certificate.public_bytes(Encoding.DER)
        certificate.extensions  # noqa: B018 - read here, once, for whoever judges
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension):
        return None
    return certificate


def _newest(candidate: Candidate) -> tuple[float, bytes]:
    certificate = candidate.certificate
    # The bytes only make the order the same each time.
    return certificate.not_valid_before_utc.timestamp(), certificate.public_bytes(Encoding.DER)
