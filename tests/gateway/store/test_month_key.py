"""The key of one month: what it is searched by does not change, or nothing would be found again."""

import base64
import hmac

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.model.identity import PlanId
from gateway.store.month_key import MonthKey

_KEY = bytes(range(32))


def test_the_index_is_a_keyed_hash_of_kind_and_id_cut_to_16_bytes() -> None:
    key = MonthKey(PlanId("acme"), "2026-11", AESGCM(_KEY), _KEY)
    for number in range(200):  # some have each of the characters that URLs would have escaped
        digest = hmac.digest(_KEY, f"document\x00d-{number}".encode(), "sha256")
        wanted = base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()
        assert key.index("document", f"d-{number}") == wanted
    assert key.index("member", "d-1") != key.index("document", "d-1")
