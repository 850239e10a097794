"""Handing a message over, to real servers on loopback."""

import asyncio
import gc
import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address

import pytest

from gateway.clients.smtp_client import HandedOver, NotHandedOver, Server, SmtpClient
from tests.gateway.clients.smtp_servers import Post, posting
from tests.gateway.house import authority, key_files

CLIENT = SmtpClient("direct.plan.test", seconds=30)
MESSAGE = b"From: a@direct.plan.test\r\nTo: anne@clinic.test\r\n\r\n.dots\r\n..more\r\n"
ANNE, BOB = "anne@clinic.test", "bob@clinic.test"


async def hand_over(*servers: Server, to: tuple[str, ...] = (ANNE,)) -> HandedOver:
    return await CLIENT.hand_over(
        servers, mail_from="a@direct.plan.test", recipients=to, message=MESSAGE
    )


async def failure(*servers: Server, to: tuple[str, ...] = (ANNE,)) -> NotHandedOver:
    with pytest.raises(NotHandedOver) as failed:
        await hand_over(*servers, to=to)
    return failed.value


async def test_the_bytes_arrive_as_they_are() -> None:
    async with posting() as post:
        done = await hand_over(post.server())
    assert (done.accepted, done.refused, done.tls) == ((ANNE,), (), None)
    (taken,) = post.taken
    assert (taken.mail_from, taken.recipients) == ("a@direct.plan.test", [ANNE])
    assert taken.content == MESSAGE


async def test_a_notice_leaves_with_the_null_reverse_path() -> None:
    async with posting() as post:
        await CLIENT.hand_over([post.server()], mail_from="", recipients=[ANNE], message=MESSAGE)
    assert post.taken[0].mail_from == "<>"


async def test_a_part_of_the_recipients_may_be_refused() -> None:
    async with posting(rcpt={BOB: "550 5.1.1 no mailbox of Bob Miller"}) as post:
        done = await hand_over(post.server(), to=(ANNE, BOB))
    assert done.accepted == (ANNE,)
    (refused,) = done.refused
    assert (refused.address, refused.is_permanent) == (BOB, True)
    assert refused.reason == "550 5.1.1, there is no such mailbox"
    assert post.taken[0].recipients == [ANNE]


@pytest.mark.parametrize(("answer", "permanent"), [("550 no", True), ("451 later", False)])
async def test_nobody_taken_says_whether_to_try_again(answer: str, permanent: bool) -> None:
    async with posting(rcpt={ANNE: answer}) as post:
        failed = await failure(post.server())
    assert failed.is_permanent is permanent
    assert [one.address for one in failed.refused] == [ANNE]


@pytest.mark.parametrize(("answer", "permanent"), [("554 no", True), ("452 full", False)])
async def test_a_refused_message_says_whether_to_try_again(answer: str, permanent: bool) -> None:
    async with posting(data=answer) as post:
        failed = await failure(post.server())
    assert (failed.is_permanent, failed.is_uncertain) == (permanent, False)


async def test_the_next_server_is_tried_when_one_is_away() -> None:
    async with posting() as gone:
        pass
    async with posting() as post:
        done = await hand_over(gone.server(), post.server())
        assert done.accepted == (ANNE,)
    failed = await failure(gone.server())
    assert not failed.is_permanent
    assert not (await failure()).is_permanent


async def test_tls_is_used_when_an_mx_offers_it_whoever_it_is() -> None:
    async with posting(tls="Somebody else") as post:
        done = await hand_over(post.server())
    assert done.tls is not None
    assert post.taken[0].is_tls


async def test_a_smarthost_without_starttls_gets_nothing() -> None:
    async with posting() as post:
        failed = await failure(post.server(security="starttls"))
    assert not failed.is_permanent
    assert post.taken == []


async def test_a_smarthost_whose_certificate_we_do_not_trust_gets_nothing() -> None:
    async with posting(tls="Somebody else") as post:
        anchors = (authority("Another network").certificate_pem,)
        failed = await failure(post.server(security="starttls", anchors=anchors))
    assert "its certificate is not one that we trust" in failed.reason
    assert post.taken == []


async def test_a_smarthost_with_another_name_in_its_certificate_gets_nothing() -> None:
    async with posting(tls="Our gateway") as post:
        anchors = (authority().certificate_pem,)
        server = Server(
            "elsewhere.test", post.port, "starttls", anchors, address=ip_address("127.0.0.1")
        )
        failed = await failure(server)
    assert "its certificate is not one that we trust" in failed.reason
    assert post.taken == []


async def test_a_smarthost_is_verified_and_then_sent_to() -> None:
    async with posting(tls="Our gateway") as post:
        anchors = (authority().certificate_pem,)
        done = await hand_over(post.server(security="starttls", anchors=anchors))
    assert done.tls is not None
    assert post.taken[0].is_tls


async def test_ett_smtp_8_14_18_a_smarthost_is_logged_in_to_by_plain_under_starttls() -> None:
    async with posting(tls="Our gateway", login=("hisp-user", "s3cret")) as post:
        anchors = (authority().certificate_pem,)
        server = post.server(
            security="starttls", anchors=anchors, user="hisp-user", password="s3cret"
        )
        done = await hand_over(server)
    assert done.tls is not None
    assert post.taken[0].is_tls


@pytest.mark.parametrize("user", ["hisp-user", None])
async def test_a_smarthost_that_does_not_know_our_password_gets_nothing_and_it_is_told_nobody(
    user: str | None,
) -> None:
    async with posting(tls="Our gateway", login=("hisp-user", "s3cret")) as post:
        anchors = (authority().certificate_pem,)
        failed = await failure(
            post.server(security="starttls", anchors=anchors, user=user, password="wr0ng")
        )
    assert post.taken == []
    assert "wr0ng" not in failed.reason and "wr0ng" not in repr(failed)


async def test_a_password_is_not_said_to_a_smarthost_without_tls() -> None:
    async with posting(login=("hisp-user", "s3cret")) as post:
        await failure(post.server(security="starttls", user="hisp-user", password="s3cret"))
    assert post.taken == []


async def test_a_break_after_the_last_byte_is_uncertain() -> None:
    async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            if line == b".\r\n":
                break
            if line[:4].upper() in (b"EHLO", b"MAIL", b"RCPT"):
                writer.write(b"250 ok\r\n")
            if line[:4].upper() == b"DATA":
                writer.write(b"354 go on\r\n")
        writer.close()

    async with await asyncio.start_server(broken, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        failed = await failure(Post(port=port).server())
    assert failed.is_uncertain
    assert not failed.is_permanent


def test_a_server_that_leaves_its_tls_open_leaves_nothing_open_with_us() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*key_files("localhost"))
    is_over = threading.Event()

    def linger(listening: socket.socket) -> None:
        plain, _ = listening.accept()
        with context.wrap_socket(plain, server_side=True) as channel:
            channel.sendall(b"220 here\r\n")
            for answer in (b"250 ok\r\n", b"550 no\r\n", b"221 bye\r\n"):  # EHLO, MAIL, QUIT
                channel.recv(1000)
                channel.sendall(answer)
            is_over.wait(20)  # and reads no more

    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor() as threads:
        listening.settimeout(20)
        lingering = threads.submit(linger, listening)
        port = listening.getsockname()[1]
        server = Server("localhost", port, "tls", (authority().certificate_pem,))
        asyncio.run(failure(server))
        gc.collect()  # what the loop has left half closed warns now
        is_over.set()
        lingering.result(20)
