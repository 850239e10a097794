"""`keys`: a private key, a request, a certificate, and the day from which it is used."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.demo.certificates import create_authority, issue
from tests.gateway.cli.terminal import Terminal, furnish, run
from tests.gateway.house import certificate_of, key_files


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return furnish(tmp_path)


@pytest.mark.parametrize("kind", ["p256", "rsa3072"])
def test_a_key_is_made_for_its_owner_alone_and_never_over_another(
    tmp_path: Path, kind: str
) -> None:
    file = tmp_path / "new.key"
    assert run("keys", "new", file, "--kind", kind).exit_code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    load_pem_private_key(file.read_bytes(), None)
    before = file.read_bytes()
    ended = run("keys", "new", file)
    assert (ended.exit_code, file.read_bytes()) == (1, before)


def test_a_request_names_us_and_is_signed_with_the_key(tmp_path: Path) -> None:
    file = tmp_path / "new.key"
    run("keys", "new", file, "--kind", "p256")
    ended = run(
        "keys", "csr", file, "--common-name", "gw.example", "--organization", "Acme",
        "--host", "gw.example", "--host", "gw2.example",
    )  # fmt: skip
    request = x509.load_pem_x509_csr(ended.out.encode())
    assert request.is_signature_valid
    assert request.subject.rfc4514_string() == "CN=gw.example,O=Acme"
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["gw.example", "gw2.example"]
    key = load_pem_private_key(file.read_bytes(), None)
    assert request.public_key() == key.public_key()


def test_a_request_for_no_key_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("hello")
    for file in ("x", "none"):
        assert run("keys", "csr", tmp_path / file, "--common-name", "a").exit_code == 2


def test_a_pair_is_imported_then_used_from_a_day_on(terminal: Terminal) -> None:
    certificate, key = key_files("Next year")
    with terminal.recording() as records:
        ended = terminal.run("keys", "import", "signing", certificate, key)
    assert ended.exit_code == 0
    fingerprint = ended.out.splitlines()[0]
    assert [record["transaction"] for record in records] == ["CLI-KEYS-IMPORT"]
    states = {one["subject"]: one["state"] for one in terminal.run("keys", "list", "--json").lines
              if one["usage"] == "signing"}  # fmt: skip
    ours, next_year = "CN=Our gateway,O=Gateway demo", "CN=Next year,O=Gateway demo"
    assert states == {ours: "in use", next_year: "waits"}
    day = datetime.now(UTC) + timedelta(days=3)
    with terminal.recording() as records:
        ended = terminal.run("keys", "rotate", "signing", "--from", f"{day:%Y-%m-%dT%H:%M:%S}")
    assert fingerprint in ended.out
    assert [record["transaction"] for record in records] == ["CLI-KEYS-ROTATE"]
    assert "comes" in terminal.run("keys", "list").out
    terminal.run("keys", "rotate", "signing", fingerprint)
    states = {one["subject"]: one["state"] for one in terminal.run("keys", "list", "--json").lines
              if one["usage"] == "signing"}  # fmt: skip
    assert states == {ours: "was used", next_year: "in use"}


def test_both_certificates_are_there_for_partners(terminal: Terminal) -> None:
    certificate, key = key_files("Next year")
    terminal.run("keys", "import", "signing", certificate, key)
    printed = terminal.run("keys", "list", "--pem").out
    assert certificate_of("Our gateway").certificate_pem in printed
    assert certificate_of("Next year").certificate_pem in printed
    assert "PRIVATE" not in printed


def test_what_is_no_pair_is_not_imported(terminal: Terminal) -> None:
    certificate, key = key_files("Next year")
    _, other = key_files("Stranger")
    ended = terminal.run("keys", "import", "tls", certificate, other)
    assert ended.exit_code == 2
    assert "the certificate is not that of the private key" in ended.err
    assert terminal.run("keys", "import", "tls", certificate, "none").exit_code == 2
    assert terminal.run("keys", "import", "tls", certificate, key).exit_code == 0
    assert terminal.run("keys", "import", "tls", certificate, key).exit_code == 1
    assert terminal.run("keys", "rotate", "signing").exit_code == 1


def test_a_certificate_that_has_expired_is_not_imported(terminal: Terminal) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=1000)
    old = issue(create_authority("Network", now=long_ago), "Old", now=long_ago)
    certificate = terminal.write("old.pem", old.certificate_pem)
    ended = terminal.run("keys", "import", "tls", certificate, terminal.write("k", old.key_pem))
    assert ended.exit_code == 2
    assert f"{certificate} has expired" in ended.err
    assert terminal.run("keys", "rotate", "tls").exit_code == 1


def test_a_moment_is_asked_for_in_the_form_that_is_read(terminal: Terminal) -> None:
    terminal.run("keys", "import", "tls", *key_files("Next year"))
    for wrong in ("1/1/2027", "2027-01-01T00:00:00+05:00"):
        ended = terminal.run("keys", "rotate", "tls", "--from", wrong)
        assert ended.exit_code == 2
        assert "%Y-%m-%d" in ended.err
    ended = terminal.run("keys", "rotate", "tls", "--from", "2027-01-01T09:30")
    assert "from 2027-01-01T09:30:00+00:00" in ended.out


def test_the_key_that_seals_the_data_is_followed_by_another(terminal: Terminal) -> None:
    file = terminal.folder / "keys" / "key-encryption-key"
    before = file.read_text().splitlines()
    (plan_key,) = terminal.rows("SELECT kek_id FROM plan_key")
    ended = terminal.run("keys", "rotate", "data")
    assert ended.out == "1 plan keys sealed under a new key\n"
    assert file.read_text().splitlines()[: len(before)] == before
    (now,) = terminal.rows("SELECT kek_id FROM plan_key")
    assert now != plan_key
    assert terminal.run("summary", "LS-0093345", "--plan", "acme").exit_code == 0
