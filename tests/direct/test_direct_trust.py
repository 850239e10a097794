"""A certificate speaks for an address, in force, strong, chained and not revoked, or it is refused.

The signers of ETT's "Send Direct message" list each have their test, by their name there.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, ExtensionOID

from direct.chain import Rule
from direct.trust import STRICT, Strictness, TrustAnchor, Usage, Verdict, judge
from ihe.revocation import Answer, NotThere, Question
from tests.certificates import NOW, Issued
from tests.direct_certificates import DAY, MailAuthority, named, unreadable_subject, usage
from tests.issuers import HOUR

ROOT = MailAuthority("Root", NOW, "http://root.example")
ISSUING = MailAuthority("Issuing", NOW, "http://issuing.example", above=ROOT)
STRANGER = MailAuthority("Stranger", NOW, "http://stranger.example")
ADDRESS = "drsmith@direct.clinic.example"
DOMAIN = "direct.clinic.example"

Web = dict[str, Callable[[], Answer]]


def web() -> Web:
    """What is at each address; whatever else is asked for is not there."""
    return {one.crl_url: one.crl for one in (ROOT, ISSUING, STRANGER)} | {
        one.issuer_url: (lambda one=one: one.certificate.public_bytes(Encoding.DER))  # type: ignore[misc]
        for one in (ROOT, ISSUING, STRANGER)
    }


def judged(
    leaf: Issued,
    *,
    address: str = ADDRESS,
    others: Sequence[x509.Certificate] = (ISSUING.certificate,),
    anchors: Sequence[x509.Certificate] = (ROOT.certificate,),
    usage: Usage = "sign",
    at: Web | None = None,
    strictness: Strictness = STRICT,
    asked: list[str] | None = None,
) -> Verdict:
    """The verdict once every question has its answer."""
    answers: dict[Question, Answer] = {}
    served = web() if at is None else at
    for _ in range(20):
        verdict = judge(
            leaf.certificate,
            address=address,
            others=others,
            anchors=[TrustAnchor(anchor, "test bundle") for anchor in anchors],
            usage=usage,
            answers=answers,
            now=NOW,
            strictness=strictness,
        )
        if isinstance(verdict, Verdict):
            return verdict
        question = verdict.question
        assert question not in answers
        answers[question] = served.get(question.url, lambda: None)()
        if asked is not None:
            asked.append(question.url)
    raise AssertionError("it never ends")


def refused(leaf: Issued, rule: Rule, **how: object) -> str:
    """The reason of the only refusal, which rests on `rule`."""
    verdict = judged(leaf, **how)  # type: ignore[arg-type]
    assert not verdict.trusted
    assert [one.rule for one in verdict.refusals] == [rule], verdict.reasons
    return verdict.reasons[0]


# ---- ETT's signers, each by its name there ---------------------------------------------------


def test_ett_good_is_accepted_by_address_and_by_domain() -> None:
    bound = judged(ISSUING.leaf(ADDRESS))
    assert (bound.trusted, bound.binding) == (True, "address")
    assert bound.chain[1:] == (ISSUING.certificate, ROOT.certificate)
    assert bound.anchor is not None
    assert bound.anchor.source == "test bundle"
    by_domain = judged(ISSUING.leaf(DOMAIN))
    assert (by_domain.trusted, by_domain.binding) == (True, "domain")


@pytest.mark.parametrize("kind", ["p256", "p384"])
def test_ett_good_ecdsa_cert_is_accepted(kind: str) -> None:
    authority = MailAuthority("EC", NOW, ISSUING.base, above=ROOT, kind=kind)
    leaf = authority.leaf(ADDRESS, kind=kind, digest=hashes.SHA384())
    at = {**web(), authority.crl_url: authority.crl}
    assert judged(leaf, others=[authority.certificate], at=at).trusted


@pytest.mark.parametrize("kind", ["rsa3072", "rsa4096"])
def test_ett_cert_with_3072_and_4096_bits_are_accepted(kind: str) -> None:
    assert judged(ISSUING.leaf(ADDRESS, kind=kind)).trusted


def test_ett_invalid_cert_bound_to_another_address_is_refused() -> None:
    other = ISSUING.leaf("drjones@direct.clinic.example")
    assert refused(other, Rule.BINDING) == (
        "the certificate is not bound to the address:"
        " it is bound to another address of the same domain"
    )
    assert "another address or domain" in refused(ISSUING.leaf("a@else.example"), Rule.BINDING)
    assert "another address or domain" in refused(ISSUING.leaf("else.example"), Rule.BINDING)


def test_ett_expired_is_refused() -> None:
    leaf = ISSUING.leaf(ADDRESS, begin=-9 * DAY, end=-timedelta(seconds=1))
    assert refused(leaf, Rule.VALIDITY) == "the certificate has expired"


def test_ett_different_trust_anchor_is_refused() -> None:
    reason = refused(STRANGER.leaf(ADDRESS), Rule.ANCHOR)
    assert reason == "it does not chain to any anchor that we trust"
    assert "no anchor to trust" in refused(ISSUING.leaf(ADDRESS), Rule.ANCHOR, anchors=())


def test_ett_bad_aia_is_refused() -> None:
    """The issuer is neither in the message nor where the certificate says."""
    leaf = ISSUING.leaf(ADDRESS, issuer=True)
    reason = refused(leaf, Rule.ANCHOR, others=(), at={ISSUING.crl_url: ISSUING.crl})
    assert reason == "the certificate of its issuer cannot be had where it says, or is not there"
    for wrong in (b"<html>not found</html>", STRANGER.certificate.public_bytes(Encoding.DER)):
        at = {**web(), ISSUING.issuer_url: lambda wrong=wrong: wrong}
        refused(leaf, Rule.ANCHOR, others=(), at=at)


def test_ett_wild_card_domain_is_refused() -> None:
    for name in ("*.clinic.example", "*.direct.clinic.example"):
        assert "a wildcard binds no address" in refused(ISSUING.leaf(name), Rule.BINDING)


def test_ett_cert_less_than_2048_bits_is_refused() -> None:
    leaf = ISSUING.leaf(ADDRESS, kind="rsa1024")
    assert refused(leaf, Rule.KEY) == "the certificate has an RSA key of fewer than 2048 bits"


@pytest.mark.parametrize("missing", [0, 1], ids=["no_notbefore", "no_notafter"])
def test_ett_cert_without_notbefore_or_notafter_cannot_be_read(missing: int) -> None:
    """X.509 knows no such certificate: reading it fails before anything is judged."""
    der = ISSUING.leaf(ADDRESS).certificate.public_bytes(Encoding.DER)
    begin = der.index(b"\x30\x1e\x17\x0d")
    times = [der[begin + 2 : begin + 17], der[begin + 17 : begin + 32]]
    with pytest.raises(ValueError, match=r"parsing|parse"):
        x509.load_der_x509_certificate(without(der, b"\x30\x0f" + times[1 - missing], begin))


def test_ett_notbefore_in_the_future_is_refused() -> None:
    leaf = ISSUING.leaf(ADDRESS, begin=HOUR)
    assert refused(leaf, Rule.VALIDITY) == "the certificate is not yet in force"


def test_ett_no_crl_is_refused_unless_the_bundle_allows_it() -> None:
    leaf = ISSUING.leaf(ADDRESS, crl=False)
    reason = refused(leaf, Rule.REVOCATION_UNKNOWN)
    assert reason == "the certificate names no list in which its revocation could be seen"
    verdict = judged(leaf, strictness=Strictness(no_source="accept"))
    assert verdict.trusted
    assert verdict.remarks == (reason,)
    lenient = TrustAnchor(ROOT.certificate, "lenient", Strictness(no_source="accept"))
    answers = {Question("crl", ROOT.crl_url): ROOT.crl()}
    by_bundle = judge(
        leaf.certificate,
        address=ADDRESS,
        others=[ISSUING.certificate],
        anchors=[lenient],
        usage="sign",
        answers=answers,
        now=NOW,
    )
    assert isinstance(by_bundle, Verdict)
    assert by_bundle.trusted


def test_ett_cert_with_email_address_is_bound_only_to_that_address() -> None:
    leaf = ISSUING.leaf(subject=named("Smith", email=ADDRESS))
    assert judged(leaf).binding == "address"
    refused(leaf, Rule.BINDING, address="drjones@direct.clinic.example")


def without(der: bytes, validity: bytes, begin: int) -> bytes:
    """The certificate with another validity; lengths are made to fit, its signature is not."""
    tbs = der[8:begin] + validity + der[begin + 32 :]
    size = int.from_bytes(der[6:8], "big") - 32 + len(validity)
    whole = int.from_bytes(der[2:4], "big") - 32 + len(validity)
    return der[:2] + whole.to_bytes(2, "big") + der[4:6] + size.to_bytes(2, "big") + tbs


# ---- binding ---------------------------------------------------------------------------------


def test_a_domain_above_binds_nothing_below_it() -> None:
    assert "domain above" in refused(ISSUING.leaf("clinic.example"), Rule.BINDING)
    assert "domain below" in refused(ISSUING.leaf("x.direct.clinic.example"), Rule.BINDING)
    assert "neither" in refused(ISSUING.leaf(), Rule.BINDING)


@pytest.mark.parametrize("name", ["DrSmith@Direct.Clinic.Example", "DIRECT.CLINIC.EXAMPLE"])
def test_letters_are_compared_without_regard_to_case(name: str) -> None:
    assert judged(ISSUING.leaf(name)).trusted
    assert judged(ISSUING.leaf(name), address=ADDRESS.upper()).trusted


@pytest.mark.parametrize(
    "address",
    [
        "drsmith@direct.clinic.example\0.evil.example",
        "drsmith\0@direct.clinic.example",
        "drsmith@direct.clinic.example ",
        "x@evil.example,drsmith@direct.clinic.example",
        "drsmith@@direct.clinic.example",
        "x@evil.example@direct.clinic.example",
        "drsmith@direct.clinic.example.",
        "drsmith@direct..example",
        "drsmith@*.clinic.example",
        "drsmith@direct.\u212almnic.example",
        "drsmith@direct.cl\u0131nic.example",
        "drsm\u00efth@direct.clinic.example",
        "drsmith@",
        "",
        "a" * 300 + "@direct.clinic.example",
    ],
)
def test_what_is_no_address_is_bound_to_nothing(address: str) -> None:
    reason = refused(ISSUING.leaf(ADDRESS, DOMAIN), Rule.BINDING, address=address)
    assert "is not one" in reason
    assert "clinic" not in reason


def test_a_nul_in_a_name_ends_nothing() -> None:
    """A reader in C would stop at the NUL and see the address."""
    for tag, name in (
        (0x81, f"{ADDRESS}\0@evil.example"),
        (0x81, f"{ADDRESS}\0"),
        (0x82, f"{DOMAIN}\0.evil.example"),
        (0x82, f"{DOMAIN}\0"),
    ):
        inner = bytes([tag, len(name)]) + name.encode("ascii")
        names = x509.UnrecognizedExtension(
            ExtensionOID.SUBJECT_ALTERNATIVE_NAME, bytes([0x30, len(inner)]) + inner
        )
        verdict = judged(ISSUING.leaf(more=[(names, False)]))
        assert Rule.BINDING in {one.rule for one in verdict.refusals}


def test_an_internationalised_domain_is_bound_as_dns_spells_it() -> None:
    leaf = ISSUING.leaf("xn--kln-0na.example")
    assert judged(leaf, address="dr@xn--kln-0na.example").trusted
    refused(leaf, Rule.BINDING, address="dr@k\u00f6ln.example")


def test_an_old_email_address_beside_newer_names_counts_nothing() -> None:
    leaf = ISSUING.leaf("other@else.example", subject=named("Smith", email=ADDRESS))
    refused(leaf, Rule.BINDING)
    common_name = ISSUING.leaf(subject=named(ADDRESS))
    refused(common_name, Rule.BINDING)


# ---- use -------------------------------------------------------------------------------------


def test_single_use_certificates_serve_their_one_use() -> None:
    signing = ISSUING.leaf(ADDRESS, usages=["digital_signature"])
    sealing = ISSUING.leaf(ADDRESS, usages=["key_encipherment"])
    assert judged(signing, usage="sign").trusted
    assert judged(sealing, usage="encrypt").trusted
    assert "used to encrypt" in refused(signing, Rule.USAGE, usage="encrypt")
    assert "used to sign" in refused(sealing, Rule.USAGE, usage="sign")
    assert judged(ISSUING.leaf(ADDRESS, usages=None), usage="encrypt").trusted


def test_an_ec_key_is_encrypted_to_by_agreement() -> None:
    agreeing = ISSUING.leaf(ADDRESS, kind="p256", usages=["key_agreement"])
    assert judged(agreeing, usage="encrypt").trusted
    transport = ISSUING.leaf(ADDRESS, kind="p256", usages=["key_encipherment"])
    refused(transport, Rule.USAGE, usage="encrypt")


def test_a_certificate_made_for_something_else_is_refused() -> None:
    mail = ISSUING.leaf(ADDRESS, purposes=[ExtendedKeyUsageOID.EMAIL_PROTECTION])
    assert judged(mail).trusted
    server = ISSUING.leaf(ADDRESS, purposes=[ExtendedKeyUsageOID.SERVER_AUTH])
    assert refused(server, Rule.USAGE) == "the certificate is not made for mail"


def test_an_authority_signs_no_mail() -> None:
    names = x509.SubjectAlternativeName([x509.DNSName(DOMAIN)])
    authority = MailAuthority("CA", NOW, above=ROOT, extensions=[(names, False)])
    verdict = judged(authority.issued)  # type: ignore[arg-type]
    assert "the certificate is that of an authority, not of an address" in verdict.reasons


# ---- chains ----------------------------------------------------------------------------------

BELOW = MailAuthority("Below", NOW, "http://below.example", above=ISSUING)


def with_below(**more: Callable[[], bytes | None]) -> Web:
    return {**web(), BELOW.crl_url: BELOW.crl, BELOW.issuer_url: der_of(BELOW)} | more


def der_of(authority: MailAuthority) -> Callable[[], bytes]:
    return lambda: authority.certificate.public_bytes(Encoding.DER)


def test_intermediates_are_fetched_from_where_certificates_say() -> None:
    asked: list[str] = []
    verdict = judged(BELOW.leaf(ADDRESS, issuer=True), others=(), at=with_below(), asked=asked)
    assert verdict.trusted
    assert verdict.chain[1:] == (BELOW.certificate, ISSUING.certificate, ROOT.certificate)
    assert asked[:2] == [BELOW.issuer_url, ISSUING.issuer_url]


@pytest.mark.parametrize("encoding", [Encoding.DER, Encoding.PEM])
def test_intermediates_come_in_a_bag_too(encoding: Encoding) -> None:
    bag = pkcs7.serialize_certificates(
        [STRANGER.certificate, ISSUING.certificate, BELOW.certificate], encoding
    )
    at = with_below(**{BELOW.issuer_url: lambda: bag, ISSUING.issuer_url: lambda: None})
    leaf = BELOW.leaf(ADDRESS, issuer=True)
    assert not judged(leaf, others=(), at=at).trusted, "the bag is that of one address alone"
    at[ISSUING.issuer_url] = lambda: bag
    assert judged(leaf, others=(), at=at).trusted


def test_an_intermediate_may_be_the_anchor() -> None:
    verdict = judged(ISSUING.leaf(ADDRESS), others=(), anchors=[ISSUING.certificate])
    assert verdict.trusted
    assert verdict.chain[1:] == (ISSUING.certificate,)


def test_nothing_is_asked_for_who_is_refused_anyway() -> None:
    asked: list[str] = []
    judged(BELOW.leaf("else.example", issuer=True), others=(), at=with_below(), asked=asked)
    judged(BELOW.leaf(ADDRESS, issuer=True, end=-HOUR), others=(), at=with_below(), asked=asked)
    assert asked == []


def test_a_certificate_that_names_many_places_is_not_fetched_from_all() -> None:
    """A stranger's certificate would have us ask whomever it likes."""
    places = x509.AuthorityInformationAccess(
        x509.AccessDescription(
            AuthorityInformationAccessOID.CA_ISSUERS,
            x509.UniformResourceIdentifier(f"http://place{number}.example/"),
        )
        for number in range(15)
    )
    asked: list[str] = []
    leaf = BELOW.leaf(ADDRESS, more=[(places, False)])
    assert not judged(leaf, others=(), at={}, asked=asked).trusted
    assert len(asked) == 6


def test_a_message_full_of_namesakes_is_not_looked_through() -> None:
    """Each costs the check of a signature, and each could be the issuer."""
    namesake = MailAuthority("Issuing", NOW, above=STRANGER).certificate
    crowd = [*[namesake] * 200, ISSUING.certificate]
    reason = refused(ISSUING.leaf(ADDRESS), Rule.ANCHOR, others=crowd)
    assert reason == "the message brings too many certificates to look through"


def test_a_certificate_of_the_right_name_and_the_wrong_key_is_no_issuer() -> None:
    namesake = MailAuthority("Issuing", NOW, above=STRANGER)
    leaf = namesake.leaf(ADDRESS)
    refused(leaf, Rule.ANCHOR)
    assert judged(ISSUING.leaf(ADDRESS), others=[namesake.certificate, ISSUING.certificate]).trusted


def test_a_faulty_way_does_not_hide_a_good_one() -> None:
    """An expired cross-certificate stands before the one that is in force."""
    old = MailAuthority("Issuing", NOW, ISSUING.base, above=ROOT, lifetime=(-9 * DAY, -DAY))
    leaf = ISSUING.leaf(ADDRESS)
    assert judged(leaf, others=[old.certificate, ISSUING.certificate]).trusted
    reason = refused(leaf, Rule.VALIDITY, others=[old.certificate])
    assert reason == "an intermediate certificate has expired"


def test_an_anchor_whose_names_cannot_be_read_takes_no_other_away() -> None:
    bad = x509.load_der_x509_certificate(unreadable_subject("Some network"))
    for anchors in ([bad, ROOT.certificate], [ROOT.certificate, bad]):
        assert judged(ISSUING.leaf(ADDRESS), anchors=anchors).trusted
    refused(STRANGER.leaf(ADDRESS), Rule.ANCHOR, anchors=[bad])


def test_an_expired_anchor_is_none() -> None:
    old = MailAuthority("Old", NOW, lifetime=(-9 * DAY, -DAY))
    reason = refused(old.leaf(ADDRESS), Rule.VALIDITY, anchors=[old.certificate])
    assert reason == "the anchor has expired"


@pytest.mark.parametrize("kind", ["rsa1024"])
def test_weak_keys_above_the_certificate_are_refused(kind: str) -> None:
    weak = MailAuthority("Weak", NOW, above=ROOT, kind=kind)
    reason = refused(weak.leaf(ADDRESS), Rule.KEY, others=[weak.certificate])
    assert reason == "an intermediate certificate has an RSA key of fewer than 2048 bits"
    anchor = MailAuthority("Weak root", NOW, kind=kind)
    reason = refused(anchor.leaf(ADDRESS), Rule.KEY, anchors=[anchor.certificate])
    assert reason == "the anchor has an RSA key of fewer than 2048 bits"


def test_weak_signatures_in_the_chain_are_refused() -> None:
    """SHA-224 stands for all that is not SHA-256 to SHA-512: SHA-1 can no longer be made here."""
    leaf = ISSUING.leaf(ADDRESS, digest=hashes.SHA224())
    text = "is signed with an algorithm that we do not take"
    assert refused(leaf, Rule.ALGORITHM) == f"the certificate {text}"
    weak = MailAuthority("Weakly", NOW, above=ROOT, digest=hashes.SHA224())
    below = weak.leaf(ADDRESS, digest=hashes.SHA256())
    reason = refused(below, Rule.ALGORITHM, others=[weak.certificate])
    assert reason == f"an intermediate certificate {text}"
    root = MailAuthority("Old root", NOW, digest=hashes.SHA224())
    verdict = judged(
        root.leaf(ADDRESS, digest=hashes.SHA256()),
        anchors=[root.certificate],
        strictness=Strictness(revocation="off"),
    )
    assert verdict.trusted, "an anchor's signature on itself proves nothing and costs nothing"


def test_pss_is_taken_with_sha_2_alone() -> None:
    authority = MailAuthority("PSS", NOW, ISSUING.base, above=ROOT, kind="rsa")
    at = {**web(), authority.crl_url: authority.crl}
    good = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    leaf = authority.leaf(ADDRESS, pss=good)
    assert judged(leaf, others=[authority.certificate], at=at).trusted


def test_whoever_is_no_authority_issues_nothing() -> None:
    """The flaw that RFC 5280: 4.2.1.9 is against: any certificate could make others."""
    holder = MailAuthority("Holder", NOW, above=ROOT, may_issue=False)
    reason = refused(holder.leaf(ADDRESS), Rule.CHAIN, others=[holder.certificate])
    assert reason == "an intermediate certificate is not that of an authority"
    signer = ((usage("crl_sign"), True),)
    mute = MailAuthority("Mute", NOW, above=ROOT, may_issue=False, extensions=signer)
    assert not judged(mute.leaf(ADDRESS), others=[mute.certificate]).trusted


def test_a_chain_longer_than_its_authority_allows_is_refused() -> None:
    short = MailAuthority("Short", NOW, path_length=0)
    middle = MailAuthority("Middle", NOW, above=short)
    anchors, others = [short.certificate], [middle.certificate]
    reason = refused(middle.leaf(ADDRESS), Rule.CHAIN, anchors=anchors, others=others)
    assert reason == "the anchor does not allow so long a chain below it"
    served = {**web(), short.crl_url: short.crl}
    assert judged(short.leaf(ADDRESS), anchors=anchors, at=served).trusted


def test_name_constraints_bind() -> None:
    """RFC 5280: 4.2.1.10: an authority for other domains may not certify this one."""
    for permitted, is_trusted in (("direct.clinic.example", True), ("else.example", False)):
        names = x509.NameConstraints([x509.DNSName(permitted)], None)
        bound = MailAuthority("Bound", NOW, ISSUING.base, above=ROOT, extensions=[(names, True)])
        at = {**web(), bound.crl_url: bound.crl}
        verdict = judged(bound.leaf(DOMAIN), others=[bound.certificate], at=at)
        assert verdict.trusted is is_trusted, verdict.reasons
        if not is_trusted:
            assert [one.rule for one in verdict.refusals] == [Rule.CHAIN]


def test_an_unknown_critical_extension_is_refused() -> None:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.999.1"), b"\x05\x00")
    refused(ISSUING.leaf(ADDRESS, more=[(unknown, True)]), Rule.CHAIN)
    assert judged(ISSUING.leaf(ADDRESS, more=[(unknown, False)])).trusted


def test_extensions_that_cannot_be_read_are_refused() -> None:
    broken = x509.UnrecognizedExtension(ExtensionOID.CERTIFICATE_POLICIES, b"\x30\x7f")
    assert not judged(ISSUING.leaf(ADDRESS, more=[(broken, False)])).trusted
    holder = MailAuthority("Broken", NOW, above=ROOT, extensions=[(broken, False)])
    reason = refused(holder.leaf(ADDRESS), Rule.CHAIN, others=[holder.certificate])
    assert reason == "the extensions of an intermediate certificate cannot be read"


def test_a_crowd_of_namesakes_costs_no_more_than_the_limit() -> None:
    """Each certificate could have issued each other: without a limit the ways are countless."""
    crowd = [MailAuthority("Crowd", NOW) for _ in range(40)]
    others = [one.certificate for one in crowd]
    reason = refused(crowd[0].leaf(ADDRESS), Rule.ANCHOR, others=others)
    assert reason == "the message brings too many certificates to look through"


def test_links_that_lead_on_for_ever_are_left() -> None:
    """Each answer is a certificate that names another address for its own issuer."""
    authorities = [MailAuthority("Hop 0", NOW, "http://hop0.example")]
    for number in range(1, 12):
        authorities.append(
            MailAuthority(
                f"Hop {number}", NOW, f"http://hop{number}.example", above=authorities[-1]
            )
        )
    at = {one.issuer_url: der_of(one) for one in authorities}
    asked: list[str] = []
    leaf = authorities[-1].leaf(ADDRESS, issuer=True)
    refused(leaf, Rule.ANCHOR, others=(), at=at, asked=asked)
    assert len(asked) <= 6


# ---- revocation ------------------------------------------------------------------------------


def test_the_verdict_says_as_of_when() -> None:
    verdict = judged(ISSUING.leaf(ADDRESS))
    assert [(one.source.kind, one.source.url) for one in verdict.revocation] == [
        ("crl", ISSUING.crl_url),
        ("crl", ROOT.crl_url),
    ]
    assert {one.since for one in verdict.revocation} == {NOW - HOUR}
    assert verdict.until == NOW - HOUR + DAY
    assert verdict.at == NOW
    assert verdict.remarks == ()


def test_a_revoked_certificate_is_refused() -> None:
    leaf = ISSUING.leaf(ADDRESS)
    at = {**web(), ISSUING.crl_url: lambda: revoking(ISSUING, leaf).crl()}
    assert refused(leaf, Rule.REVOKED, at=at) == "the certificate was revoked"
    lax = Strictness("when_reachable", "accept")
    refused(leaf, Rule.REVOKED, at=at, strictness=lax)
    verdict = judged(leaf, at=at, strictness=Strictness("off"))
    assert verdict.trusted
    assert verdict.remarks == ("revocation was not looked up: it is switched off",)


def test_a_revoked_intermediate_is_refused() -> None:
    at = {**web(), ROOT.crl_url: lambda: revoking(ROOT, ISSUING.issued).crl()}
    reason = refused(ISSUING.leaf(ADDRESS), Rule.REVOKED, at=at)
    assert reason == "an intermediate certificate was revoked"


def test_ocsp_is_asked_first_and_believed() -> None:
    leaf = ISSUING.leaf(ADDRESS, ocsp=True)
    good = {**web(), ISSUING.ocsp_url: lambda: ISSUING.ocsp(leaf.certificate)}
    verdict = judged(leaf, at=good)
    assert verdict.trusted
    assert verdict.revocation[0].source.kind == "ocsp"
    revoked = {
        **web(),
        ISSUING.ocsp_url: lambda: revoking(ISSUING, leaf).ocsp(leaf.certificate),
    }
    refused(leaf, Rule.REVOKED, at=revoked)


def test_a_list_that_is_out_of_date_or_not_there_refuses() -> None:
    leaf = ISSUING.leaf(ADDRESS)
    stale = {**web(), ISSUING.crl_url: lambda: ISSUING.crl(at=NOW - 9 * DAY)}
    assert "is out of date" in refused(leaf, Rule.REVOCATION_UNKNOWN, at=stale)
    gone = {**web(), ISSUING.crl_url: lambda: None}
    assert "cannot be reached" in refused(leaf, Rule.REVOCATION_UNKNOWN, at=gone)
    verdict = judged(leaf, at=gone, strictness=Strictness("when_reachable"))
    assert verdict.trusted
    assert "cannot be reached" in verdict.remarks[0]


def test_only_who_could_not_be_reached_makes_a_refusal_temporary() -> None:
    """Whoever waits and asks again may hear something else; what was said stays said."""
    leaf, above = ISSUING.leaf(ADDRESS), ISSUING.leaf(ADDRESS, issuer=True)
    gone = {**web(), ISSUING.crl_url: lambda: None}
    assert judged(leaf, at=gone).is_temporary
    taken_away = {**web(), ISSUING.crl_url: lambda: NotThere(404)}
    assert judged(leaf, at=taken_away).is_temporary
    assert judged(above, others=(), at={**web(), ISSUING.issuer_url: lambda: None}).is_temporary
    stale = {**web(), ISSUING.crl_url: lambda: ISSUING.crl(at=NOW - 9 * DAY)}
    assert not judged(leaf, at=stale).is_temporary
    assert not judged(above, others=(), at={**web(), ISSUING.issuer_url: bytes}).is_temporary
    assert not judged(above, others=(), anchors=(), at={}).is_temporary
    assert not judged(ISSUING.leaf(ADDRESS, crl=False), at=gone).is_temporary
    assert not judged(leaf).is_temporary, "it is trusted"


def test_beside_a_refusal_that_stays_none_is_temporary() -> None:
    listless = MailAuthority("Listless", NOW, above=ISSUING)
    certificates = (listless.certificate, ISSUING.certificate)
    leaf = listless.leaf(ADDRESS, crl=False)
    verdict = judged(leaf, others=certificates, at={**web(), ISSUING.crl_url: lambda: None})
    assert [one.is_temporary for one in verdict.refusals] == [False, True]
    assert not verdict.is_temporary


def test_a_list_of_another_authority_counts_nothing() -> None:
    namesake = MailAuthority("Issuing", NOW, ISSUING.base, above=STRANGER)
    at = {**web(), ISSUING.crl_url: namesake.crl}
    assert "not one of the issuer's" in refused(
        ISSUING.leaf(ADDRESS), Rule.REVOCATION_UNKNOWN, at=at
    )


def revoking(authority: MailAuthority, leaf: object) -> MailAuthority:
    """The authority after it has taken the certificate back."""
    later = MailAuthority.__new__(MailAuthority)
    serial = leaf.certificate.serial_number  # type: ignore[attr-defined]
    later.__dict__.update(authority.__dict__, revoked={serial})
    return later
