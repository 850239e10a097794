"""Our poll of a mailbox that Dovecot from Debian holds."""

import asyncio
import imaplib
import os
import ssl
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.intakes.imap import Poll
from gateway.settings_mail import Mailbox, MailLimits
from tests.gateway.house import authority, key_files
from tests.gateway.intakes.mail_house import (
    INTAKE,
    MESSAGE,
    MailHouse,
    content,
    mail_house,
    received,
)
from tests.interop.debian import free_port, started, unpacked

USERS = (
    "dovenull:x:64003:64003::/nonexistent:/bin/false",
    "dovecot:x:64004:64004::/nonexistent:/bin/false",
)
GROUPS = ("dovenull:x:64003:", "dovecot:x:64004:")
OWNER = 64003
USER, PASSWORD = "intake@hisp.example", "a secret"
SETTINGS = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = required
ssl_cert = <{certificate}
ssl_key = <{key}
mail_location = maildir:{folder}/mail
first_valid_uid = 1
last_valid_uid = 0
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {starttls}
  }}
  inet_listener imaps {{
    port = {tls}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {folder}/users
}}
userdb {{
  driver = static
  args = uid={owner} gid={owner} home={folder}/mail
}}
"""


@dataclass(frozen=True, slots=True)
class Place:
    house: MailHouse
    folder: Path
    tls: int
    starttls: int

    def deliver(self, name: str, content: bytes) -> None:
        """As an MDA does: written aside, then given its name."""
        aside, final = self.folder / "mail/tmp" / name, self.folder / "mail/new" / name
        aside.write_bytes(content)
        os.chown(aside, OWNER, OWNER)
        aside.rename(final)

    def poll(self, **changes: Any) -> int:
        given = {
            "server": f"localhost:{self.tls}",
            "user": USER,
            "password_file": self.folder / "password",
            "address": INTAKE,
            "certificates": self.folder / "anchor.pem",
        }
        stated = Mailbox(**{**given, **changes})
        return asyncio.run(Poll(self.house.means, stated, MailLimits()).once())

    def left(self) -> list[str]:
        """What the mailbox still holds, by its file's name with its flags."""
        return sorted(
            file.name for name in ("new", "cur") for file in (self.folder / "mail" / name).iterdir()
        )


def _wait_until_it_lets_in(port: int, log: Path) -> None:
    """It listens before its part that knows passwords is there, and refuses until then."""
    trusting = ssl.create_default_context(cadata=authority().certificate_pem)
    deadline = time.monotonic() + 30
    while True:
        try:
            with imaplib.IMAP4_SSL("localhost", port, ssl_context=trusting, timeout=20) as server:
                server.login(USER, PASSWORD)
            return
        except (imaplib.IMAP4.error, OSError) as error:
            if time.monotonic() > deadline:
                said = log.read_text(encoding="utf-8")[-2000:] if log.exists() else "nothing"
                raise AssertionError(f"{error}; it says {said}") from error
            time.sleep(0.2)


@pytest.fixture
def aside() -> Iterator[Path]:
    """Not below pytest's own folder: each run that starts takes everybody else's rights to that."""
    with tempfile.TemporaryDirectory(prefix="dovecot-") as made:
        yield Path(made)


@pytest.fixture
def place(aside: Path, tmp_path: Path) -> Iterator[Place]:
    folder, certificate_and_key = aside / "dovecot", key_files("Our gateway")
    for name in ("run", "state", "mail/new", "mail/cur", "mail/tmp"):
        (folder / name).mkdir(parents=True)
    for path in (folder / "mail", *(folder / "mail").iterdir()):
        os.chown(path, OWNER, OWNER)
    for above in (folder, aside):
        above.chmod(0o755)
    (folder / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n", encoding="ascii")
    (folder / "password").write_text(PASSWORD, encoding="ascii")
    (folder / "anchor.pem").write_text(authority().certificate_pem, encoding="ascii")
    tls, starttls = free_port(), free_port()
    settings = SETTINGS.format(
        folder=folder,
        certificate=certificate_and_key[0],
        key=certificate_and_key[1],
        tls=tls,
        starttls=starttls,
        owner=OWNER,
    )
    (folder / "dovecot.conf").write_text(settings, encoding="ascii")
    command = ["/usr/sbin/dovecot", "-F", "-c", str(folder / "dovecot.conf")]
    root = unpacked("dovecot-core", "dovecot-imapd")
    with (
        mail_house(tmp_path / "house") as house,
        started(root, command, users=USERS, groups=GROUPS, scratch=folder, port=tls),
    ):
        _wait_until_it_lets_in(tls, folder / "log")
        yield Place(house, folder, tls, starttls)


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_messages_come_byte_for_byte_and_are_seen_there(place: Place, security: str) -> None:
    large = MESSAGE + (b"x" * 76 + b"\r\n") * 40_000
    for number, one in enumerate((MESSAGE, large)):
        place.deliver(f"{number}.m", one)
    port = place.tls if security == "tls" else place.starttls
    server = {"security": security, "server": f"localhost:{port}"}
    assert place.poll(**server) == 2
    assert [content(place.house, one) for one in received(place.house)] == [MESSAGE, large]
    assert [name.rpartition(",")[2] for name in place.left()] == ["S", "S"]
    assert place.poll(**server) == 0
    place.deliver("2.m", MESSAGE + b"later\r\n")
    assert place.poll(**server) == 1


def test_what_is_safe_here_is_deleted_there(place: Place) -> None:
    place.deliver("0.m", MESSAGE)
    assert place.poll(after="delete") == 1
    assert place.left() == []
    assert place.poll(after="delete") == 0


def test_a_wrong_password_lets_nobody_in(place: Place) -> None:
    place.deliver("0.m", MESSAGE)
    (place.folder / "password").write_text("guessed", encoding="ascii")
    place.poll()
    assert received(place.house) == ()


def test_a_server_we_do_not_trust_is_not_spoken_to(place: Place) -> None:
    place.deliver("0.m", MESSAGE)
    (place.folder / "anchor.pem").write_text(authority("Other").certificate_pem, encoding="ascii")
    place.poll()
    assert received(place.house) == ()
