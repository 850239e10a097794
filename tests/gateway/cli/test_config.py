"""`config check`: the policy in words, what is laxer than it need be, what runs out."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.demo.certificates import create_authority, issue
from gateway.model.partner import PartnerProfile
from gateway.store import partners
from ihe.saml_writing import AssertionStyle
from tests.gateway.cli.terminal import Terminal, furnish
from tests.gateway.house import a_partner, key_files, open_house


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return furnish(tmp_path)


def add(terminal: Terminal, toml: str) -> None:
    text = terminal.config.read_text(encoding="utf-8")
    terminal.config.write_text(f"{text}\n{toml}", encoding="utf-8")


def checked(terminal: Terminal) -> str:
    ended = terminal.run("config", "check")
    assert ended.exit_code == 0, ended.err
    return ended.out


NETWORK = """\
[[networks]]
name = "strict"
purposes = "tefca"
[[networks]]
name = "lax"
revocation = "when_reachable"
[[networks]]
name = "none"
revocation = "off"
[revocation]
private_addresses = ["10.1.2.3:80"]
"""


def test_what_is_laxer_than_by_default_is_shown(terminal: Terminal) -> None:
    add(terminal, NETWORK)
    out = checked(terminal)
    assert "strict: 0 anchors, purposes of TEFCA, revocation is looked up" in out
    warnings = [line for line in out.splitlines() if line.startswith("warning: ")]
    assert any("network lax: a certificate is taken when" in line for line in warnings)
    assert any("network none: revocation is not looked at" in line for line in warnings)
    assert any("10.1.2.3:80" in line for line in warnings)
    assert not any("strict" in line for line in warnings)


def test_a_secret_that_everybody_may_read_is_shown(terminal: Terminal, tmp_path: Path) -> None:
    word = tmp_path / "word"
    word.write_text("secret")
    word.chmod(0o640)
    smarthost = f'[mail.out.smarthost]\nserver = "relay.test:587"\npassword_file = "{word}"\n'
    add(terminal, MAIL_OUT + smarthost)
    said = "may be read by everybody on this machine"
    assert said not in checked(terminal)
    (key,) = terminal.folder.glob("**/key-encryption-key")
    for name, file in (("key_file", key), ("mail.out.smarthost.password_file", word)):
        file.chmod(0o644)
        assert f"warning: {name}: {file} {said}" in checked(terminal)


def test_where_mail_may_be_sent_inside_the_house_is_shown(terminal: Terminal) -> None:
    add(terminal, MAIL_OUT + '[mail.out]\nprivate_addresses = ["10.0.0.5:25"]\n')
    assert "warning: mail is also sent to 10.0.0.5:25" in checked(terminal)


def test_a_partner_that_is_spoken_to_laxly_is_shown(terminal: Terminal) -> None:
    with open_house(terminal.folder, furnished=False, known=()) as house:
        lax = PartnerProfile(bearer_accepted=True, confirmation_required=False)
        house.database.write(lambda tx: partners.put(tx, a_partner(profile=lax)))
    out = checked(terminal)
    assert "warning: Northfield Health: assertions are taken from whoever bears them" in out
    assert "warning: Northfield Health: its answers need not confirm our signature" in out


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (10, "we sign with SHA-1 for it until {}, 10 days from now"),
        (0, "we sign with SHA-1 for it until {}, 0 days from now"),
        (-1, "our exception to sign with SHA-1 ended on {}: it is not asked"),
    ],
)
def test_what_we_send_a_partner_laxly_is_shown_with_its_end(
    terminal: Terminal, days: int, said: str
) -> None:
    day = datetime.now(UTC).date() + timedelta(days=days)
    lax = PartnerProfile(sha1_until=day, assertion=AssertionStyle(confirmation="bearer"))
    with open_house(terminal.folder, furnished=False, known=()) as house:
        house.database.write(lambda tx: partners.put(tx, a_partner(profile=lax)))
    out = checked(terminal)
    assert "warning: Northfield Health: our assertions to it hold for whoever bears them" in out
    assert f"warning: Northfield Health: {said.format(day)}" in out


RULES = """\
[[policy.rules]]
name = "to Northfield"
plan = "acme"
partner = "2.999.7301.1"
purpose = "PAYMENT"
[[policy.rules]]
name = "sensitive"
plan = "acme"
confidentiality = ["N", "R"]
third_party = true
"""


def test_the_policy_is_told_in_words(terminal: Terminal) -> None:
    add(terminal, RULES)
    out = checked(terminal)
    assert (
        "to Northfield: acme gives its own documents of confidentiality N to Northfield Health "
        "for PAYMENT"
    ) in out
    assert "N or R (SENSITIVE: R) to every partner for any purpose" in out
    assert "other gives nothing to anyone: it has no rule" in out


def test_certificates_that_run_out_are_warned_of(terminal: Terminal) -> None:
    """The demo's certificates live for two days."""
    out = checked(terminal)
    assert "warning: our tls certificate" in out
    assert "warning: our signing certificate" in out
    assert "warning: a pinned certificate of Northfield Health expires on" in out
    old = issue(
        create_authority("Old", now=datetime.now(UTC) - timedelta(days=9)),
        "Northfield Health",
        now=datetime.now(UTC) - timedelta(days=9),
    )
    with open_house(terminal.folder, furnished=False, known=()) as house:
        partner = replace(a_partner(), signing_certificates=(old.certificate_pem,))
        house.database.write(lambda tx: partners.put(tx, partner))
    assert "a pinned certificate of Northfield Health has expired on" in checked(terminal)


def test_a_proxy_is_shown_and_its_certificates_must_be_there(terminal: Terminal) -> None:
    add(terminal, '[proxy]\nheader = "ssl-client-cert"\n')
    assert "its header ssl-client-cert is believed if it is on this machine" in checked(terminal)
    add(terminal, 'certificates = ["none.pem"]\n')
    ended = terminal.run("config", "check")
    assert ended.exit_code == 1
    assert "proxy.certificates: none.pem cannot be read" in ended.err


def test_a_database_that_cannot_be_read_is_a_remark(terminal: Terminal) -> None:
    terminal.database.write_bytes(b"no database")
    assert "warning: the database was not looked at" in checked(terminal)


MAIL_OUT = """\
[mail]
[[mail.domains]]
name = "direct.acme.example"
plan = "acme"
[[mail.out.routes]]
domain = "old.example"
key_transport = "rsa-pkcs1v15"
cipher = "aes128-cbc"
package = "xdm"
context = false
[[mail.out.routes]]
domain = "new.example"
oaep_digest = "sha256"
tls = "required"
[[mail.out.forward]]
name = "to the clinic"
plan = "acme"
to = "records@clinic.example"
sender = "summaries@direct.acme.example"
members = ["1", "2"]
purpose = "TREATMENT"
requester = "Jane Roe"
package = "xdm"
"""


def test_how_mail_leaves_and_what_leaves_by_rule_is_shown(terminal: Terminal) -> None:
    add(terminal, MAIL_OUT)
    out = " ".join(checked(terminal).split())
    default = "aes256-cbc, rsa-oaep with sha1; documents as attachments"
    assert f"mail out by the domain's own servers, TLS opportunistic; {default}" in out
    assert "to old.example: by the domain's own servers, TLS opportunistic" in out
    assert "aes128-cbc, rsa-pkcs1v15; documents as xdm without context" in out
    assert "TLS required; aes256-cbc, rsa-oaep with sha256" in out
    assert "to the clinic: new summaries of 2 of plan acme's members" in out
    assert "by Jane Roe, as xdm" in out


def test_a_key_of_another_certificate_is_found_before_anybody_listens(terminal: Terminal) -> None:
    _, other = key_files("Northfield Health")
    text = terminal.config.read_text(encoding="utf-8")
    head, mark, tail = text.partition('key = "')
    terminal.config.write_text(
        f'{head}{mark}{other}"{tail.partition(chr(34))[2]}', encoding="utf-8"
    )
    ended = terminal.run("config", "check")
    assert ended.exit_code == 1
    assert "[tls] the key pair is not usable" in ended.err


def test_what_names_nothing_is_warned_of(terminal: Terminal) -> None:
    file = terminal.write(
        "lost.toml", b'name = "Lost"\nhome_community_id = "2.999.8"\nnetwork = "no"'
    )
    added = terminal.run("partners", "add", file)
    assert (added.exit_code, added.out.splitlines()[0]) == (0, "1 partners added or changed")
    assert "Lost: there is no network no in the settings" in added.err
    add(
        terminal,
        '[[policy.rules]]\nname = "slip"\nplan = "acmee"\npurpose = "PAYMNT"\n',
    )
    told = checked(terminal)
    assert "warning: rule slip: there is no plan acmee in the settings" in told
    assert "warning: rule slip: there is no purpose PAYMNT, so it fits nothing" in told
    assert "warning: Lost: there is no network no in the settings" in told
