"""Who asks at a SOAP door: the partner whose key has signed, and in whose name (DECISIONS 2)."""

from datetime import UTC, datetime

from gateway.api.peer import read_shown, require_tls
from gateway.api.soap_visit import Visit
from gateway.exchange.asker import Asker
from gateway.exchange.delegating import refuse_delegates
from gateway.exchange.policy import Refused, peer_sentence, purpose_stated
from gateway.model.partner import Partner
from gateway.model.trust import trust_of
from ihe.errors import MalformedMessage, SecurityRefused, UnexpectedMessage
from ihe.soap import ANONYMOUS, NOBODY
from ihe.wire import OpenedRequest, open_request
from ihe.ws_verification import Expectations


def verified_asker(visit: Visit) -> tuple[Asker, OpenedRequest]:
    """Who asks, and what: verified once, and what every transaction demands of both."""
    if visit.asker is not None and visit.opened is not None:
        return visit.asker, visit.opened
    partner, opened = verified(visit)
    purpose = purpose_stated(opened.assertion)
    if isinstance(purpose, Refused):
        raise MalformedMessage(peer_sentence(purpose) or "The purpose of use is refused.")
    _refuse_foreign_addresses(opened, partner)
    speaking_as = visit.speaking_as = as_whom(visit, partner)
    delegated: tuple[Partner, ...] | Refused = speaking_as
    if opened.assertion.query_auth_grantor is not None:
        delegated = visit.means.archive.database.read(
            lambda tx: refuse_delegates(tx, speaking_as, opened.assertion)
        )
    if isinstance(delegated, Refused):
        raise MalformedMessage(peer_sentence(delegated) or "The delegation is refused.")
    visit.asker = Asker(delegated, purpose)
    return visit.asker, opened


def verified_bringer(visit: Visit) -> tuple[tuple[Partner, ...], OpenedRequest]:
    """As whom the sender of a result may speak, and the result: it asks for nothing, so it need
    not say why."""
    partner, opened = verified(visit)
    _refuse_foreign_addresses(opened, partner)
    visit.speaking_as = as_whom(visit, partner)
    return visit.speaking_as, opened


def verified(visit: Visit) -> tuple[Partner, OpenedRequest]:
    """Whose message it is; verified once."""
    if visit.is_verified and visit.partner is not None and visit.opened is not None:
        return visit.partner, visit.opened
    partner, opened = _open(visit)
    if opened.transaction not in visit.transactions:
        raise UnexpectedMessage(f"{opened.transaction} is not answered at this address")
    visit.is_verified = True
    return partner, opened


def _refuse_foreign_addresses(opened: OpenedRequest, partner: Partner) -> None:
    for name, address in (("reply", opened.reply_to), ("fault", opened.fault_to)):
        is_nobodys = name == "fault" and address == NOBODY
        if not (is_nobodys or address == ANONYMOUS or partner.endpoints.takes_replies_at(address)):
            # WS-Addressing 1.0 SOAP Binding: 6.4.1. We call nobody because a message says so.
            raise MalformedMessage(
                f"The {name} address is not registered for this community.",
                subcode="wsa:InvalidAddressingHeader",
            )


def _open(visit: Visit) -> tuple[Partner, OpenedRequest]:
    """Whose request it is: the candidate whose key has signed and whose community it states."""
    refusal = SecurityRefused("the client certificate belongs to no partner")
    for partner in visit.candidates:
        try:
            opened = _open_from(visit, partner)
        except SecurityRefused as error:
            refusal = error
            continue
        visit.partner, visit.opened = partner, opened
        if opened.assertion.home_community_id in (None, partner.home_community_id):
            return partner, opened
    if visit.opened is None:
        raise refusal
    raise MalformedMessage("The assertion states another home community than the certificate's.")


def as_whom(visit: Visit, verified: Partner) -> tuple[Partner, ...]:
    """The verified partner, and the same community as other plans have registered it.

    Where a plan demands other things of it, those are looked at: no other plan can waive them.
    """
    return tuple(
        one
        for one in visit.candidates
        if one.home_community_id == verified.home_community_id
        and (_demands(one) == _demands(verified) or _opens(visit, one))
    )


def _demands(partner: Partner) -> tuple[object, ...]:
    """What decides whether a message is taken for this partner's."""
    profile = partner.profile
    return (
        partner.network,
        partner.tls_certificates,
        partner.signing_certificates,
        profile.certificate_name,
        profile.audience_required,
        profile.bearer_accepted,
        profile.same_certificate,
    )


def _opens(visit: Visit, partner: Partner) -> bool:
    try:
        _open_from(visit, partner)
    except SecurityRefused:
        return False
    return True


def _open_from(visit: Visit, partner: Partner) -> OpenedRequest:
    means = visit.means
    require_tls(means, partner, visit.certificate or b"")
    opened = open_request(
        visit.envelope,
        trust_of(partner, means.anchors_for(partner)),
        Expectations(
            now=datetime.now(UTC),
            skew=means.skew,
            audiences=means.audiences_for(partner),
            audience_required=partner.profile.audience_required,
        ),
    )
    means.require_unrevoked(partner, opened.signer, opened.security.chain)
    shown = read_shown(visit.certificate or b"")
    if partner.profile.same_certificate and opened.signer != shown:
        raise SecurityRefused("the signing certificate is not the one shown in TLS")
    return opened
