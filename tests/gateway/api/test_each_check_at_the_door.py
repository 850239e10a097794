"""Each check at the partner doors alone keeps a message out, as in `tests.ihe.test_each_check`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import gateway.api.proxy
import gateway.api.soap
import gateway.api.soap_opening
import gateway.api.soap_records
from gateway.api.partner_means import PartnerMeans
from gateway.api.proxy import client_certificate
from gateway.app.house import House
from gateway.model.partner import PartnerProfile
from ihe.errors import SecurityRefused
from ihe.identifiers import HomeCommunityId
from ihe.soap import ITI_55_REQUEST
from ihe.wire import SealedRequest
from tests.checks import checks_in, without
from tests.gateway.asking import ask, discovery
from tests.gateway.house import (
    Door,
    a_partner,
    a_rule,
    certificate_of,
    open_house,
    serving,
    signing_key,
)

LAKE, FOREST = "Northfield Health", "Forest Clinic"


@contextmanager
def at_the_door(folder: Path) -> Iterator[tuple[House, Door]]:
    one = a_partner(LAKE, profile=PartnerProfile(same_certificate=True))
    other = a_partner(FOREST, "2.999.7399.1")
    known = [replace(one, signing_certificates=(*one.signing_certificates, pem("Second key"))),
             other]  # fmt: skip
    with open_house(folder, rules=[a_rule()], known=known) as house, serving(house) as door:
        yield house, door


def pem(name: str) -> str:
    return certificate_of(name).certificate_pem


def a_request(**changes: Any) -> SealedRequest:
    return ask(discovery(), ITI_55_REQUEST, **changes)


def statuses(door: Door, sealed: SealedRequest, times: int = 1, by: str = LAKE) -> list[int]:
    return [door.post("/ihe/xcpd", sealed.envelope, by=by).status for _ in range(times)]


def check_of(module: ModuleType, reason: str, refusal: str = "SecurityRefused") -> Any:
    (found,) = (one for one in checks_in(module, refusal) if one.reason == reason)
    return found


def test_a_replay(tmp_path: Path) -> None:
    check = check_of(gateway.api.soap_records, "the message was received before")
    with at_the_door(tmp_path) as (_, door):
        assert statuses(door, a_request(), 2) == [200, 400]
        with without(gateway.api.soap_records, check):
            assert statuses(door, a_request(), 2) == [200, 200]


def test_one_certificate_for_both(tmp_path: Path) -> None:
    said = "the signing certificate is not the one shown in TLS"
    check = check_of(gateway.api.soap_opening, said)
    key = signing_key("Second key")
    with at_the_door(tmp_path) as (_, door):
        assert statuses(door, a_request(key=key)) == [400]
        with without(gateway.api.soap_opening, check):
            assert statuses(door, a_request(key=key)) == [200]


def test_tls_and_signature_of_one_partner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forest's signature over Northfield's connection."""
    forest = a_partner(FOREST, "2.999.7399.1")

    def sent() -> SealedRequest:
        return ask(discovery(), ITI_55_REQUEST, partner=forest)

    async def everybody(_means: PartnerMeans, _certificate: bytes) -> tuple[Any, ...]:
        return (forest,)

    with at_the_door(tmp_path) as (_, door):
        assert statuses(door, sent(), by=LAKE) == [400]
        # Without the look-up by certificate, the TLS certificate itself is still compared.
        monkeypatch.setattr(gateway.api.soap, "partners_of", everybody)
        assert statuses(door, sent(), by=LAKE) == [400]
        monkeypatch.setattr(gateway.api.soap_opening, "require_tls", lambda *_: None)
        assert statuses(door, sent(), by=LAKE) == [200]


def test_a_known_certificate(tmp_path: Path) -> None:
    check = check_of(gateway.api.soap, "the client certificate belongs to no partner")
    with at_the_door(tmp_path) as (_, door):
        assert statuses(door, a_request(), by="Stranger") == [400]
        with without(gateway.api.soap, check):
            # Then nobody is left whose signature it could be.
            assert statuses(door, a_request(), by="Stranger") == [400]


def test_the_home_community_of_the_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sent() -> SealedRequest:
        return a_request(home_community_id=HomeCommunityId.parse("2.999.7399.1"))

    opened = gateway.api.soap_opening._open

    def unbound(visit: Any) -> Any:
        try:
            return opened(visit)
        except gateway.api.soap_opening.MalformedMessage:
            return visit.partner, visit.opened

    with at_the_door(tmp_path) as (_, door):
        assert statuses(door, sent()) == [400]
        monkeypatch.setattr(gateway.api.soap_opening, "_open", unbound)
        assert statuses(door, sent()) == [200]


def test_a_header_of_anybody() -> None:
    check = check_of(gateway.api.proxy, "a client certificate in a header, and not from our proxy")
    scope = {
        "scheme": "https",
        "client": ("127.0.0.1", 1),
        "state": {gateway.api.proxy.PEER_CERTIFICATE: b"shown"},
        "headers": [(b"client-cert", b":AAAA:")],
    }
    with pytest.raises(SecurityRefused):
        client_certificate(scope, None)
    with without(gateway.api.proxy, check):
        # It would be left aside, not believed: what TLS has shown still counts.
        assert client_certificate(scope, None) == b"shown"
