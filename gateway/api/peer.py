"""Whose the TLS certificate of a connection is (DECISIONS 2)."""

from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256

from cryptography import x509

from gateway.api.partner_means import PartnerMeans
from gateway.model.partner import RETIRED, Partner
from gateway.model.trust import certificate as certificate_of
from gateway.model.trust import trust_of
from gateway.store import partners
from ihe.errors import SecurityRefused
from ihe.key_info import KeyInfo
from ihe.trust import believed_certificates, names_in


async def partners_of(means: PartnerMeans, certificate: bytes) -> tuple[Partner, ...]:
    """Who has pinned it; else who is bound to a name in it, still to be proven by `require_tls`."""
    database, fingerprint = means.archive.database, sha256(certificate).hexdigest()
    pinned = await database.read_briefly(
        lambda tx: partners.by_certificate(tx, fingerprint=fingerprint)
    )
    if pinned:
        return pinned
    names = names_in(x509.load_der_x509_certificate(certificate))
    return await database.read_briefly(lambda tx: partners.by_certificate_name(tx, names=names))


read_shown = lru_cache(maxsize=1024)(x509.load_der_x509_certificate)


def require_tls(means: PartnerMeans, partner: Partner, certificate: bytes) -> None:
    """Returns if the certificate that TLS has shown is the partner's, and still in force.

    TLS itself takes a certificate of any network; here it must be of the partner's own. It blocks
    where revocation has to be looked up.

    Raises:
        SecurityRefused: it is another's, or was revoked, or the partner has left its network.
    """
    if partner.profile.retired:
        raise SecurityRefused(RETIRED)
    shown = read_shown(certificate)
    if shown in map(certificate_of, partner.tls_certificates):
        means.require_unrevoked(partner, shown)
        return
    trust = trust_of(partner, means.anchors_for(partner))
    (believed,) = believed_certificates(KeyInfo((shown,)), trust, now=datetime.now(UTC))
    means.require_unrevoked(partner, shown, believed.chain or (shown,))
