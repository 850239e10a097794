"""What a call's failure is called, and how long a partner may let us wait."""

import asyncio

import pytest

from gateway.clients.failures import PartnerFailed, PartnerLate
from gateway.exchange.asking import Patience, explain, failure_outcome
from gateway.exchange.error_words import in_words
from gateway.store.errors import StoreUnavailable
from ihe.errors import CommunityCouldNotAnswer, MalformedMessage, SecurityRefused, SoapFault
from ihe.registry_response import ErrorCode, RegistryError


@pytest.mark.parametrize(
    "error, outcome, sentence",
    [
        (PartnerFailed("it answered nothing"), "failed", "it answered nothing"),
        (PartnerLate("no answer within 5 s"), "failed", "no answer within 5 s"),
        (MalformedMessage("no envelope"), "failed", "no envelope"),
        (
            SecurityRefused("the answer is stale"),
            "refused",
            "its answer could not be trusted: the answer is stale",
        ),
        (SoapFault("Sender", "Ada O'Neil"), "refused", "it answered with a SOAP fault (Sender)"),
        (SoapFault("Client", None), "refused", "it answered with a SOAP fault (Client)"),
        (SoapFault("Receiver", None), "failed", "it answered with a SOAP fault (Receiver)"),
        (SoapFault("O'Neil", None), "failed", "it answered with a SOAP fault (a code of its own)"),
        (SoapFault(None, None), "failed", "it answered with a SOAP fault (a code of its own)"),
        (
            CommunityCouldNotAnswer("ResponderBusy"),
            "failed",
            "it reported a problem of its own (ResponderBusy)",
        ),
        (CommunityCouldNotAnswer("O'Neil"), "failed", "it reported a problem of its own"),
        (asyncio.CancelledError(), "unknown", "interrupted"),
        (KeyError("O'Neil"), "failed", "a fault of our own (KeyError)"),
        (
            StoreUnavailable("full"),
            "failed",
            "its answer could not be kept: the database was not available",
        ),
    ],
)
def test_a_failure_is_told_in_our_own_words(
    error: BaseException, outcome: str, sentence: str
) -> None:
    assert (failure_outcome(error), explain(error)) == (outcome, sentence)


def test_only_the_standards_codes_are_repeated() -> None:
    errors = [
        RegistryError(ErrorCode.REPOSITORY_ERROR, "Ada O'Neil"),
        RegistryError("O'Neil", ""),
        RegistryError(ErrorCode.REGISTRY_BUSY, ""),
        RegistryError(ErrorCode.REGISTRY_BUSY, ""),
    ]
    assert in_words(errors) == (
        "XDSRegistryBusy: it was too busy; ask again later, "
        "XDSRepositoryError: it had a fault of its own, 1 of codes unknown to us"
    )
    assert in_words([]) == ""


async def test_patience_ends_with_the_time_that_was_waited() -> None:
    patience = Patience(0.05)
    with pytest.raises(PartnerLate) as late:
        async with patience.waiting():
            await asyncio.sleep(5)
    assert str(late.value) == "no answer within 0.05 s"
    with pytest.raises(PartnerLate):
        async with patience.waiting():
            await asyncio.sleep(0)
            await asyncio.sleep(1)


async def test_time_between_calls_is_not_the_partners() -> None:
    patience = Patience(0.5)
    for _ in range(3):
        async with patience.waiting():
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
    async with patience.waiting():
        await asyncio.sleep(0.01)


async def test_what_ends_a_call_in_time_is_not_called_late() -> None:
    with pytest.raises(ZeroDivisionError):
        async with Patience(5).waiting():
            raise ZeroDivisionError
    task = asyncio.create_task(_wait())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def _wait() -> None:
    async with Patience(5).waiting():
        await asyncio.sleep(5)
