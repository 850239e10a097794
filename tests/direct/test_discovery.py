"""The order of the search: DCDT's cases D1 to D16, and what is asked, and what is not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from direct.discovery import (
    MOST_CERTIFICATES,
    MOST_LINKS,
    MOST_SERVERS,
    Answer,
    Ask,
    CertRecords,
    DirectoryEntries,
    Failed,
    Found,
    InvalidAddress,
    LinkedCertificates,
    Lookup,
    NotFound,
    Question,
    Records,
    Service,
    ServiceRecords,
    Services,
    Validity,
    Verdict,
    in_order,
    search,
)
from tests.certificates import leaf
from tests.direct_certificates import unreadable_issuer, unreadable_subject

ADDRESS = "dr.a@d.test"
BY_ADDRESS = CertRecords("dr.a.d.test")
BY_DOMAIN = CertRecords("d.test")
SERVERS = ServiceRecords("_ldap._tcp.d.test")
FIRST = Service("one.test", 389, priority=0)
SECOND = Service("two.test", 10389, priority=1)


@dataclass(frozen=True)
class Judged:
    trusted: bool
    reasons: tuple[str, ...] = ()
    is_temporary: bool = False


def certificate(name: str) -> x509.Certificate:
    return leaf(name, kind="p256").certificate


def der(name: str) -> bytes:
    return certificate(name).public_bytes(Encoding.DER)


def records(*names: str, links: tuple[str, ...] = ()) -> Records:
    return Records(tuple(der(name) for name in names), links)


def mail(server: Service, of: str = ADDRESS) -> DirectoryEntries:
    return DirectoryEntries(server.host, server.port, of)


@dataclass
class Asked:
    """A search that ended, and what was asked until then, judgements by the leaf's name."""

    ended: Found | NotFound
    questions: list[Lookup] = field(default_factory=list)
    judged: list[str] = field(default_factory=list)

    @property
    def found(self) -> list[str]:
        assert isinstance(self.ended, Found)
        return [name_of(one.certificate) for one in self.ended.candidates]


def name_of(one: x509.Certificate) -> str:
    return str(one.subject.rfc4514_string().split(",")[0].removeprefix("CN="))


def run(world: Mapping[Lookup, Answer], address: str = ADDRESS) -> Asked:
    """The search in a world where whatever is named `val…` is valid, nobody could be asked of
    `unknown…`, and the rest is empty."""
    answers: dict[Lookup, Answer] = {}
    verdicts: dict[Validity, Verdict] = {}
    asked = Asked(NotFound((), certain=True))
    seen: set[Question] = set()
    while isinstance(step := search(address, answers, verdicts), Ask):
        question = step.question
        assert question not in seen, "asked twice"
        seen.add(question)
        if isinstance(question, Validity):
            name = name_of(question.certificate)
            asked.judged.append(name)
            said = (f"{name} was looked at",)
            verdicts[question] = Judged(name.startswith("val"), said, name.startswith("unknown"))
        else:
            asked.questions.append(question)
            nothing = Services() if isinstance(question, ServiceRecords) else Records()
            answers[question] = world.get(question, nothing)
    asked.ended = step
    return asked


@pytest.mark.parametrize(
    ("world", "expected"),
    [
        pytest.param(
            {BY_ADDRESS: records("val A"), BY_DOMAIN: records("inv B"),
             SERVERS: Services((FIRST,)), mail(FIRST): records("inv C"),
             mail(FIRST, "d.test"): records("inv D")}, ["val A"], id="D1"),
        pytest.param(
            {BY_DOMAIN: records("val B"), SERVERS: Services((FIRST,)),
             mail(FIRST): records("inv C"), mail(FIRST, "d.test"): records("inv D")},
            ["val B"], id="D2"),
        pytest.param(
            {SERVERS: Services((FIRST,)), mail(FIRST): records("val C"),
             mail(FIRST, "d.test"): records("inv D")}, ["val C"], id="D3"),
        pytest.param(
            {SERVERS: Services((FIRST,)), mail(FIRST, "d.test"): records("val D")},
            ["val D"], id="D4"),
        pytest.param({BY_ADDRESS: records("inv A")}, None, id="D5"),
        pytest.param({BY_DOMAIN: records("inv B")}, None, id="D6"),
        pytest.param(
            {SERVERS: Services((FIRST,)), mail(FIRST): records("inv C")}, None, id="D7"),
        pytest.param(
            {SERVERS: Services((FIRST,)), mail(FIRST, "d.test"): records("inv D")},
            None, id="D8"),
        pytest.param({BY_ADDRESS: records("inv A", "val A")}, ["val A"], id="D9"),
        pytest.param(
            {SERVERS: Services((FIRST, SECOND)), mail(FIRST): Failed("cannot be reached"),
             mail(SECOND): records("val E")}, ["val E"], id="D10"),
        pytest.param({}, None, id="D11"),
        pytest.param(
            {SERVERS: Services((FIRST,)), mail(FIRST): Failed("cannot be reached")},
            None, id="D12"),
        pytest.param({SERVERS: Services((FIRST,))}, None, id="D13"),
        pytest.param(
            {SERVERS: Services((SECOND, FIRST)), mail(FIRST): records("val C"),
             mail(SECOND): records("inv E")}, ["val C"], id="D15"),
        pytest.param(
            {SERVERS: Services((Service("e.test", 389, 0, 0), Service("c.test", 389, 0, 100))),
             DirectoryEntries("e.test", 389, ADDRESS): records("val E"),
             DirectoryEntries("c.test", 389, ADDRESS): records("val C")}, ["val C"], id="D16"),
    ],
)  # fmt: skip
def test_the_search_of(world: Mapping[Lookup, Answer], expected: list[str] | None) -> None:
    asked = run(world)
    if expected is None:
        assert isinstance(asked.ended, NotFound)
    else:
        assert asked.found == expected


def test_nobody_is_asked_after_a_valid_certificate() -> None:
    assert run({BY_ADDRESS: records("val A")}).questions == [BY_ADDRESS]


def test_an_invalid_hit_never_stops_the_search() -> None:
    inv = {place: records(f"inv {number}") for number, place in enumerate(
        [BY_ADDRESS, BY_DOMAIN, mail(FIRST), mail(SECOND), mail(FIRST, "d.test")])}  # fmt: skip
    last = {mail(SECOND, "d.test"): records("val Z")}
    asked = run({SERVERS: Services((FIRST, SECOND)), **inv, **last})
    assert asked.found == ["val Z"]
    assert asked.judged == ["inv 0", "inv 1", "inv 2", "inv 3", "inv 4", "val Z"]
    assert asked.questions == [
        BY_ADDRESS, BY_DOMAIN, SERVERS, mail(FIRST), mail(SECOND),
        mail(FIRST, "d.test"), mail(SECOND, "d.test"),
    ]  # fmt: skip
    outcomes = [step.outcome for step in asked.ended.steps]
    assert outcomes == ["invalid"] * 5 + ["valid"]
    assert asked.ended.steps[0].said == "inv 0 was looked at"


def test_all_valid_certificates_of_one_place_are_found() -> None:
    """Keys overlap when they change."""
    asked = run({BY_DOMAIN: records("val old", "inv", "val new")})
    assert sorted(asked.found) == ["val new", "val old"]


def test_the_next_server_is_asked_after_an_empty_answer_too() -> None:
    asked = run({SERVERS: Services((FIRST, SECOND)), mail(SECOND): records("val E")})
    assert asked.found == ["val E"]
    assert [step.outcome for step in asked.ended.steps] == [
        "nothing", "nothing", "nothing", "valid",
    ]  # fmt: skip


def test_a_server_that_failed_is_left_alone_and_the_end_is_not_certain() -> None:
    asked = run({SERVERS: Services((FIRST,)), mail(FIRST): Failed("takes too long")})
    assert mail(FIRST, "d.test") not in asked.questions
    assert isinstance(asked.ended, NotFound)
    assert not asked.ended.certain
    said = [(step.outcome, step.said) for step in asked.ended.steps[-2:]]
    assert said == [
        ("failed", "it takes too long"),
        ("skipped", "it was not to be had a moment ago"),
    ]


@pytest.mark.parametrize("place", [BY_ADDRESS, BY_DOMAIN, SERVERS])
def test_a_name_server_that_fails_ends_nothing_but_certainty(place: Lookup) -> None:
    world: dict[Lookup, Answer] = {place: Failed("takes too long")}
    ended = run(world).ended
    assert isinstance(ended, NotFound)
    assert not ended.certain
    if place is not SERVERS:
        world |= {SERVERS: Services((FIRST,)), mail(FIRST): records("val C")}
        assert run(world).found == ["val C"]


def test_a_certificate_about_which_nobody_could_be_asked_leaves_the_end_uncertain() -> None:
    world: dict[Lookup, Answer] = {BY_ADDRESS: records("unknown A", "inv B")}
    ended = run(world).ended
    assert isinstance(ended, NotFound)
    assert not ended.certain
    outcomes = {name_of(one.certificate): one.outcome for one in ended.steps if one.certificate}
    assert outcomes == {"unknown A": "failed", "inv B": "invalid"}
    assert run({**world, BY_DOMAIN: records("val C")}).found == ["val C"]


def test_where_everybody_answers_that_there_is_nothing_the_end_is_certain() -> None:
    ended = run({}).ended
    assert isinstance(ended, NotFound)
    assert ended.certain


def test_servers_are_asked_by_priority_and_then_the_heaviest_first() -> None:
    light, heavy = Service("l.test", 389, 0, 1), Service("h.test", 389, 0, 50)
    later = Service("a.test", 389, 10, 100)
    assert in_order([later, light, heavy, heavy]) == [heavy, light, later]


def test_a_target_that_says_there_is_no_service_is_none() -> None:
    """RFC 2782: a target of "."; without a name it is written as nothing."""
    assert in_order([Service("", 389), Service(".", 389), Service("a.test", 0)]) == []
    assert run({SERVERS: Services((Service("", 0),))}).ended.steps[-1].said == (
        "no LDAP server is named"
    )


def test_a_pointer_to_a_certificate_is_followed() -> None:
    links = ("http://certs.test/a.cer",)
    asked = run({
        BY_ADDRESS: records("inv A", links=links),
        LinkedCertificates(links[0]): records("val L"),
    })  # fmt: skip
    assert asked.found == ["val L"]


def test_a_pointer_that_leads_nowhere_does_not_stop_the_search() -> None:
    links = ("http://certs.test/a.cer",)
    asked = run({
        BY_ADDRESS: records(links=links),
        LinkedCertificates(links[0]): Failed("cannot be fetched"),
        BY_DOMAIN: records("val B"),
    })  # fmt: skip
    assert asked.found == ["val B"]
    assert asked.ended.steps[0].outcome == "failed"


def test_what_is_no_certificate_does_not_stop_the_search() -> None:
    for junk in (b"", b"\x30", b"\x30\x82\x04\x00" + b"x" * 1024, der("val A")[:-1]):
        asked = run({BY_ADDRESS: Records((junk,)), BY_DOMAIN: records("val B")})
        assert asked.found == ["val B"]
        assert asked.ended.steps[0].said == "it is no certificate that can be read"


@pytest.mark.parametrize("unreadable", [unreadable_subject, unreadable_issuer])
def test_a_certificate_whose_names_cannot_be_read_takes_none_beside_it_away(
    unreadable: Callable[[str], bytes],
) -> None:
    bad = unreadable("Some old one")
    for found in ((bad, der("val A")), (der("val A"), bad)):
        asked = run({BY_ADDRESS: Records(found)})
        assert asked.found == ["val A"]
        assert asked.judged == ["val A"]
        assert asked.ended.steps[0].outcome == "invalid"


def test_a_flood_of_certificates_and_pointers_and_servers_is_cut() -> None:
    many = Records(
        tuple(b"%d" % number for number in range(1000)),
        tuple(f"http://x.test/{number}" for number in range(1000)),
    )
    servers = Services(tuple(Service(f"s{n}.test", 389, n) for n in range(100)))
    asked = run({BY_ADDRESS: many, SERVERS: servers})
    links = [one for one in asked.questions if isinstance(one, LinkedCertificates)]
    assert len(links) == MOST_LINKS
    unreadable = [step for step in asked.ended.steps if "can be read" in step.said]
    assert len(unreadable) == MOST_CERTIFICATES
    asked_servers = {one.host for one in asked.questions if isinstance(one, DirectoryEntries)}
    assert asked_servers == {f"s{n}.test" for n in range(MOST_SERVERS)}


def test_the_same_certificate_twice_is_judged_once_with_the_others_beside_it() -> None:
    asked = run({BY_ADDRESS: records("val A", "val A", "inv CA")})
    assert asked.judged == ["val A", "inv CA"]


def test_the_local_part_keeps_its_dots_and_the_domain_is_in_lower_case() -> None:
    asked = run({}, "A.B.c+d@Direct.Example.TEST")
    assert asked.questions[0] == CertRecords("A.B.c+d.direct.example.test")
    assert asked.questions[2] == ServiceRecords("_ldap._tcp.direct.example.test")


def test_an_address_that_cannot_be_a_name_is_looked_for_by_its_domain_and_in_ldap() -> None:
    local = "x" * 64
    asked = run({SERVERS: Services((FIRST,))}, f"{local}@d.test")
    assert asked.questions == [
        BY_DOMAIN, SERVERS, mail(FIRST, f"{local}@d.test"), mail(FIRST, "d.test"),
    ]  # fmt: skip
    assert asked.ended.steps[0].outcome == "skipped"
    assert run({}, "dr..a@d.test").questions[0] == BY_DOMAIN


@pytest.mark.parametrize(
    "address",
    ["", "d.test", "@d.test", "a@", "a@b@d.test", "a@.test", "a@d..test", "a@d.test.", "a b@d.test",
     "a\0@d.test", "a@d.test\n", "ä@d.test", "a@dömän.test", f"a@{'x' * 64}.test",
     "a@" + ".".join(["x" * 60] * 5)],
)  # fmt: skip
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidAddress) as refused:
        search(address, {}, {})
    assert address == "" or address not in str(refused.value)
