"""Partners that come and go while the gateway listens."""

import http.client
import ssl
from pathlib import Path

import pytest

from gateway.app.house import House
from gateway.app.partner_contexts import PartnerContexts
from gateway.model.partner import Partner
from gateway.settings import InvalidSettings
from gateway.store import partners
from gateway.store.scope import ALL_PLANS
from ihe.soap import ITI_55_REQUEST
from tests.gateway.asking import ask, discovery
from tests.gateway.house import Door, a_partner, a_rule, certificate_of, open_house, serving

ELSEWHERE = "Another network"


@pytest.fixture(autouse=True)
def _notices_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PartnerContexts, "noticed_seconds", 0.0)


def pinning(house: House) -> Partner:
    """A partner comes whose certificate no anchor of ours vouches for."""
    shown = certificate_of("Northfield Health", ELSEWHERE).certificate_pem
    partner = a_partner(tls_certificates=(shown,))
    house.database.write(lambda tx: partners.put(tx, partner))
    return partner


def status(door: Door) -> int | None:
    """Of its question; None if it got no connection."""
    sealed = ask(discovery(), ITI_55_REQUEST)
    try:
        return door.post("/ihe/xcpd", sealed.envelope, issuer=ELSEWHERE).status
    except (ssl.SSLError, ConnectionError, http.client.RemoteDisconnected):
        return None


def test_a_partner_that_is_added_while_we_listen_is_let_in_and_out_again(tmp_path: Path) -> None:
    with open_house(tmp_path, known=(), rules=[a_rule()]) as house, serving(house) as door:
        assert status(door) is None
        partner = pinning(house)
        assert status(door) == 200
        house.database.write(lambda tx: partners.remove(tx, plan=ALL_PLANS, partner=partner.id))
        assert status(door) is None


def test_the_last_partner_that_goes_leaves_a_listener_that_lets_nobody_in(tmp_path: Path) -> None:
    with open_house(tmp_path, known=(), networks=(), rules=[a_rule()]) as house:
        partner = pinning(house)
        with serving(house) as door:
            assert status(door) == 200
            house.database.write(lambda tx: partners.remove(tx, plan=ALL_PLANS, partner=partner.id))
            assert status(door) is None
            pinning(house)
            assert status(door) == 200


def test_a_listener_does_not_begin_where_nobody_could_connect(tmp_path: Path) -> None:
    with (
        open_house(tmp_path, known=(), networks=()) as house,
        pytest.raises(InvalidSettings, match="nobody could connect"),
        serving(house),
    ):
        pass


def test_a_certificate_that_tls_cannot_read_leaves_those_that_were_trusted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open_house(tmp_path, known=(), rules=[a_rule()]) as house:
        pinning(house)
        with serving(house) as door:
            assert status(door) == 200
            spoilt = "-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n"
            other = a_partner("Riverside", "2.999.9", tls_certificates=(spoilt,))
            house.database.write(lambda tx: partners.put(tx, other))
            assert status(door) == 200
            assert status(door) == 200
    said = [one.getMessage() for one in caplog.records if "TLS cannot be used" in one.getMessage()]
    assert len(said) == 1
