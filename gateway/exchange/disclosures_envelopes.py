"""What left that a record does not say, but the envelopes kept with it do (45 CFR 164.528)."""

from gateway.exchange.accounting import may_list_nothing
from gateway.exchange.disclosing import besides
from gateway.exchange.keeping import kept_answer, kept_request
from gateway.model.exchange import Exchange
from gateway.store.keys import KeyRing
from gateway.store.transaction import Transaction
from ihe.errors import IheError
from ihe.soap import parse_envelope, read_envelope
from ihe.xca_query import read_adhoc_query_response
from ihe.xcpd import read_discovery_request


def told_besides(transaction: Transaction, keys: KeyRing, told: Exchange) -> str | None:
    """What a request of ours told because it was asked for more."""
    if (told.direction, told.transaction) != ("out", "ITI-55"):
        return None
    envelope = kept_request(transaction, keys, told)
    if envelope is None:
        return None
    try:
        asked = read_discovery_request(read_envelope(parse_envelope(envelope)).payload)
    except IheError:
        return None  # of a version that wrote it otherwise
    return besides(asked.demographics)


def listed_anything(transaction: Transaction, keys: KeyRing, told: Exchange) -> bool | None:
    """Whether what left told anything at all; None where nobody can know any more."""
    if not may_list_nothing(told):
        return True
    envelope = kept_answer(transaction, keys, told)
    if envelope is None:
        return None
    try:
        answer = read_adhoc_query_response(read_envelope(parse_envelope(envelope)).payload)
    except IheError:
        return None
    return bool(
        answer.entries
        or answer.object_refs
        or answer.submission_sets
        or answer.folders
        or answer.associations
        or answer.unreadable
    )
