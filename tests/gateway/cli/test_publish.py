"""`gateway direct publish`, and what `config check` says of what is shown."""

import socket
import ssl
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import dns.message
import dns.query
import dns.rdatatype
import dns.zone
import httpx
from cryptography.hazmat.primitives.serialization import Encoding

from tests.certificates import leaf
from tests.gateway.cli.terminal import Terminal, run

DOMAIN = "direct.plan.test"
ISSUED = leaf("published by command", host=DOMAIN, address=f"dr.a@{DOMAIN}")

# Made once: a question makes one of its own otherwise, and reads every root certificate for it.
_NO_TLS = ssl.create_default_context()


def terminal(folder: Path, *more: str) -> Terminal:
    (folder / "mail.pem").write_bytes(ISSUED.certificate_pem)
    lines = [
        "[publish]",
        f'domains = ["{DOMAIN}"]',
        f'certificates = ["{folder / "mail.pem"}"]',
        'ldap_server = "ldap.plan.test:389"',
        *more,
    ]
    settings = [
        "[gateway]",
        f'data_dir = "{folder / "data"}"',
        f'key_file = "{folder / "key"}"',
        *lines,
    ]
    (folder / "gateway.toml").write_text("\n".join(settings), encoding="utf-8")
    return Terminal(folder)


def test_zone_lines_are_printed_for_a_name_server_of_yours(tmp_path: Path) -> None:
    ended = terminal(tmp_path).run("direct", "publish")
    assert (ended.exit_code, ended.err) == (0, "")
    head = f"{DOMAIN}. 60 IN SOA ns.test. host.test. 1 2 3 4 5\n{DOMAIN}. 60 IN NS ns.test.\n"
    zone = dns.zone.from_text(head + ended.out, origin=f"{DOMAIN}.", relativize=False)
    for name in (f"{DOMAIN}.", f"dr.a.{DOMAIN}."):
        (record,) = zone.get_rdataset(name, dns.rdatatype.CERT) or ()
        assert record.certificate == ISSUED.certificate.public_bytes(Encoding.DER)


def test_ldif_is_printed_for_a_directory_of_yours(tmp_path: Path) -> None:
    ended = terminal(tmp_path).run("direct", "publish", "--format", "ldif")
    assert (ended.exit_code, ended.err) == (0, "")
    assert ended.out.startswith("dn: dc=direct,dc=plan,dc=test\n")
    assert ended.out.count("userCertificate;binary:: ") == 2


def test_nothing_to_publish_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text("", encoding="utf-8")
    ended = run("direct", "publish", "--config", str(tmp_path / "gateway.toml"))
    assert ended.exit_code == 2
    assert ended.err == "gateway: [publish] in the settings says nothing to publish\n"
    shown = terminal(tmp_path)
    (tmp_path / "mail.pem").write_text("nothing")
    ended = shown.run("direct", "publish")
    assert ended.exit_code == 2
    assert "mail.pem is no certificate in PEM" in ended.err


def test_config_check_says_what_is_shown_and_where(tmp_path: Path) -> None:
    more = (
        'ldap = "127.0.0.1:1389"',
        "[discovery]",
        'private_addresses = ["10.0.0.9:389"]',
    )
    ended = terminal(tmp_path, *more).run("config", "check")
    assert ended.exit_code == 0, ended.err
    assert f"published       dr.a@{DOMAIN}: 1 certificates, LDAP at 127.0.0.1:1389" in ended.out
    assert "warning: certificates are also looked for in LDAP at 10.0.0.9:389" in ended.out
    (tmp_path / "mail.pem").unlink()
    ended = terminal(tmp_path, 'ldap = "nowhere"').run("config", "check")
    assert ended.exit_code == 2


def test_serve_answers_for_our_domains_until_it_is_stopped(tmp_path: Path) -> None:
    dns_address, plans, partners = (free_address() for _ in range(3))
    more = (
        f'dns = "{dns_address}"',
        'name_servers = ["ns.plan.test"]',
        "[listen]",
        f'plans = "{plans}"',
        f'operations = "{plans}"',
        f'partners = "{partners}"',
    )
    config = terminal(tmp_path, *more).config
    command = [sys.executable, "-m", "gateway", "serve", "--config", str(config)]
    query = dns.message.make_query(DOMAIN, "CERT")
    port = int(dns_address.rpartition(":")[2])
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            for _ in range(600):
                with suppress(OSError, httpx.HTTPError):
                    httpx.get(f"http://{plans}/health/ready", trust_env=False, verify=_NO_TLS)
                    answer = dns.query.tcp(query, "127.0.0.1", port=port, timeout=5)
                    break
                assert process.poll() is None, process.communicate()[0]
                time.sleep(0.1)
            assert answer.answer[0][0].certificate == ISSUED.certificate.public_bytes(Encoding.DER)
            process.terminate()
            printed, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0, printed
    assert b"our certificates are in DNS at 127.0.0.1" in printed


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"
