"""The socket of a simulated partner, at whoever leaves in the middle."""

import asyncio
import socket
import ssl
import struct

import pytest

from gateway.clients.tls import partner_listener_context
from gateway.demo.simulator.answering import Responder
from gateway.demo.simulator.holdings import holdings
from gateway.demo.simulator.listening import listening
from gateway.demo.simulator.replies import Reply
from tests.gateway import house as lakeshore

_REQUEST = b"POST /ihe/xcpd HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)


class Endless(Responder):
    """Whatever is asked, its answer has no end."""

    def answer(self, content_type: str, content: bytes) -> Reply:
        return Reply(b"", manner="endless")


def break_off_after(port: int, length: int) -> None:
    """Takes as fast as the other side gives, so that it is sending when the connection breaks."""
    context = ssl.create_default_context(cadata=lakeshore.authority().certificate_pem)
    context.load_cert_chain(*lakeshore.key_files("Lakeshore"))
    with (
        socket.create_connection(("localhost", port), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as channel,
    ):
        channel.sendall(_REQUEST)
        while length > 0:
            length -= len(channel.recv(100_000))
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)


@pytest.mark.timeout(60)
async def test_a_connection_that_breaks_in_an_endless_answer_stops_no_other() -> None:
    certificate, key = lakeshore.key_files("Simulated")
    context = partner_listener_context(
        certificate=certificate,
        key=key,
        anchors=[lakeshore.authority().certificate_pem],
        pinned=(),
    )
    responder = Endless(holdings(), lakeshore.signing_key("Simulated"))
    async with listening(responder, context) as up:
        for length in (*[1_000_000] * 20, 9):  # whether it is sending just then is left to chance
            await asyncio.to_thread(break_off_after, up.port, length)
