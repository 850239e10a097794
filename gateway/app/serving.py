"""A house that listens, or works, until it is asked to stop."""

import asyncio
import gc
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from typing import Final

from gateway.api.listener import Listener, running, until_asked_to_stop
from gateway.api.sharing import SharedListener
from gateway.app.beside import mail_process, partner_processes
from gateway.app.house import House
from gateway.app.listening import listeners, partner_listener
from gateway.app.mail import mail_tls, own_certificates
from gateway.app.working import working
from gateway.exchange.atna_acts import START, STOP
from gateway.intakes.publish import publishing
from gateway.model.exchange import Exchange
from gateway.settings import InvalidSettings
from gateway.store import exchange_log

log = logging.getLogger("gateway")
_GARBAGE: Final = 20_000
"""New objects before the youngest are looked through: some twenty answers' worth."""


async def serve(house: House) -> None:
    """Listens and works until asked to stop.

    Raises:
        InvalidSettings: a listener is not safe as configured.
        OSError: an address is taken.
    """
    found = listeners(house)
    for listener in found:
        _require_free(listener)
    found = [_shared(listener) for listener in found]
    shown = publishing(house.settings.publish, partial(own_certificates, house))
    mail_tls(house)  # what it refuses, it refuses before anything runs
    stopped = asyncio.create_task(until_asked_to_stop())  # also while it starts
    async with (
        shown,
        working(house, is_warning=True),
        running(found),
        mail_process(house.settings),
        AsyncExitStack() as beside,
    ):
        for listener in found:
            log.info("listening on %s", listener.address)
            if listener.shared is not None:
                others = partner_processes(house.settings, listener.shared)
                await beside.enter_async_context(others)
        settle()
        with _in_the_log(house, "it answers and works"):
            await stopped


async def answer_partners(
    house: House, *, stop: Callable[[], Awaitable[None]], shared: str | None = None
) -> None:
    """Answers partners, beside a process that serves all else, until `stop` returns.

    `shared` is what that process has told it of the listener that they share.

    Raises:
        InvalidSettings: there is no [tls] and [signing], or the listener is not safe as configured.
        OSError: the address is taken.
    """
    listener = partner_listener(house)
    if listener is None:
        raise InvalidSettings("answering partners needs [tls] and [signing] in gateway.toml")
    if shared is not None:
        listener = replace(listener, shared=SharedListener.handed_down(shared))
    stopped = asyncio.ensure_future(stop())
    async with running([listener]):
        settle()
        with _in_the_log(house, "it answers partners"):
            await stopped


def _shared(listener: Listener) -> Listener:
    if listener.processes == 1:
        return listener
    bound = SharedListener.bind(*listener.host_and_port, listener.processes)
    return replace(listener, shared=bound)


def settle() -> None:
    """Lets the garbage collector leave aside what will stay as long as the process.

    Otherwise it looks through all modules again and again: a tenth of the time of a short answer.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GARBAGE)


def _require_free(listener: Listener) -> None:
    """Fails before any work is begun; a second gateway on the same data must not take up jobs."""
    if listener.socket_file is not None:
        return  # binding it says so
    host, port = listener.host_and_port
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise OSError(error.errno, f"{listener.address}: {error.strerror}") from None


async def work(house: House) -> None:
    """Does queued work until asked to stop; answers nobody."""
    stopped = asyncio.create_task(until_asked_to_stop())
    async with working(house, is_warning=True):
        with _in_the_log(house, "it works"):
            await stopped


@contextmanager
def _in_the_log(house: House, what: str) -> Iterator[None]:
    """Records that this process has started, and that it stops (ITI TF-2: 3.20.4.1.1)."""

    def note(name: str) -> None:
        reason = f"version {version('document-exchange-gateway')}: {what}"
        record = Exchange(
            datetime.now(UTC), "in", name, "success", peer=f"process {os.getpid()}", reason=reason
        )
        house.database.write(lambda tx: exchange_log.append(tx, record))

    note(START)
    try:
        yield
    finally:
        note(STOP)
