"""The Security header, checked (WSS 1.1.1, SAML Token Profile 1.1; DECISIONS 1 to 4).

Strategy: a request proves three things in one chain. The assertion is signed by the partner's own
certificate; the assertion names the key of whoever may use it; that key has signed the Timestamp.
Each step takes only what the step before returned, so there is no moment at which an element
that nobody signed could be mistaken for one that somebody did. Bodies and addresses are not
signed: they are trusted as far as the mutual TLS that carries them (NHIN Messaging Platform).

Whatever goes wrong while checking, including what we did not foresee, is a refusal.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, cast

from cryptography import x509
from lxml import etree

from ccda.safe_xml import Element
from ccda.values import quickly_made
from ihe.errors import SecurityRefused
from ihe.key_info import (
    KeyInfo,
    PublicKey,
    public_key,
    read_certificate,
    read_key_info,
    same_key,
)
from ihe.namespaces import child, children, name
from ihe.saml import (
    BEARER,
    HOLDER_OF_KEY,
    Assertion,
    check_conditions,
    read_assertion,
    read_time,
)
from ihe.signature import Signed, verify
from ihe.trust import Believed, Trust, believed_certificates, is_in_force
from ihe.ws_security import DEFAULT_LIFETIME, X509_TOKEN

DEFAULT_SKEW: Final = timedelta(seconds=60)
# However late a Timestamp says it expires: replay keys are kept for as long as one is fresh.
LONGEST_LIFETIME: Final = timedelta(hours=1)
_MOST_HOLDERS: Final = 8
"""Each may have to be tried, and one key is what everybody names."""

_WSU_ID: Final = name("wsu:Id")
_ASSERTION: Final = name("saml2:Assertion")
_EVIDENCE: Final = [
    name("saml2:Evidence"),
    name("saml2:AuthzDecisionStatement"),
    name("saml2:Assertion"),
]
_ATTRIBUTES: Final = etree.XPath("//@*", smart_strings=False)
_IDS: Final = etree.XPath(
    "//@*[local-name()='ID' or local-name()='Id' or local-name()='id']", smart_strings=False
)


@dataclass(frozen=True, slots=True)
class Expectations:
    """What a request's assertion must meet besides its signature."""

    now: datetime
    skew: timedelta = DEFAULT_SKEW
    audiences: frozenset[str] = field(default_factory=frozenset)
    audience_required: bool = False


@quickly_made
@dataclass(frozen=True, slots=True)
class CheckedRequest:
    """What a verified Security header proves.

    `chain` leads from `signer` to an anchor and is empty for a pinned certificate; revocation is
    for the caller to check. `signature_values` are what an answer confirms; `proof` is the one
    that stands for this message alone. After `fresh_until` the message would be refused anyway.
    """

    assertion: Assertion
    signer: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    proof: str
    signature_values: tuple[str, ...]
    created: datetime
    fresh_until: datetime


@dataclass(frozen=True, slots=True)
class CheckedAnswer:
    """What an answer's Security header proves.

    `signer` is None if its Timestamp is not signed, `created` if there was no header at all;
    `chain` is as in `CheckedRequest`.
    """

    signer: x509.Certificate | None
    created: datetime | None
    chain: tuple[x509.Certificate, ...] = ()


# ---- requests --------------------------------------------------------------------------------


def check_request(header: Element, trust: Trust, expected: Expectations) -> CheckedRequest:
    """What the Security header of a partner's request proves.

    Raises:
        SecurityRefused: anything at all is not as it must be.
    """
    try:
        return _check_request(header, trust, expected)
    except SecurityRefused:
        raise
    except Exception as error:  # the door: whatever fails in verification is a refusal
        raise SecurityRefused(f"verification failed: {type(error).__name__}") from None


def _check_request(header: Element, trust: Trust, expected: Expectations) -> CheckedRequest:
    security = _one_security(header)
    values_around = _values_around(header)
    signed, by = _verify_assertion(security, values_around, trust, expected.now)
    assertion = read_assertion(signed.element)
    check_conditions(
        signed.element,
        assertion,
        now=expected.now,
        skew=expected.skew,
        audiences=expected.audiences,
        audience_required=expected.audience_required,
    )
    holders = _holders(signed.element, by, expected)
    if not holders and not (trust.bearer_accepted and _is_for_bearer(signed.element, expected)):
        raise SecurityRefused("the assertion confirms no holder of a key")
    timestamp = _one(security, "wsu:Timestamp")
    values: tuple[str, ...] = ()
    # A bearer need not prove a key; if there is a proof all the same, it is looked at.
    if holders or _signatures(security):
        holders = holders or [_Holder(public_key(by.certificate), by.certificate)]
        proven = _verify_timestamp(security, timestamp, holders, values_around, expected.now)
        timestamp, values = proven.element, (proven.value,)
    created, fresh_until = _check_time(timestamp, expected.now, expected.skew)
    proof = values[0] if values else signed.value
    return CheckedRequest(assertion, by.certificate, by.chain, proof, values, created, fresh_until)


def _one_security(header: Element) -> Element:
    found = children(header, "wsse:Security")
    if len(found) != 1:
        raise SecurityRefused(
            "there is not exactly one wsse:Security header", subcode="wsse:InvalidSecurity"
        )
    return found[0]


def _one(parent: Element, prefixed: str) -> Element:
    found = children(parent, prefixed)
    if len(found) != 1:
        local = etree.QName(parent).localname
        raise SecurityRefused(
            f"{local} has not exactly one {prefixed}", subcode="wsse:InvalidSecurity"
        )
    return found[0]


def _signatures(security: Element) -> list[Element]:
    return children(security, "ds:Signature")


# ---- the assertion ---------------------------------------------------------------------------


def _verify_assertion(
    security: Element, values_around: list[str], trust: Trust, now: datetime
) -> tuple[Signed, Believed]:
    """The one assertion that is an identity, verified by its own Signature (DECISIONS 1)."""
    element = _one(security, "saml2:Assertion")
    _refuse_other_assertions(element)
    _refuse_same_id(element, values_around, element.get("ID", ""))
    signature = _one(element, "ds:Signature")
    believed = believed_certificates(read_key_info(child(signature, "ds:KeyInfo")), trust, now=now)
    holders = [_Holder(public_key(one.certificate), one.certificate) for one in believed]
    signed, index = _verify_with_any(element, signature, holders, now)
    return signed, believed[index]


def _refuse_other_assertions(identity: Element) -> None:
    """An assertion may stand in the identity's Evidence, as its content; nowhere else."""
    for other in identity.getroottree().iter(_ASSERTION):
        if other is identity:
            continue
        ancestors = list(islice(other.iterancestors(), 3))
        if [ancestor.tag for ancestor in ancestors] != _EVIDENCE or ancestors[-1] is not identity:
            raise SecurityRefused("an assertion stands where none may")


def _values_around(element: Element) -> list[str]:
    """The values of all attributes in the message that the element stands in."""
    return cast(list[str], _ATTRIBUTES(element.getroottree()))


def _refuse_same_id(element: Element, values_around: list[str], identifier: str) -> None:
    """A second element of this id could be taken for the signed one, here or by others.

    What no other attribute says is no other's id either; only else it is asked which are ids.
    """
    if identifier and values_around.count(identifier) == 1:
        return
    if not identifier or _IDS(element.getroottree()).count(identifier) != 1:
        raise SecurityRefused("the id of a signed element is empty or not its own")


# ---- who holds the key -----------------------------------------------------------------------


@quickly_made
@dataclass(frozen=True, slots=True)
class _Holder:
    """A key that may have signed, and its certificate if it came with one."""

    key: PublicKey
    certificate: x509.Certificate | None


def _confirmations(assertion: Element, method: str) -> list[Element]:
    return [
        found
        for subject in children(assertion, "saml2:Subject")
        for found in children(subject, "saml2:SubjectConfirmation")
        if found.get("Method") == method
    ]


def _holders(assertion: Element, by: Believed, expected: Expectations) -> list[_Holder]:
    """The keys whose holders may use a holder-of-key assertion; none if it is of another kind.

    They are those it names (WSS SAML 1.1: 3.5.1), and the key that signed it: whoever could have
    issued itself an assertion for its own key needs no other.
    """
    confirmations = _confirmations(assertion, HOLDER_OF_KEY)
    holders = [
        holder
        for confirmation in confirmations
        for data in children(confirmation, "saml2:SubjectConfirmationData")
        if _is_current(data, expected)
        for holder in _read_holder(data, expected.now)
    ]
    if len(holders) > _MOST_HOLDERS:
        raise SecurityRefused("the assertion confirms more keys than are tried")
    if confirmations:
        holders.append(_Holder(public_key(by.certificate), by.certificate))
    return holders


def _is_for_bearer(assertion: Element, expected: Expectations) -> bool:
    """Whether a confirmation lets whoever bears it use the assertion, and does so now."""
    return any(
        all(
            _is_current(data, expected) for data in children(found, "saml2:SubjectConfirmationData")
        )
        for found in _confirmations(assertion, BEARER)
    )


def _is_current(data: Element, expected: Expectations) -> bool:
    """Whether a confirmation's own bounds hold (SAML Core: 2.4.1.2)."""
    begin, end = read_time(data.get("NotBefore")), read_time(data.get("NotOnOrAfter"))
    return (begin is None or expected.now + expected.skew >= begin) and (
        end is None or expected.now - expected.skew < end
    )


def _read_holder(data: Element, now: datetime) -> list[_Holder]:
    found = []
    for key_info in children(data, "ds:KeyInfo"):
        hints = read_key_info(key_info)
        certificate = hints.certificates[0] if hints.certificates else None
        if certificate is not None and not is_in_force(certificate, now=now):
            continue
        key = hints.key if certificate is None else public_key(certificate)
        if key is None:
            continue
        if hints.key is not None and not same_key(hints.key, key):
            raise SecurityRefused("a SubjectConfirmationData names two different keys")
        found.append(_Holder(key, certificate))
    return found


# ---- the Timestamp ---------------------------------------------------------------------------


def _verify_timestamp(
    security: Element,
    timestamp: Element,
    holders: list[_Holder],
    values_around: list[str],
    now: datetime,
) -> Signed:
    signature = _one(security, "ds:Signature")
    _refuse_same_id(timestamp, values_around, timestamp.get(_WSU_ID, ""))
    hint = read_key_info(child(signature, "ds:KeyInfo")).key
    if hint is not None:
        holders = [holder for holder in holders if same_key(holder.key, hint)]
    signed, _ = _verify_with_any(timestamp, signature, holders, now)
    return signed


def _verify_with_any(
    target: Element, signature: Element, holders: list[_Holder], now: datetime
) -> tuple[Signed, int]:
    """What one of the keys signed, and the index of the first that did."""
    refusal = SecurityRefused("no key that may have signed is known")
    tried: list[PublicKey] = []
    for index, holder in enumerate(holders):
        if any(same_key(holder.key, key) for key in tried):
            continue
        tried.append(holder.key)
        try:
            return verify(
                target, signature, key=holder.key, certificate=holder.certificate, now=now
            ), index
        except SecurityRefused as error:
            refusal = error
    raise refusal


def _check_time(timestamp: Element, now: datetime, skew: timedelta) -> tuple[datetime, datetime]:
    """When a Timestamp was made, and until when we take it (WSS 1.1: 10)."""
    created = read_time(_one(timestamp, "wsu:Created").text)
    stated = children(timestamp, "wsu:Expires")
    if created is None or len(stated) > 1:
        raise SecurityRefused("the Timestamp has no creation time, or ends twice")
    expires = read_time(stated[0].text) if stated else created + DEFAULT_LIFETIME
    if expires is None or expires <= created:
        raise SecurityRefused("the Timestamp ends before it begins")
    if now + skew < created:
        raise SecurityRefused("the Timestamp was made in the future")
    fresh_until = min(expires, created + LONGEST_LIFETIME) + skew
    if now >= fresh_until:
        raise SecurityRefused("the Timestamp has expired", subcode="wsu:MessageExpired")
    return created, fresh_until


# ---- answers ---------------------------------------------------------------------------------


def check_answer(
    header: Element,
    trust: Trust,
    *,
    sent: Sequence[str],
    now: datetime,
    skew: timedelta = DEFAULT_SKEW,
    confirmation_required: bool = True,
) -> CheckedAnswer:
    """What the Security header of an answer proves: that it is fresh, and meant for our request.

    `sent` are the SignatureValues of the request, the Timestamp's first. A Timestamp that is
    signed must be signed by the partner; many partners leave it to mutual TLS and sign none.

    Raises:
        SecurityRefused: anything at all is not as it must be.
    """
    try:
        if not confirmation_required and header.find(name("wsse:Security")) is None:
            return CheckedAnswer(None, None)
        security = _one_security(header)
        return _check_answer(security, trust, sent, now, skew, confirmation_required)
    except SecurityRefused:
        raise
    except Exception as error:  # the door: whatever fails in verification is a refusal
        raise SecurityRefused(f"verification failed: {type(error).__name__}") from None


def _check_answer(
    security: Element,
    trust: Trust,
    sent: Sequence[str],
    now: datetime,
    skew: timedelta,
    confirmation_required: bool,
) -> CheckedAnswer:
    timestamp = _one(security, "wsu:Timestamp")
    by: Believed | None = None
    if _signatures(security):
        signature = _one(security, "ds:Signature")
        _refuse_same_id(timestamp, _values_around(security), timestamp.get(_WSU_ID, ""))
        believed = believed_certificates(_answer_hints(security, signature), trust, now=now)
        holders = [_Holder(public_key(one.certificate), one.certificate) for one in believed]
        signed, index = _verify_with_any(timestamp, signature, holders, now)
        timestamp, by = signed.element, believed[index]
    created, _ = _check_time(timestamp, now, skew)
    confirmed = [_confirmed(one) for one in security.iterfind(name("wsse11:SignatureConfirmation"))]
    # WSS 1.1: 8.5: each confirmation must be of a signature that we made.
    if any(value not in sent for value in confirmed if value is not None):
        raise SecurityRefused("the answer confirms a signature that we did not send")
    if confirmation_required and sent and sent[0] not in confirmed:
        raise SecurityRefused("the answer does not confirm the signature of our request")
    if by is None:
        return CheckedAnswer(None, created)
    return CheckedAnswer(by.certificate, created, by.chain)


def _answer_hints(security: Element, signature: Element) -> KeyInfo:
    """The certificate that the signer names: in its KeyInfo, or as a token beside it."""
    key_info = signature.find(name("ds:KeyInfo"))
    hints = read_key_info(key_info)
    if key_info is None or hints.certificates:
        return hints
    path = f"{name('wsse:SecurityTokenReference')}/{name('wsse:Reference')}"
    uris = {reference.get("URI") for reference in key_info.iterfind(path)}
    tokens = [
        read_certificate(token.text)
        for token in security.iterfind(name("wsse:BinarySecurityToken"))
        if token.get("ValueType") == X509_TOKEN and f"#{token.get(_WSU_ID)}" in uris
    ]
    return KeyInfo(tuple(tokens), hints.key)


def _confirmed(confirmation: Element) -> str | None:
    """The confirmed value.

    Quirk: a child SignatureValue instead of the attribute, as some responders write it.
    """
    value = confirmation.get("Value") or confirmation.findtext("{*}SignatureValue")
    return "".join(value.split()) if value else None
