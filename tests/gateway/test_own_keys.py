"""A key of ours that follows another while the gateway runs, and partners that keep up."""

import http.client
import ssl
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.app.house import House, open_client
from gateway.settings import KeyPair
from gateway.store import own_keys
from gateway.store.own_keys import KeyUsage, OwnKeys
from gateway.store.transaction import Transaction
from ihe.soap import ITI_55_REQUEST
from ihe.trust import Trust
from ihe.wire import open_answer
from tests.gateway.asking import ask, discovery
from tests.gateway.house import (
    SOAP,
    US,
    Door,
    a_partner,
    a_rule,
    authority,
    certificate_of,
    key_files,
    open_house,
    serving,
)

NEXT = "Our next key"


@pytest.fixture(autouse=True)
def _notices_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OwnKeys, "noticed_seconds", 0.0)


def files(name: str) -> KeyPair:
    certificate, key = key_files(name)
    return KeyPair(certificate=certificate, key=key)


def follow(house: House, usage: KeyUsage, since: datetime) -> None:
    """Imports the next key, used from then on."""

    def unit(transaction: Transaction) -> None:
        made = own_keys.put(transaction, usage, files(NEXT), now=datetime.now(UTC))
        assert made is not None
        assert own_keys.use_from(transaction, usage, fingerprint=made.fingerprint, since=since)

    house.database.write(unit)


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


def answered(door: Door) -> tuple[str, str]:
    """Whose certificate TLS shows, and who has signed the answer."""
    context = ssl.create_default_context(cadata=authority().certificate_pem)
    context.load_cert_chain(*key_files("Northfield Health"))
    connection = http.client.HTTPSConnection(door.host, door.port, timeout=30, context=context)
    sealed = ask(discovery(), ITI_55_REQUEST)
    with closing(connection):
        connection.request("POST", "/ihe/xcpd", sealed.envelope, {"Content-Type": SOAP})
        shown = connection.sock.getpeercert(binary_form=True)
        answer = connection.getresponse().read()
    known = {name: certificate_of(name).certificate for name in (US, NEXT)}
    # A partner that pins both, as it does while one follows the other.
    both = Trust(pinned=tuple(known.values()))
    opened = open_answer(answer, both, request=sealed, now=datetime.now(UTC))
    by_der = {
        ssl.PEM_cert_to_DER_cert(certificate_of(name).certificate_pem): name for name in known
    }
    (signer,) = (name for name, one in known.items() if one == opened.signer)
    return by_der[shown], signer


def test_a_running_gateway_takes_up_its_next_keys_on_their_day(tmp_path: Path) -> None:
    with open_house(tmp_path, rules=[a_rule()]) as house, serving(house) as door:
        assert answered(door) == (US, US)
        follow(house, "signing", soon())
        follow(house, "tls", soon())
        assert answered(door) == (US, US)
        for usage in own_keys.USAGES:
            (one,) = house.database.read(lambda tx, usage=usage: own_keys.list_all(tx, usage))
            house.database.write(
                lambda tx, one=one: own_keys.use_from(
                    tx, one.usage, fingerprint=one.fingerprint, since=datetime.now(UTC)
                )
            )
        assert answered(door) == (NEXT, NEXT)


def test_what_we_ask_is_signed_and_sent_with_the_next_keys(tmp_path: Path) -> None:
    with open_house(tmp_path) as house:
        client = open_client(house)
        partner = a_partner()
        first = client.connections.context_for(partner)
        assert client.connections.context_for(partner) is first
        assert client.issuer == "CN=Our gateway,O=Gateway demo"
        follow(house, "signing", datetime.now(UTC))
        follow(house, "tls", datetime.now(UTC))
        assert client.issuer == "CN=Our next key,O=Gateway demo"
        assert client.connections.context_for(partner) is not first


def test_the_last_to_come_into_use_is_used(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    with open_house(tmp_path, furnished=False) as house:
        keys = OwnKeys("signing", files(US), house.database, clock=lambda: now)
        follow(house, "signing", now + timedelta(days=1))
        assert keys.current() == files(US)
        now += timedelta(days=1)
        assert keys.current() == files(NEXT)


def test_a_next_key_whose_files_are_gone_leaves_the_one_before_in_use(tmp_path: Path) -> None:
    copies = KeyPair(certificate=tmp_path / "n.pem", key=tmp_path / "n.key")
    copies.certificate.write_bytes(files(NEXT).certificate.read_bytes())
    copies.key.write_bytes(files(NEXT).key.read_bytes())
    now = datetime.now(UTC)
    with open_house(tmp_path / "h", furnished=False) as house:

        def unit(transaction: Transaction) -> None:
            made = own_keys.put(transaction, "signing", copies, now=now)
            assert made is not None
            own_keys.use_from(transaction, "signing", fingerprint=made.fingerprint, since=now)

        house.database.write(unit)
        copies.key.unlink()
        keys = OwnKeys("signing", files(US), house.database)
        assert keys.signing_key().certificate == certificate_of(US).certificate
        copies.key.write_bytes(files(NEXT).key.read_bytes())
        assert keys.signing_key().certificate == certificate_of(NEXT).certificate


def test_what_others_import_is_noticed_after_a_while_and_not_asked_for_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OwnKeys, "noticed_seconds", 3600.0)
    with open_house(tmp_path, furnished=False) as house:
        keys = OwnKeys("signing", files(US), house.database)
        assert keys.current() == files(US)
        follow(house, "signing", datetime.now(UTC))
        assert keys.current() == files(US)
        monkeypatch.setattr(OwnKeys, "noticed_seconds", 0.0)
        assert keys.current() == files(NEXT)
