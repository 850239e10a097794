"""The key of one month: what it is searched by does not change, or nothing would be found again."""

import base64
import hmac
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from gateway.model.identity import PlanId
from gateway.store.month_key import DocumentHashes, MonthKey

_KEY = bytes(range(32))
_OTHER = bytes(range(32, 64))
_IDS = [str(uuid.UUID(int=number << 60 | number)) for number in range(300)]


def _month(of_documents: DocumentHashes | None = None) -> MonthKey:
    return MonthKey(PlanId("acme"), "2026-11", AESGCM(_KEY), _KEY, of_documents)


def _written(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets[:16]).rstrip(b"=").decode()


def _hmac(kind: str, id: str) -> str:
    return _written(hmac.digest(_KEY, f"{kind}\x00{id}".encode(), "sha256"))


def _cmac(key: bytes, message: bytes) -> str:
    mac = CMAC(AES(key))
    mac.update(message)
    return _written(mac.finalize())


def test_a_member_stands_under_a_keyed_hash_of_16_octets() -> None:
    for number in range(200):  # some have each of the characters that URLs would have escaped
        assert _month().member(f"m-{number}") == _hmac("member", f"m-{number}")


def test_without_a_key_of_their_own_documents_stand_under_the_same_hash_of_another_kind() -> None:
    ids = [f"m-{number}" for number in range(200)]
    assert _month().documents(ids) == [_hmac("document", id) for id in ids]
    assert _month().documents(["m-1"]) != [_month().member("m-1")]


@pytest.mark.parametrize("key", [_KEY, _OTHER, bytes(32)])
def test_documents_stand_under_the_cmac_of_their_uuids(key: bytes) -> None:
    of_documents = DocumentHashes(key)
    wanted = [_cmac(key, uuid.UUID(id).bytes) for id in _IDS]
    assert _month(of_documents).documents(_IDS) == wanted
    assert [_month(of_documents).documents([id])[0] for id in _IDS] == wanted
    assert _month(of_documents).documents([]) == []


def test_subkeys_are_those_of_the_standard_for_every_key() -> None:
    """One in two has a carry, which is added to its end."""
    for number in range(64):
        key = bytes([number]) * 32
        assert _month(DocumentHashes(key)).documents(_IDS[:2])[1] == _cmac(
            key, uuid.UUID(_IDS[1]).bytes
        )


@pytest.mark.parametrize(
    "id",
    [
        "document-1",
        "",
        "é",
        _IDS[171].upper(),
        _IDS[171].replace("-", ""),
        f"{_IDS[171]} ",
        "x" * 900,
    ],
)
def test_any_other_id_stands_under_a_hash_that_no_uuid_has(id: str) -> None:
    month = _month(DocumentHashes(_OTHER))
    assert month.documents([id]) == [_cmac(_OTHER, bytes(17) + id.encode())]
    assert month.documents([id]) != month.documents([str(uuid.UUID(int=0))])
    assert month.documents([_IDS[171], id, _IDS[8]]) == [
        *month.documents([_IDS[171]]), *month.documents([id]), *month.documents([_IDS[8]])
    ]  # fmt: skip


def test_threads_take_turns() -> None:
    month = _month(DocumentHashes(_KEY))
    wanted = month.documents(_IDS)
    with ThreadPoolExecutor(8) as pool:
        assert all(found == wanted for found in pool.map(month.documents, [_IDS] * 200))
