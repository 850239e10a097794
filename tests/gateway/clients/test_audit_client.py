"""Syslog to an audit repository over a real socket: TLS, frames, and knowing that it arrived."""

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from gateway.clients.audit_client import NotSent, TlsSender, UdpSender
from gateway.clients.tls import outgoing_context
from ihe.syslog import write_syslog
from tests.gateway.clients.syslog_receiver import Manners, free_port, receiving
from tests.gateway.house import US, authority, key_files

MESSAGES: Final = [b"first", b"second of several words", "dritte: ü\n".encode()]
LONG: Final = [b"x" * 60_000 for _ in range(200)]
"""More than the buffers on the way hold."""


def context(issuer: str = "Test network", own: str = "Test network") -> ssl.SSLContext:
    certificate, key = key_files(US, own)
    return outgoing_context(
        certificate=certificate,
        key=key,
        anchors=[authority(issuer).certificate_pem],
        pinned=(),
    )


def sender(
    port: int, made: Callable[[], ssl.SSLContext] = context, seconds: float = 20.0
) -> TlsSender:
    return TlsSender("localhost", port, made, seconds)


def test_messages_arrive_whole_and_in_order_and_we_show_who_we_are() -> None:
    with receiving() as receiver:
        sender(receiver.port).send(MESSAGES)
        assert receiver.messages == MESSAGES
        assert receiver.peers == [US]


def test_a_repository_of_another_authority_is_told_nothing() -> None:
    with receiving(issuer="Another network") as receiver:
        with pytest.raises(NotSent, match="not to be trusted") as refused:
            sender(receiver.port).send(MESSAGES)
    assert receiver.messages == []
    assert not refused.value.reached


def test_a_repository_of_another_name_is_told_nothing() -> None:
    with receiving() as receiver:
        # Its certificate is of localhost and of 127.0.0.1.
        with pytest.raises(NotSent, match="not to be trusted"):
            TlsSender("127.1", receiver.port, context).send(MESSAGES)
    assert receiver.messages == []


def test_a_repository_that_does_not_believe_our_certificate_has_taken_nothing() -> None:
    with receiving() as receiver:
        with pytest.raises(NotSent):
            sender(receiver.port, lambda: context(own="Another network")).send(MESSAGES)
    assert receiver.messages == []


def test_nobody_there_is_not_sent() -> None:
    with pytest.raises(NotSent) as refused:
        sender(free_port()).send(MESSAGES)
    assert not refused.value.reached


@pytest.mark.parametrize("messages", [MESSAGES, LONG], ids=["few bytes", "many bytes"])
def test_a_receiver_that_hangs_up_within_a_frame_has_not_taken_them(messages: list[bytes]) -> None:
    with receiving(manners=Manners(hang_up_after=8)) as receiver:
        with pytest.raises(NotSent) as refused:
            sender(receiver.port).send([*messages, b"y" * 5_000])
    assert receiver.halves == 1
    assert refused.value.reached


@contextmanager
def closing_at_once(ending: Callable[[ssl.SSLSocket], Any]) -> Any:
    """A receiver that ends every conversation in `ending` and has read none of it."""
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(*key_files("Audit repository"))
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            plain, _ = listener.accept()
            with served.wrap_socket(plain, server_side=True) as channel:
                ending(channel)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def _says_goodbye(channel: ssl.SSLSocket) -> None:
    channel.settimeout(0.5)
    try:
        channel.unwrap()
    except OSError:
        return  # it has heard our messages, and was not to


def test_a_goodbye_before_our_messages_were_read_is_no_receipt() -> None:
    with closing_at_once(_says_goodbye) as port, pytest.raises(NotSent):
        sender(port).send(LONG)


def test_a_close_without_having_read_is_no_receipt() -> None:
    with closing_at_once(lambda channel: channel.recv(1)) as port, pytest.raises(NotSent):
        sender(port).send(MESSAGES)


def test_a_receiver_that_never_ends_the_conversation_has_not_confirmed() -> None:
    with receiving(manners=Manners(never_ends=True)) as receiver:
        with pytest.raises(NotSent):
            sender(receiver.port, seconds=0.5).send(MESSAGES)
    assert receiver.messages == MESSAGES


def test_a_send_that_waits_can_be_ended_from_outside() -> None:
    reads = threading.Event()
    with receiving(manners=Manners(reads_once=reads)) as receiver:
        slow, failed = sender(receiver.port), []

        def send() -> None:
            try:
                slow.send(LONG)
            except NotSent as error:
                failed.append(error)

        thread = threading.Thread(target=send)
        thread.start()
        while not receiver.peers:
            thread.join(0.01)
        slow.abort()
        thread.join()
        reads.set()
    assert failed


def test_datagrams_carry_one_message_each() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(20)
        UdpSender("127.0.0.1", receiver.getsockname()[1]).send(MESSAGES)
        assert [receiver.recv(65_535) for _ in MESSAGES] == MESSAGES


def test_the_header_is_of_printable_words_whatever_the_names_are() -> None:
    made = write_syslog(
        b"<AuditMessage/>",
        time=datetime(2026, 3, 1, 12, 0, 0, 123_000, tzinfo=UTC),
        host="ein wirt ü",
        application="a" * 60,
        process_id="",
    )
    header, message = made[: made.index(b"<A")], made[made.index(b"<A") :]
    words = header.decode("ascii").split(" ")
    assert words == [
        "<85>1", "2026-03-01T12:00:00.123Z", "ein_wirt__", "a" * 48, "-", "IHE+RFC-3881", "-", "",
    ]  # fmt: skip
    assert message == b"<AuditMessage/>"
