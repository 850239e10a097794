"""Our Direct keys: sealed, several at once, the last that came into use signs."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

from gateway.store import direct_keys
from gateway.store.database import Database
from gateway.store.direct_keys import DirectKey, UnusableKey, read_key_pair
from gateway.store.keys import KeyRing
from tests.direct_certificates import MailAuthority
from tests.gateway.exchange.direct_certificates import Pair, authority, certified
from tests.gateway.store.builders import ACME, OTHER

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
DOMAIN, ADDRESS = "direct.plan.test", "intake@direct.plan.test"


@pytest.fixture
def ring(house: Database, key_file: Path) -> KeyRing:
    return KeyRing(key_file, house)


def sealed(ring: KeyRing, owner: str, pair: Pair, since: datetime | None = NOW - DAY) -> DirectKey:
    key, certificate = pair
    return direct_keys.seal_key(
        ring, plan=ACME, owner=owner, key=key, certificates=[certificate], now=NOW, since=since
    )


def put(house: Database, *keys: DirectKey) -> list[bool]:
    return [house.write(lambda tx, one=key: direct_keys.put(tx, one)) for key in keys]  # type: ignore[misc]


def of_address(house: Database, address: str = ADDRESS) -> tuple[DirectKey, ...]:
    return house.read(lambda tx: direct_keys.of_address(tx, plan=ACME, address=address))


def test_a_key_is_read_back_and_opens_for_its_owner_alone(house: Database, ring: KeyRing) -> None:
    key = sealed(ring, DOMAIN, certified(DOMAIN))
    assert put(house, key, key) == [True, False]
    (found,) = of_address(house)
    assert found == key
    opened = direct_keys.open_key(ring, found)
    assert opened.private_numbers() == certified(DOMAIN)[0].private_numbers()
    moved = DirectKey(
        ACME, "other.test", key.fingerprint, key.certificates, key.generation, key.sealed, NOW
    )
    with pytest.raises(InvalidTag):
        direct_keys.open_key(ring, moved)


def test_an_address_opens_with_its_own_keys_and_its_domains(house: Database, ring: KeyRing) -> None:
    put(
        house,
        sealed(ring, DOMAIN, certified(DOMAIN)),
        sealed(ring, ADDRESS, certified(ADDRESS)),
        sealed(ring, "else@direct.plan.test", certified("else@direct.plan.test")),
    )
    assert [key.owner for key in of_address(house, "Intake@Direct.Plan.Test")] == [ADDRESS, DOMAIN]
    assert house.read(lambda tx: direct_keys.of_address(tx, plan=OTHER, address=ADDRESS)) == ()


def test_the_last_key_that_came_into_use_signs(house: Database, ring: KeyRing) -> None:
    old = sealed(ring, DOMAIN, certified(DOMAIN), since=NOW - DAY)
    new = sealed(ring, DOMAIN, certified(DOMAIN, "Another anchor"), since=None)
    put(house, old, new)

    def signs(when: datetime = NOW) -> str:
        found = direct_keys.signing(of_address(house), now=when)
        assert found is not None
        return found.fingerprint

    assert signs() == old.fingerprint
    used = house.write(
        lambda tx: direct_keys.use_from(
            tx, plan=ACME, owner=DOMAIN, fingerprint=new.fingerprint, since=NOW + DAY
        )
    )
    assert used
    assert signs() == old.fingerprint
    assert signs(NOW + 2 * DAY) == new.fingerprint
    assert len(of_address(house)) == 2  # what was sealed to the old one still opens


def test_an_addresss_own_key_signs_before_its_domains(house: Database, ring: KeyRing) -> None:
    own = sealed(ring, ADDRESS, certified(ADDRESS), since=NOW - 2 * DAY)
    put(house, sealed(ring, DOMAIN, certified(DOMAIN)), own)
    found = direct_keys.signing(of_address(house), now=NOW)
    assert found is not None
    assert found.owner == ADDRESS
    expired = direct_keys.signing(of_address(house), now=NOW + 4000 * DAY)
    assert expired is None


def test_a_pair_is_read_from_pkcs12_and_from_pem() -> None:
    key, certificate = certified(DOMAIN)
    _, anchor = authority()
    bundle = serialize_key_and_certificates(
        b"x", key, certificate, [anchor], BestAvailableEncryption(b"secret")
    )
    assert read_key_pair(bundle, b"secret")[1:] == (certificate, (anchor,))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    texts = [one.public_bytes(Encoding.PEM) for one in (anchor, certificate)]
    assert read_key_pair(pem + b"".join(texts))[1:] == (certificate, (anchor,))
    for wrong in ((bundle, b"wrong"), (pem, None), (b"nothing", None), (pem + texts[0], None)):
        with pytest.raises(UnusableKey):
            read_key_pair(*wrong)


def test_a_short_key_or_a_strangers_certificate_is_not_taken(ring: KeyRing) -> None:
    with pytest.raises(UnusableKey):
        sealed(ring, DOMAIN, (certified(DOMAIN)[0], certified(ADDRESS)[1]))
    with pytest.raises(UnusableKey, match="2048 bits"):
        sealed(ring, DOMAIN, certified(DOMAIN, bits=1024))


def test_published_is_what_signs_and_what_is_going_to(house: Database, ring: KeyRing) -> None:
    before, new, later, waits = (certified(DOMAIN, f"anchor {n}") for n in range(4))
    other = certified("direct.other.test")
    put(
        house,
        sealed(ring, DOMAIN, before, NOW - 2 * DAY),
        sealed(ring, DOMAIN, new, NOW - DAY),
        sealed(ring, DOMAIN, later, NOW + DAY),
        sealed(ring, DOMAIN, waits, None),
        sealed(ring, "direct.other.test", other),
    )
    found = house.read(lambda tx: direct_keys.published(tx, now=NOW))
    assert {one.serial_number for one in found} == {
        one.serial_number for _, one in (new, later, other)
    }


def single_use(usage: str) -> Pair:
    issued = MailAuthority("Single use", NOW).leaf(DOMAIN, usages=(usage,))
    assert isinstance(issued.key, RSAPrivateKey)
    return issued.key, issued.certificate


@pytest.mark.parametrize("encrypted_since", [NOW - 3 * DAY, NOW - DAY, None])
def test_of_keys_for_a_single_use_each_does_its_own_and_both_are_published(
    house: Database, ring: KeyRing, encrypted_since: datetime | None
) -> None:
    signs = sealed(ring, DOMAIN, single_use("digital_signature"), NOW - 2 * DAY)
    opens = sealed(ring, DOMAIN, single_use("key_encipherment"), encrypted_since)
    put(house, signs, opens)
    assert direct_keys.signing(of_address(house), now=NOW) == signs
    found = house.read(lambda tx: direct_keys.published(tx, now=NOW))
    assert set(found) == {signs.certificate, opens.certificate}


def test_of_keys_to_be_encrypted_to_the_newest_in_use_is_published(
    house: Database, ring: KeyRing
) -> None:
    signs = sealed(ring, DOMAIN, single_use("digital_signature"))
    old = sealed(ring, DOMAIN, single_use("key_encipherment"), NOW - 2 * DAY)
    new = sealed(ring, DOMAIN, single_use("key_encipherment"), NOW - DAY)
    waits = sealed(ring, DOMAIN, single_use("key_encipherment"), None)
    put(house, signs, new, old, waits)
    found = house.read(lambda tx: direct_keys.published(tx, now=NOW))
    assert set(found) == {signs.certificate, new.certificate}


@pytest.mark.parametrize("encrypted_since", [NOW - 3 * DAY, NOW - DAY, None])
def test_of_keys_for_a_single_use_each_is_the_last_of_its_use(
    house: Database, ring: KeyRing, encrypted_since: datetime | None
) -> None:
    signs = sealed(ring, DOMAIN, single_use("digital_signature"), NOW - 2 * DAY)
    opens = sealed(ring, DOMAIN, single_use("key_encipherment"), encrypted_since)
    put(house, signs, opens)
    assert set(house.read(direct_keys.newest)) == {signs, opens}
    signs_next = sealed(ring, DOMAIN, single_use("digital_signature"), NOW)
    put(house, signs_next)
    assert set(house.read(direct_keys.newest)) == {signs_next, opens}
    both = sealed(ring, DOMAIN, certified(DOMAIN), NOW + DAY)
    put(house, both)
    assert house.read(direct_keys.newest) == (both,)


def test_of_keys_that_all_wait_none_is_the_last(house: Database, ring: KeyRing) -> None:
    put(house, sealed(ring, DOMAIN, certified(DOMAIN), None))
    assert house.read(direct_keys.newest) == ()


def test_an_owner_whose_keys_may_only_be_encrypted_to_signs_nothing(
    house: Database, ring: KeyRing
) -> None:
    put(house, sealed(ring, DOMAIN, single_use("key_encipherment")))
    assert direct_keys.signing(of_address(house), now=NOW) is None
