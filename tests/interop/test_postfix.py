"""Postfix from Debian as front relay, with the settings of docs/direct-postfix.md."""

import os
import re
import smtplib
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.settings import load_settings
from gateway.store import exchange_log
from tests.gateway.house import key_files
from tests.gateway.intakes.mail_house import (
    DOMAIN,
    INTAKE,
    MESSAGE,
    PLAIN,
    SENDER,
    MailHouse,
    content,
    listening,
    mail_house,
    received,
)
from tests.interop.debian import free_port, started, unpacked

DOCUMENTED = (Path(__file__).resolve().parents[2] / "docs/direct-postfix.md").read_text("utf-8")
USERS = ("postfix:x:64001:64001::/nonexistent:/bin/false",)
GROUPS = ("postfix:x:64001:", "postdrop:x:64002:")
OWN, DROP = 64001, 64002
SERVICES = """\
postlog unix-dgram n - n - 1 postlogd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
"""


@dataclass(frozen=True, slots=True)
class Front:
    port: int
    folder: Path

    def send(
        self, message: bytes = MESSAGE, *, to: tuple[str, ...] = (INTAKE,), tls: bool = False
    ) -> None:
        with smtplib.SMTP("127.0.0.1", self.port, timeout=20) as client:
            if tls:
                client.starttls()
            client.sendmail(SENDER, list(to), message)

    @property
    def log(self) -> str:
        return (self.folder / "maillog").read_text(encoding="utf-8")


def documented(kind: str) -> str:
    """The settings of the page, of that kind."""
    found = re.search(rf"```{kind}\n(.*?)```", DOCUMENTED, re.DOTALL)
    assert found is not None
    return found[1]


@contextmanager
def front(folder: Path, gateway_port: int) -> Iterator[Front]:
    """Postfix up, relaying to the gateway at that port."""
    root, port = unpacked("postfix"), free_port()
    for name in ("conf", "queue", "data", "keys"):
        (folder / name).mkdir(parents=True)
    certificate, key = key_files("Our gateway")
    settings = documented("").replace("127.0.0.1]:2525", f"127.0.0.1]:{gateway_port}")
    settings = settings.replace("/etc/postfix/mx.key.pem", str(key))
    settings = settings.replace("/etc/postfix/mx.pem", str(certificate))
    place = f"""
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/maillog
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
disable_dns_lookups = yes
smtp_host_lookup = native
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
"""
    (folder / "conf/main.cf").write_text(settings + place, encoding="ascii")
    inward = f"127.0.0.1:{port} inet n - n - - smtpd\n"
    (folder / "conf/master.cf").write_text(inward + SERVICES, encoding="ascii")
    _make_queue(folder)
    command = ["/usr/lib/postfix/sbin/master", "-d", "-c", f"{folder}/conf"]
    with started(root, command, users=USERS, groups=GROUPS, scratch=folder, port=port):
        yield Front(port, folder)


def _make_queue(folder: Path) -> None:
    for above in (folder, *folder.parents[:3]):
        above.chmod(0o755)
    private = "active bounce corrupt defer deferred flush hold incoming private saved trace"
    for name in private.split():
        (folder / "queue" / name).mkdir(mode=0o700)
        os.chown(folder / "queue" / name, OWN, -1)
    for name, mode in (("public", 0o710), ("maildrop", 0o730)):
        (folder / "queue" / name).mkdir()
        os.chown(folder / "queue" / name, OWN, DROP)
        (folder / "queue" / name).chmod(mode)
    (folder / "queue" / "pid").mkdir()
    os.chown(folder / "data", OWN, -1)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[MailHouse, Front]]:
    folder = tmp_path_factory.mktemp("postfix")
    with (
        mail_house(folder / "house") as house,
        listening(house, PLAIN) as at,
        front(folder / "front", at.port) as relay,
    ):
        yield house, relay


def until(house: MailHouse, count: int, relay: Front) -> None:
    deadline = time.monotonic() + 60
    while len(received(house)) < count:
        assert time.monotonic() < deadline, relay.log
        time.sleep(0.1)


def test_the_documented_settings_of_the_gateway_are_taken_as_they_stand(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    plan = '[[plans]]\nid = "acme"\nname = "Acme"\n'
    file.write_text(plan + documented("toml"), encoding="utf-8")
    mail = load_settings(file).mail
    assert mail is not None and mail.listen == "127.0.0.1:2525"
    assert f"message_size_limit = {mail.limits.message_bytes}" in DOCUMENTED
    assert mail.domains[0].name == DOMAIN


@pytest.mark.parametrize("tls", [False, True])
def test_what_postfix_takes_reaches_us_with_its_bytes_unchanged(
    place: tuple[MailHouse, Front], tls: bool
) -> None:
    house, relay = place
    before = len(received(house))
    body = b"8-bit \xe9\xff, trailing blanks   \r\n.\r\n..\r\n" + b"x" * 900 + b"\r\n"
    message = MESSAGE + b"%d\r\n" % tls + body
    relay.send(message, tls=tls)
    until(house, before + 1, relay)
    kept = received(house)[-1]
    raw = content(house, kept)
    assert raw.endswith(message)
    assert raw[: -len(message)].startswith((b"Received:", b"Return-Path:", b"Delivered-To:"))
    assert (kept.mail_from, kept.rcpt_to) == (SENDER, (INTAKE,))
    assert house.database.read(exchange_log.verify).first_bad is None


def test_postfix_refuses_at_its_own_door_what_is_not_for_us(
    place: tuple[MailHouse, Front],
) -> None:
    _, relay = place
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        relay.send(to=("someone@elsewhere.example",))


def test_postfix_forbids_a_smuggled_message(place: tuple[MailHouse, Front]) -> None:
    house, relay = place
    before = len(received(house))
    smuggled = b"MAIL FROM:<evil@x.example>\r\nRCPT TO:<%b>\r\nDATA\r\nevil" % INTAKE.encode()
    with smtplib.SMTP("127.0.0.1", relay.port, timeout=20) as client:
        client.ehlo()
        client.mail(SENDER)
        client.rcpt(INTAKE)
        client.putcmd("data")
        assert client.getreply()[0] == 354
        client.send(b"first\n.\r\n" + smuggled + b"\r\n.\r\n")
        client.getreply()
    relay.send(MESSAGE + b"afterwards\r\n")
    until(house, before + 1, relay)
    assert not [one for one in received(house) if one.mail_from == "evil@x.example"]


def test_postfix_keeps_a_message_while_we_are_away_and_brings_it_later(tmp_path: Path) -> None:
    with ExitStack() as stack:
        house = stack.enter_context(mail_house(tmp_path / "house"))
        port = free_port()
        relay = stack.enter_context(front(tmp_path / "front", port))
        relay.send()
        deadline = time.monotonic() + 30
        while "deferred" not in relay.log:
            assert time.monotonic() < deadline, relay.log
            time.sleep(0.1)
        assert received(house) == ()
        stack.enter_context(listening(house, PLAIN, port=port))
        until(house, 1, relay)
        assert content(house, received(house)[0]).endswith(MESSAGE)
