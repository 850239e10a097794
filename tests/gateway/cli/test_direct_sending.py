"""`gateway direct send`, `sent`, `check`, `verdict` and `keys`, as a user types them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from direct.message import read_message
from gateway.model.identity import MailId
from gateway.model.sent_mail import Recipient
from gateway.store import mail_sent
from gateway.store.transaction import Transaction
from tests.direct_certificates import usage
from tests.gateway.cli.terminal import Terminal, furnish
from tests.gateway.exchange.direct_certificates import authority, certified
from tests.gateway.house import MEMBER, PLAN, open_house

DOMAIN = "direct.plan.test"
MAIL = f"""
[mail]
domains = [{{name = "{DOMAIN}", plan = "acme"}}]

[discovery]
name_servers = ["127.0.0.1:9"]
seconds = 0.2

[[policy.rules]]
name = "for payment"
plan = "acme"
purpose = "PAYMENT"
on_demand = true
"""
SEND = (
    "direct", "send", "--plan", "acme", "--from", f"desk@{DOMAIN}", "--to", "anne@clinic.test",
    "--purpose", "PAYMENT", "--requester", "Jane Roe",
)  # fmt: skip


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    made = furnish(tmp_path)
    made.config.write_text(made.config.read_text() + MAIL)
    return made


def test_a_message_is_queued_recorded_and_listed(terminal: Terminal) -> None:
    file = terminal.write("letter.pdf", b"%PDF-1.4")
    with terminal.recording() as made:
        ended = terminal.run(*SEND, "--file", file, "--text", "Hello", "--json")
    assert ended.exit_code == 0, ended.err
    (form,) = ended.lines
    assert form["recipients"][0]["state"] == "queued"
    assert [one["transaction"] for one in made] == ["CLI-SEND"]
    shown = terminal.run("direct", "sent", "--plan", "acme", "--message", form["id"])
    assert "anne@clinic.test: queued" in shown.out
    listed = terminal.run("direct", "sent", "--plan", "acme", "--json")
    assert [one["id"] for one in listed.lines] == [form["id"]]


def test_every_message_is_listed_however_many_there_are(terminal: Terminal) -> None:
    ended = terminal.run(*SEND, "--text", "Hello", "--json")
    with open_house(terminal.folder, furnished=False) as house:

        def unit(transaction: Transaction) -> None:
            first = mail_sent.get(transaction, plan=PLAN, message=MailId(ended.lines[0]["id"]))
            assert first is not None
            for number in range(1000):
                mail_sent.insert_message(
                    transaction, replace(first, id=MailId(f"{number}"), message_id=f"{number}@x")
                )

        house.database.write(unit)
    listed = terminal.run("direct", "sent", "--plan", "acme", "--json")
    assert len({one["id"] for one in listed.lines}) == 1001


def test_words_of_a_server_command_no_terminal(terminal: Terminal) -> None:
    (form,) = terminal.run(*SEND, "--text", "Hello", "--json").lines
    now = datetime.now(UTC)
    with open_house(terminal.folder, furnished=False) as house:
        house.database.write(
            lambda tx: mail_sent.put_recipient(
                tx,
                plan=PLAN,
                message=MailId(form["id"]),
                recipient=Recipient(
                    "anne@clinic.test", "handed_over", now, now, reason="450 \x1b[2Jlater"
                ),
            )
        )
    shown = terminal.run("direct", "sent", "--plan", "acme", "--message", form["id"]).out
    assert "\x1b" not in shown
    assert f", until {now.isoformat(timespec='seconds')})" in shown


def test_a_members_summary_goes_as_a_rule_gives_it(terminal: Terminal) -> None:
    ended = terminal.run(*SEND, "--member", MEMBER.member_id, "--summary", "--json")
    assert ended.exit_code == 0, ended.err
    assert len(ended.lines[0]["documents"]) == 1


def test_it_goes_in_an_xdm_package_when_that_is_asked_for(terminal: Terminal) -> None:
    ended = terminal.run(
        *SEND, "--member", MEMBER.member_id, "--summary", "--package", "xdm", "--json"
    )
    assert ended.exit_code == 0, ended.err
    with open_house(terminal.folder, furnished=False) as house:
        sent = house.database.read(
            lambda tx: mail_sent.get(tx, plan=PLAN, message=MailId(ended.lines[0]["id"]))
        )
        assert sent is not None
        parts = read_message(house.archive.load(PLAN, sent.blob)).parts
    assert [one.filename for one in parts] == [None, "XDM.zip", "metadata.txt"]
    assert terminal.run(*SEND, "--package", "rar").exit_code == 2


def test_what_may_not_be_sent_ends_in_a_sentence_and_is_recorded(terminal: Terminal) -> None:
    with terminal.recording() as made:
        ended = terminal.run(*SEND, "--to", "nobody")
    assert ended.exit_code == 1
    assert "is no address" in ended.err
    assert [(one["transaction"], one["outcome"]) for one in made] == [("CLI-SEND", "refused")]


def test_a_check_names_what_fails_and_exits_1(terminal: Terminal) -> None:
    ended = terminal.run("direct", "check", "anne@clinic.test")
    assert ended.exit_code == 1
    assert "Send to anne@clinic.test: no" in ended.out
    assert f"postmaster@{DOMAIN} has no key in use that could sign" in ended.out
    assert "its certificate could not be looked for" in ended.out
    assert "Tell them: We had no answer from your CERT records of anne.clinic.test" in ended.out


def test_a_check_for_an_address_that_is_not_ours_is_a_usage_error(terminal: Terminal) -> None:
    ended = terminal.run("direct", "check", "anne@clinic.test", "--from", "x@elsewhere.test")
    assert ended.exit_code == 2
    assert "no address of our domains" in ended.err


def test_a_key_is_imported_listed_and_used_from_a_date(terminal: Terminal) -> None:
    key, certificate = certified(DOMAIN)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file = terminal.write("own.pem", pem + certificate.public_bytes(Encoding.PEM))
    own = ("direct", "keys")
    ended = terminal.run(*own, "import", DOMAIN, file, "--wait", "--plan", "acme")
    assert ended.exit_code == 0, ended.err
    mark = ended.out.strip()
    assert "waits" in terminal.run(*own, "list", "--plan", "acme").out
    again = terminal.run(*own, "import", DOMAIN, file, "--plan", "acme")
    assert (again.exit_code, "imported before" in again.err) == (1, True)
    used = terminal.run(*own, "use", DOMAIN, mark, "--from", "2026-01-01", "--plan", "acme")
    assert "signs from 2026-01-01" in used.out
    broken = terminal.run(*own, "import", DOMAIN, terminal.write("x", b"x"), "--plan", "acme")
    assert broken.exit_code == 2


def test_a_verdict_of_nothing_is_a_sentence(terminal: Terminal) -> None:
    ended = terminal.run("direct", "verdict", "nothing", "--plan", "acme")
    assert ended.exit_code == 1
    assert "no such message" in ended.err


def test_a_key_of_no_domain_of_ours_is_taken_with_a_warning(terminal: Terminal) -> None:
    file = terminal.write("key.pem", renewed(700))
    for owner, warned in ((DOMAIN, False), ("desk@direct.acme.exmaple", True)):
        ended = terminal.run("direct", "keys", "import", owner, file, "--plan", "acme")
        assert ended.exit_code == 0
        assert ("no domain in [[mail.domains]]" in ended.err) == warned


def test_a_key_behind_a_password_is_asked_for_with_it(terminal: Terminal) -> None:
    file = terminal.write("key.p12", b"sealed")
    importing = ("direct", "keys", "import", DOMAIN, file, "--plan", "acme")
    asked = "--password-file names a file with its password"
    assert asked in terminal.run(*importing).err
    secret = terminal.write("password", "wrong")
    ended = terminal.run(*importing, "--password-file", secret)
    assert (ended.exit_code, asked in ended.err) == (2, False)


def test_what_is_published_are_our_keys_unless_other_files_are_named(terminal: Terminal) -> None:
    text = terminal.config.read_text() + f'\n[publish]\ndomains = ["{DOMAIN}"]\n'
    terminal.config.write_text(text)
    empty = terminal.run("direct", "publish")
    assert (empty.exit_code, "no key is in use" in empty.err) == (1, True)
    key, certificate = certified(DOMAIN)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file = terminal.write("own.pem", pem + certificate.public_bytes(Encoding.PEM))
    assert terminal.run("direct", "keys", "import", DOMAIN, file, "--plan", "acme").exit_code == 0
    shown = terminal.run("direct", "publish")
    assert (shown.exit_code, f"{DOMAIN}. " in shown.out, "CERT" in shown.out) == (0, True, True)
    assert f"the keys of `gateway direct keys`, of {DOMAIN}" in terminal.run("config", "check").out


def test_config_check_warns_of_our_own_certificate_until_the_next_one_is_in_place(
    terminal: Terminal,
) -> None:
    for lifetime, name, warned in ((20, "old", True), (700, "next", False)):
        file = terminal.write(f"{name}.pem", renewed(lifetime))
        ended = terminal.run("direct", "keys", "import", DOMAIN, file, "--plan", "acme")
        assert ended.exit_code == 0, ended.err
        said = " ".join(terminal.run("config", "check").out.split())
        assert (f"warning: our Direct certificate of {DOMAIN} expires on" in said) == warned


def test_config_check_warns_of_each_of_a_pair_for_a_single_use(terminal: Terminal) -> None:
    for days, use in ((20, "key_encipherment"), (700, "digital_signature")):
        pem = terminal.write(f"{use}.pem", renewed(days, use))
        ended = terminal.run("direct", "keys", "import", DOMAIN, pem, "--plan", "acme")
        assert ended.exit_code == 0, ended.err
    said = " ".join(terminal.run("config", "check").out.split())
    ours = f"our Direct certificate of {DOMAIN}"
    assert f"warning: {ours} (to be encrypted to) expires on" in said
    assert said.count(ours) == 1


def test_config_check_names_a_domain_that_has_no_key_or_trusts_nobody(terminal: Terminal) -> None:
    def said() -> str:
        return " ".join(terminal.run("config", "check").out.split())

    no_key, nobody = f"{DOMAIN} has no key in use", f"{DOMAIN} trusts nobody"
    assert no_key in said() and nobody in said()
    anchor = terminal.write("ca.pem", authority()[1].public_bytes(Encoding.PEM))
    terminal.run("direct", "anchors", "add", anchor, "--domain", "elsewhere.test")
    assert nobody in said()
    terminal.run("direct", "anchors", "add", anchor, "--domain", DOMAIN)
    assert no_key in said() and nobody not in said()
    file = terminal.write("own.pem", renewed(700))
    terminal.run("direct", "keys", "import", DOMAIN, file, "--plan", "acme")
    assert no_key not in said()


def renewed(days: int, use: str | None = None) -> bytes:
    """A key of our domain in PEM, with a certificate that is in force for so many days more, and
    for that use alone if one is given."""
    key, now = certified(DOMAIN)[0], datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, DOMAIN)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days, hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(DOMAIN)]), critical=False)
    )
    if use is not None:
        builder = builder.add_extension(usage(use), critical=True)
    certificate = builder.sign(key, SHA256())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem + certificate.public_bytes(Encoding.PEM)


def test_a_check_says_how_a_message_would_be_sealed(terminal: Terminal) -> None:
    ended = terminal.run("direct", "check", "anne@clinic.test")
    assert "sealed by aes256-cbc, rsa-oaep-sha1, sha256, pkcs1v15" in ended.out
