"""`direct anchors` and `direct bundles`: every change is recorded, and what is lax is said."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.store.direct_anchors import fingerprint
from tests.direct_certificates import MailAuthority
from tests.gateway.cli.terminal import Terminal, furnish
from tests.issuers import DAY, Answering, answering
from tests.signed_bundles import bag, signed_bundle

NOW = datetime.now(UTC).replace(microsecond=0)
ONE, TWO, THREE = (MailAuthority(name, NOW).certificate for name in ("One", "Two", "Three"))
PUBLISHER = MailAuthority("Publisher's CA", NOW).leaf("bundles@publisher.example")


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return furnish(tmp_path)


@pytest.fixture
def served(terminal: Terminal) -> Iterator[Answering]:
    """A web server on loopback that the settings allow."""
    with answering() as found:
        text = terminal.config.read_text()
        allowed = f'\n[revocation]\nprivate_addresses = ["{found.address}"]\n'
        terminal.config.write_text(text + allowed)
        yield found


def pem(*certificates: object) -> bytes:
    return b"".join(one.public_bytes(Encoding.PEM) for one in certificates)  # type: ignore[attr-defined]


def test_anchors_are_added_listed_and_removed_each_with_its_record(terminal: Terminal) -> None:
    file = terminal.write("anchors.p7b", bag([ONE, TWO]))
    with terminal.recording() as records:
        ended = terminal.run(
            "direct", "anchors", "add", file, "--domain", "Direct.Plan.example", "--no-outgoing"
        )
    assert ended.exit_code == 0, ended.err
    assert ended.out == "2 anchors trusted direct.plan.example, incoming\n"
    assert [one["transaction"] for one in records] == ["CLI-DIRECT-ANCHOR-ADD"] * 2
    assert fingerprint(ONE) in records[0]["reason"]
    with terminal.recording() as records:
        listed = terminal.run("direct", "anchors", "list", "--json").lines
    assert [one["transaction"] for one in records] == ["CLI-DIRECT-ANCHORS"]
    assert {(one["subject"], one["incoming"], one["outgoing"]) for one in listed} == {
        ("CN=One", True, False),
        ("CN=Two", True, False),
    }
    assert "CN=One" in terminal.run("direct", "anchors", "list").out
    with terminal.recording() as records:
        ended = terminal.run(
            *("direct", "anchors", "remove", fingerprint(ONE)[:12]),
            *("--domain", "direct.plan.example"),
        )
    assert ended.out == "no longer trusted: CN=One\n"
    assert [one["transaction"] for one in records] == ["CLI-DIRECT-ANCHOR-REMOVE"]
    assert len(terminal.run("direct", "anchors", "list", "--json").lines) == 1


def test_what_could_vouch_for_nobody_is_not_added(terminal: Terminal) -> None:
    """A wrong file fails at once, not in silence at the first message."""
    old = MailAuthority("Old", NOW, lifetime=(-9 * DAY, -DAY)).certificate
    for name, content, said in (
        ("leaf.pem", pem(PUBLISHER.certificate), "is not an authority"),
        ("old.pem", pem(old), "CN=Old has expired"),
        ("none.pem", b"nothing", "holds no anchor"),
    ):
        ended = terminal.run("direct", "anchors", "add", terminal.write(name, content))
        assert ended.exit_code == 2
        assert said in ended.err
    assert terminal.run("direct", "anchors", "add", terminal.folder / "no.pem").exit_code == 2
    file = terminal.write("one.pem", pem(ONE))
    options = ("--no-incoming", "--no-outgoing")
    assert terminal.run("direct", "anchors", "add", file, *options).exit_code == 2
    assert terminal.rows("SELECT * FROM direct_anchor") == []
    assert terminal.run("direct", "anchors", "remove", "abc").exit_code == 2
    assert terminal.run("direct", "anchors", "remove", "abcdef0123").exit_code == 1


def test_a_bundle_is_added_fetched_held_shown_and_approved(
    terminal: Terminal, served: Answering
) -> None:
    served.answer = lambda _path, _body: signed_bundle(bag([ONE, TWO]), PUBLISHER)
    signer = terminal.write("signer.pem", pem(PUBLISHER.certificate))
    url = f"{served.base}/acc.p7m"
    ended = terminal.run("direct", "bundles", "add", "acc", url, "--signer", signer)
    assert ended.out == "acc: taken: 2 anchors join, 0 leave\n", ended.err
    names = [one["transaction"] for one in terminal.records()[-2:]]
    assert names == ["CLI-DIRECT-BUNDLE-ADD", "DIRECT-BUNDLE"]
    (schedule,) = terminal.rows("SELECT * FROM schedule WHERE name = 'direct bundle acc'")
    assert (schedule["kind"], schedule["payload"], schedule["every_seconds"]) == (
        "direct_bundle_refresh",
        '{"bundle":"acc"}',
        86400,
    )

    served.answer = lambda _path, _body: signed_bundle(bag([TWO, THREE]), PUBLISHER)
    ended = terminal.run("direct", "bundles", "refresh", "acc")
    assert ended.exit_code == 0
    assert ended.out.startswith("acc: held: 1 anchors join, 1 leave; anchors leave\n")
    shown = terminal.run("direct", "bundles", "show", "acc")
    assert f"+ CN=Three ({fingerprint(THREE)[:16]})" in shown.out
    assert f"- CN=One ({fingerprint(ONE)[:16]})" in shown.out
    (form,) = terminal.run("direct", "bundles", "show", "acc", "--json").lines
    assert (form["state"], form["joined"], form["left"]) == (
        "held",
        [fingerprint(THREE)],
        [fingerprint(ONE)],
    )
    (listed,) = terminal.run("direct", "bundles", "list", "--json").lines
    assert (listed["anchors"], listed["version"], listed["held"]) == (2, 1, 2)
    assert "version 2" in terminal.run("direct", "bundles", "list").out
    assert "warning: bundle acc: version 2 waits" in terminal.run("config", "check").out

    with terminal.recording() as records:
        ended = terminal.run("direct", "bundles", "approve", "acc")
    assert ended.out == "acc: version 2 taken; 2 anchors are trusted\n"
    assert [one["transaction"] for one in records] == ["CLI-DIRECT-BUNDLE-APPROVE"]
    with terminal.recording() as records:
        ended = terminal.run("direct", "bundles", "approve", "acc", "--version", "1")
    assert ended.out == "acc: gone back to version 1; 2 anchors are trusted\n"
    sources = terminal.run("direct", "anchors", "list", "--json").lines
    assert {(one["subject"], one["source"]) for one in sources} == {
        ("CN=One", "acc"),
        ("CN=Two", "acc"),
    }


def test_a_bundle_that_waits_may_be_rejected_and_a_bundle_removed(
    terminal: Terminal, served: Answering
) -> None:
    served.answer = lambda _path, _body: bag([ONE])
    ended = terminal.run("direct", "bundles", "add", "acc", f"{served.base}/acc.p7b")
    assert ended.out.startswith("acc: held: ")
    with terminal.recording() as records:
        ended = terminal.run("direct", "bundles", "reject", "acc")
    assert ended.out == "acc: version 1 is rejected\n"
    assert [one["transaction"] for one in records] == ["CLI-DIRECT-BUNDLE-REJECT"]
    for command in (("approve", "acc"), ("reject", "acc"), ("show", "acc", "--version", "9")):
        assert terminal.run("direct", "bundles", *command).exit_code == 1
    with terminal.recording() as records:
        ended = terminal.run("direct", "bundles", "remove", "acc")
    assert ended.exit_code == 0
    assert [one["transaction"] for one in records] == ["CLI-DIRECT-BUNDLE-REMOVE"]
    assert terminal.rows("SELECT * FROM schedule WHERE name LIKE 'direct%'") == []
    for command in ("remove", "show", "refresh"):
        assert terminal.run("direct", "bundles", command, "acc").exit_code == 1


def test_a_refresh_of_all_that_fails_in_part_says_so(terminal: Terminal, served: Answering) -> None:
    served.answer = lambda path, _body: (
        signed_bundle(bag([ONE]), PUBLISHER) if path == "/good" else 404
    )
    assert terminal.run("direct", "bundles", "add", "good", f"{served.base}/good").exit_code == 0
    assert terminal.run("direct", "bundles", "add", "bad", f"{served.base}/bad").exit_code == 1
    ended = terminal.run("direct", "bundles", "refresh")
    assert ended.exit_code == 3
    assert "bad: failed: it cannot be had: it answers HTTP 404" in ended.out
    assert terminal.run("direct", "bundles", "refresh", "bad").exit_code == 1
    assert terminal.run("direct", "bundles", "add", "x", "ftp://x.example/").exit_code == 2


def test_config_check_says_what_runs_out_and_what_is_lax(
    terminal: Terminal, served: Answering
) -> None:
    late = MailAuthority("Late", NOW, lifetime=(-DAY, 20 * DAY + DAY / 2)).certificate
    file = terminal.write("late.pem", pem(late))
    options = ("--revocation", "when_reachable", "--without-source", "accept")
    assert terminal.run("direct", "anchors", "add", file, *options).exit_code == 0
    served.answer = lambda _path, _body: signed_bundle(bag([late]), PUBLISHER)
    url = f"{served.base}/acc.p7m"
    terminal.run("direct", "bundles", "add", "acc", url, "--without-source", "accept")
    said = " ".join(terminal.run("config", "check").out.split())
    day = late.not_valid_after_utc.date().isoformat()
    for warning in (
        f"warning: the Direct anchor CN=Late expires on {day}, in 20 days",
        f"warning: the anchor of bundle acc CN=Late expires on {day}, in 20 days",
        "warning: the Direct anchor CN=Late: revocation when_reachable, without source too",
        "warning: bundle acc: revocation without source too",
    ):
        assert warning in said
