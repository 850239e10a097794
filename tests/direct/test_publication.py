"""What is published of a certificate: addresses and domains of ours, as lines and as LDIF."""

import base64
import re

import dns.rdatatype
import dns.zone
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from direct import ldap
from direct.directory import MOST_ENTRIES, Directory, normal
from direct.ldap import Entry, Search
from direct.ldap_filter import Equals, Present
from direct.publication import (
    Listing,
    NothingToPublish,
    context_of,
    entries,
    ldif,
    listings,
    zone_lines,
)
from tests.certificates import leaf

DOMAIN = "direct.plan.test"
ADDRESS = f"Dr.A+x@{DOMAIN}"
BY_ADDRESS = leaf("publication address", address=ADDRESS).certificate
BY_DOMAIN = leaf("publication domain", host=DOMAIN).certificate
OLDER = leaf("publication older", host=DOMAIN, kind="p256").certificate
OURS = listings([BY_ADDRESS, BY_DOMAIN, OLDER], [DOMAIN])
DERS = {one: one.public_bytes(Encoding.DER) for one in (BY_ADDRESS, BY_DOMAIN, OLDER)}


def test_a_certificate_is_listed_by_what_it_is_bound_to() -> None:
    assert OURS == (
        Listing(DOMAIN, DOMAIN, (DERS[BY_DOMAIN], DERS[OLDER])),
        Listing(f"dr.a+x@{DOMAIN}", DOMAIN, (DERS[BY_ADDRESS],)),
    )


@pytest.mark.parametrize("named", [
    {"host": "other.test"}, {"address": "a@other.test"}, {"host": f"*.{DOMAIN}"},
    {"host": f"sub.{DOMAIN}"}, {"address": f"a@sub.{DOMAIN}"}, {},
])  # fmt: skip
def test_what_is_bound_to_nothing_of_ours_is_no_mistake_in_silence(named: dict[str, str]) -> None:
    certificate = leaf(f"publication {named}", kind="p256", **named).certificate  # type: ignore[arg-type]
    with pytest.raises(NothingToPublish):
        listings([BY_DOMAIN, certificate], [DOMAIN])


def test_the_lines_are_read_by_a_dns_library_as_what_they_say() -> None:
    head = f"{DOMAIN}. 60 IN SOA ns.test. host.test. 1 2 3 4 5\n{DOMAIN}. 60 IN NS ns.test.\n"
    lines = zone_lines(OURS, ttl_seconds=600, server=("ldap.test", 1389))
    zone = dns.zone.from_text(head + lines, origin=f"{DOMAIN}.", relativize=False)
    by_domain = zone.get_rdataset(f"{DOMAIN}.", dns.rdatatype.CERT)
    assert by_domain is not None
    assert {one.certificate for one in by_domain} == {DERS[BY_DOMAIN], DERS[OLDER]}
    by_address = zone.get_rdataset(f"dr.a+x.{DOMAIN}.", dns.rdatatype.CERT)
    assert by_address is not None
    assert [(one.certificate_type, one.certificate) for one in by_address] == [
        (1, DERS[BY_ADDRESS])
    ]
    service = zone.get_rdataset(f"_ldap._tcp.{DOMAIN}.", dns.rdatatype.SRV)
    assert [one.to_text() for one in service or ()] == ["0 0 1389 ldap.test."]


def test_what_means_something_in_a_zone_file_is_escaped() -> None:
    odd = listings([leaf("odd", address=f'a;$"(b@{DOMAIN}', kind="p256").certificate], [DOMAIN])
    zone = dns.zone.from_text(
        f"{DOMAIN}. 60 IN SOA n. h. 1 2 3 4 5\n{DOMAIN}. 60 IN NS n.\n"
        + zone_lines(odd, ttl_seconds=60),
        origin=f"{DOMAIN}.",
        relativize=False,
    )
    labels = [name.labels[0] for name in zone.nodes if len(name.labels) == 5]
    assert labels == [b'a;$"(b']


def test_an_address_that_dns_cannot_name_is_in_ldap_alone() -> None:
    local = "x" * 64
    found = listings([leaf("long", address=f"{local}@{DOMAIN}", kind="p256").certificate], [DOMAIN])
    assert zone_lines(found, ttl_seconds=60) == ""
    assert entries(found)[-1].name == f"mail={local}@{DOMAIN},{context_of(DOMAIN)}"


def test_ldif_has_the_entries_with_what_inetorgperson_demands() -> None:
    text = ldif(entries(OURS))
    assert max(map(len, text.splitlines())) <= 76
    whole = text.replace("\n ", "")
    first, *others = whole.split("\n\n")
    assert first.splitlines()[0] == "dn: dc=direct,dc=plan,dc=test"
    assert [block.splitlines()[0] for block in others] == [
        "dn: mail=direct.plan.test,dc=direct,dc=plan,dc=test",
        "dn: mail=dr.a\\+x@direct.plan.test,dc=direct,dc=plan,dc=test",
    ]
    values = re.findall(r"^userCertificate;binary:: (.*)$", others[1], re.MULTILINE)
    assert [base64.b64decode(value) for value in values] == [DERS[BY_ADDRESS]]
    for needed in ("cn: ", "sn: ", "mail: ", "objectClass: inetOrgPerson"):
        assert f"\n{needed}" in others[1]


# ---- searching -------------------------------------------------------------------------------

DIRECTORY = Directory((context_of(DOMAIN),), entries(OURS))
CONTEXT = context_of(DOMAIN)


def names(search: Search) -> list[str]:
    return [entry.name.partition(",")[0] for entry in DIRECTORY.search(search)[0]]


def by_mail(base: str = CONTEXT, scope: int = ldap.SUBTREE, mail: str = ADDRESS) -> Search:
    return Search(base, scope, Equals("mail", mail.encode()))


def test_the_root_says_where_entries_are() -> None:
    root = Search("", ldap.BASE, Present("objectClass"), ("namingContexts",))
    assert DIRECTORY.search(root) == (
        (Entry("", (("namingContexts", (CONTEXT.encode(),)),)),), ldap.SUCCESS,
    )  # fmt: skip


@pytest.mark.parametrize("base", ["", CONTEXT, "DC=Direct , dc=plan,DC=TEST", "dc=plan,dc=test"])
def test_an_entry_is_found_below_its_contexts(base: str) -> None:
    assert names(by_mail(base)) == [f"mail=dr.a\\+x@{DOMAIN}"]


def test_a_base_that_is_not_here_is_said_to_be_none() -> None:
    assert DIRECTORY.search(by_mail("dc=elsewhere")) == ((), ldap.NO_SUCH_OBJECT)
    assert DIRECTORY.search(by_mail("c=test")) == ((), ldap.NO_SUCH_OBJECT)


def test_scopes_are_kept() -> None:
    everything = Present("objectClass")
    assert names(Search(CONTEXT, ldap.BASE, everything)) == ["dc=direct"]
    assert len(names(Search(CONTEXT, ldap.ONE_LEVEL, everything))) == 2
    assert len(names(Search(CONTEXT, ldap.SUBTREE, everything))) == 3
    own = f"mail=dr.a\\+x@{DOMAIN},{CONTEXT}"
    assert names(by_mail(own, ldap.BASE)) == [f"mail=dr.a\\+x@{DOMAIN}"]


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (("userCertificate;binary",), ["userCertificate;binary"]),
        (("usercertificate",), ["userCertificate;binary"]),
        (("1.1",), []),
        (("cn", "mail"), ["cn", "mail"]),
        ((), ["objectClass", "cn", "sn", "mail", "userCertificate;binary"]),
        (("*",), ["objectClass", "cn", "sn", "mail", "userCertificate;binary"]),
    ],
)
def test_only_the_attributes_asked_for_are_given(asked: tuple[str, ...], given: list[str]) -> None:
    search = Search(CONTEXT, ldap.SUBTREE, Equals("mail", ADDRESS.encode()), asked)
    ((entry,), _) = DIRECTORY.search(search)
    assert [name for name, _ in entry.attributes] == given


def test_nobody_gets_the_list_of_all() -> None:
    many = tuple(
        Entry(f"mail={number},{CONTEXT}", (("mail", (b"%d" % number,)),)) for number in range(100)
    )
    directory = Directory((CONTEXT,), many)
    found, code = directory.search(Search(CONTEXT, ldap.SUBTREE, Present("mail")))
    assert (len(found), code) == (MOST_ENTRIES, ldap.SIZE_LIMIT_EXCEEDED)
    found, code = directory.search(Search(CONTEXT, ldap.SUBTREE, Present("mail"), size_limit=3))
    assert (len(found), code) == (3, ldap.SIZE_LIMIT_EXCEEDED)


def test_names_are_compared_without_case_and_blanks_but_with_escapes() -> None:
    assert normal("CN = A\\,b , dc=X") == "cn=a\\,b,dc=x"
