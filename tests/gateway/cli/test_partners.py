"""`partners`: partner files in, and what is wrong with one in a sentence."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.demo.certificates import create_authority, issue
from gateway.model.identity import PartnerId
from gateway.store import partner_health, partner_lessons
from gateway.store.database import open_database
from tests.gateway.cli.terminal import Terminal, furnish, pem
from tests.gateway.house import certificate_of

GOOD = """\
name = "Example HIE"
home_community_id = "urn:oid:2.999.8"
network = "test"
tls_certificates = ["partner.pem"]
signing_certificates = ["partner.pem"]
[endpoints]
iti55 = "https://hie.example/xcpd"
[profile]
timeout_seconds = 20
documents_per_retrieve = 3
"""


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    made = furnish(tmp_path)
    made.write("partner.pem", pem())
    return made


def test_a_partner_file_is_taken_and_recorded(terminal: Terminal) -> None:
    file = terminal.write("partner.toml", GOOD)
    with terminal.recording() as records:
        ended = terminal.run("partners", "add", file)
    assert ended.exit_code == 0
    assert ended.out == "1 partners added or changed\n"
    (record,) = records
    assert (record["transaction"], record["partner"]) == ("CLI-PARTNER-ADD", "2.999.8")
    assert record["plan"] is None
    listed = terminal.run("partners", "list", "--json").lines
    assert {"Example HIE", "Northfield Health"} == {one["name"] for one in listed}
    assert "Example HIE" in terminal.run("partners", "list").out
    (row,) = terminal.rows("SELECT profile FROM partner WHERE id = '2.999.8'")
    assert json.loads(row["profile"])["documents_per_retrieve"] == 3
    assert len(terminal.rows("SELECT * FROM partner_certificate WHERE partner = '2.999.8'")) == 2


def test_many_partners_come_in_one_file_of_json_or_toml(terminal: Terminal) -> None:
    forms = [{"name": f"P{n}", "home_community_id": f"2.999.9.{n}"} for n in (1, 2)]
    for content in (forms, {"partners": forms}):
        ended = terminal.run("partners", "add", terminal.write("p.json", json.dumps(content)))
        assert ended.out == "2 partners added or changed\n"
    tables = '[[partners]]\nname = "T"\nhome_community_id = "2.999.9.3"\n' * 1
    assert terminal.run("partners", "add", terminal.write("p.toml", tables)).exit_code == 0


def test_a_file_saved_on_windows_is_taken(terminal: Terminal) -> None:
    text = '\ufeffname = "North"\r\nhome_community_id = "2.999.77"\r\n'
    assert terminal.run("partners", "add", terminal.write("p.toml", text)).exit_code == 0
    text = '\ufeff{"nam": "North", "home_community_id": "2.999.77"}'
    ended = terminal.run("partners", "add", terminal.write("p.json", text))
    assert ended.exit_code == 2
    assert "name: it is required; nam: there is no such key" in ended.err


def test_a_pinned_certificate_that_has_expired_is_said_as_the_partner_is_added(
    terminal: Terminal,
) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=1000)
    old = issue(create_authority("Network", now=long_ago), "Old", now=long_ago)
    terminal.write("old.pem", old.certificate_pem)
    terminal.write("new.pem", certificate_of("North").certificate_pem)
    text = 'name = "North"\nhome_community_id = "2.999.77"\ntls_certificates = ["{}.pem"]\n'
    for name, said in (("old", True), ("new", False)):
        ended = terminal.run("partners", "add", terminal.write("p.toml", text.format(name)))
        assert ended.exit_code == 0
        assert ("a pinned certificate of North has expired on" in ended.err) == said


def test_a_partner_of_one_plan_is_recorded_in_that_plan(terminal: Terminal) -> None:
    file = terminal.write("partner.toml", GOOD)
    with terminal.recording() as records:
        assert terminal.run("partners", "add", file, "--plan", "acme").exit_code == 0
    assert [(one["plan"], one["partner"]) for one in records] == [("acme", "acme:2.999.8")]
    unknown = terminal.run("partners", "add", file, "--plan", "nowhere")
    assert unknown.exit_code == 2
    assert "no plan nowhere" in unknown.err


HEAD = 'name = "A"\nhome_community_id = "2.999.8"\n'
BAD = {
    "not TOML": ("p.toml", "name =", "not valid"),
    "not JSON": ("p.json", "{", "not valid"),
    "no text": ("p.toml", b"\xff\xfe", "UTF-8"),
    "a number": ("p.json", "3", "partner 1"),
    "a list of numbers": ("p.json", "[3]", "partner 1"),
    "nothing": ("p.json", "[]", "no partner"),
    "partners is no list": ("p.json", '{"partners": 3}', "partner 1"),
    "no name": ("p.toml", 'home_community_id = "2.999.8"', "name"),
    "an empty name": ("p.toml", 'name = ""\nhome_community_id = "2.999.8"', "name"),
    "a name that is a number": ("p.toml", 'name = 3\nhome_community_id = "2.999.8"', "name"),
    "no community": ("p.toml", 'name = "A"', "home_community_id"),
    "no OID": ("p.toml", 'name = "A"\nhome_community_id = "x"', "object identifier"),
    "unknown key": ("p.toml", HEAD + "colour = 3", "colour"),
    "unknown endpoint": ("p.toml", HEAD + '[endpoints]\niti18 = "https://x"', "iti18"),
    "endpoints no table": ("p.toml", HEAD + "endpoints = 3", "endpoints"),
    "plain http": ("p.toml", HEAD + '[endpoints]\niti55 = "http://x"', "endpoints.iti55"),
    "unknown profile": ("p.toml", HEAD + "[profile]\nverify = false", "verify"),
    "a wrong time": ("p.toml", HEAD + '[profile]\ntimeout_seconds = "soon"', "timeout_seconds"),
    "no time": ("p.toml", HEAD + "[profile]\ntimeout_seconds = 0", "timeout_seconds"),
    "no documents": ("p.toml", HEAD + "[profile]\ndocuments_per_retrieve = 0", "documents_per"),
    "a plain reply address": (
        "p.toml",
        HEAD + '[endpoints]\nreplies = ["http://x"]',
        "endpoints.replies",
    ),
    "plain locations": (
        "p.toml",
        HEAD + '[endpoints]\niti56 = "http://hie.example/xcpd"',
        "endpoints.iti56",
    ),
    "no waiting": ("p.toml", HEAD + "[profile]\nanswer_within_seconds = 0", "answer_within"),
    "over-sure": ("p.toml", HEAD + "[profile]\nminimum_degree_match = 101", "minimum_degree"),
    "no window": ("p.toml", HEAD + "[profile]\nquery_window_days = 0", "query_window"),
    "SHA-1 in the past": ("p.toml", HEAD + "[profile]\nsha1_until = 2020-01-01", "sha1_until"),
    "SHA-1 for good": ("p.toml", HEAD + "[profile]\nsha1_until = 9999-01-01", "sha1_until"),
    "SHA-1 by a word": ("p.toml", HEAD + '[profile]\nsha1_until = "soon"', "sha1_until"),
    "no audience": ("p.toml", HEAD + '[profile]\naudience = " "', "audience"),
    "bearer by a word": ("p.toml", HEAD + '[profile]\nbearer_accepted = "no"', "bearer_accepted"),
    "no such certificate": ("p.toml", HEAD + 'tls_certificates = ["none.pem"]', "none.pem"),
    "no certificate": ("p.toml", HEAD + 'tls_certificates = ["gateway.toml"]', "no PEM"),
    "a broken certificate": (
        "p.toml",
        HEAD + 'signing_certificates = ["-----BEGIN CERTIFICATE-----\\nxx"]',
        "no PEM",
    ),
    "certificates as one text": ("p.toml", HEAD + 'tls_certificates = "x"', "tls_certificates"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_partner_file_is_a_sentence_and_changes_nothing(
    terminal: Terminal, case: str
) -> None:
    name, content, word = BAD[case]
    before = terminal.rows("SELECT * FROM partner")
    ended = terminal.run("partners", "add", terminal.write(name, content))
    assert ended.exit_code == 2
    assert word in ended.err
    assert ended.err.count("\n") == 1
    assert terminal.rows("SELECT * FROM partner") == before


def test_what_is_known_of_a_community_goes_into_its_profile_and_is_said(
    terminal: Terminal,
) -> None:
    epic = GOOD.replace("urn:oid:2.999.8", "1.2.840.114350.1.13.1")
    ended = terminal.run("partners", "add", terminal.write("epic.toml", epic))
    assert "Example HIE is known as Epic: documents_per_retrieve = 3" in ended.out
    silent = epic.replace("documents_per_retrieve = 3\n", "")
    ended = terminal.run("partners", "add", terminal.write("epic.toml", silent))
    assert "Example HIE is known as Epic: documents_per_retrieve = 9" in ended.out
    (row,) = terminal.rows("SELECT profile FROM partner WHERE id = '1.2.840.114350.1.13.1'")
    assert json.loads(row["profile"])["documents_per_retrieve"] == 9


def test_what_would_weaken_security_is_said_and_never_done(terminal: Terminal) -> None:
    kno2 = GOOD.replace("urn:oid:2.999.8", "2.16.840.1.113883.3.3126.2.3")
    ended = terminal.run("partners", "add", terminal.write("kno2.toml", kno2))
    assert "is known as Kno2: it is known to want rsa-sha1 signatures: ask it" in ended.out
    (row,) = terminal.rows("SELECT profile FROM partner WHERE id = '2.16.840.1.113883.3.3126.2.3'")
    assert "sha1_until" not in json.loads(row["profile"])


def test_a_partner_that_is_left_alone_is_listed_as_such(terminal: Terminal) -> None:
    now = datetime.now(UTC)
    database = open_database(f"sqlite:///{terminal.database}")
    try:
        for _ in range(3):
            database.write(
                lambda tx: partner_health.failed(
                    tx, partner=PartnerId("2.999.7301.1"), plan=None, reason="it was late", now=now
                )
            )
    finally:
        database.close()
    (form,) = terminal.run("partners", "list", "--json").lines
    assert (form["health"]["failures"], form["health"]["reason"]) == (3, "it was late")
    assert "left alone until" in " ".join(terminal.run("partners", "list").out.split())


def test_lessons_are_listed_with_when_and_why_and_revoked_once(terminal: Terminal) -> None:
    assert "Nothing was learned yet." in terminal.run("partners", "lessons", "list").out
    database = open_database(f"sqlite:///{terminal.database}")
    try:
        database.write(
            lambda tx: partner_lessons.learn(
                tx,
                partner=PartnerId("2.999.7301.1"),
                plan=None,
                kind="documents_per_retrieve",
                value=1,
                why="it gave none of 5",
                now=datetime.now(UTC),
            )
        )
    finally:
        database.close()
    with terminal.recording() as records:
        (form,) = terminal.run("partners", "lessons", "list", "--json").lines
        assert (form["partner"], form["value"]) == ("Northfield Health", 1)
        assert (form["why"], form["revoked"]) == ("it gave none of 5", None)
        assert terminal.run("partners", "lessons", "revoke", form["number"]).exit_code == 0
        assert terminal.run("partners", "lessons", "revoke", form["number"]).exit_code == 1
    (form,) = terminal.run("partners", "lessons", "list", "--json").lines
    assert form["revoked_by"]
    assert "at most 1 documents" in " ".join(
        terminal.run("partners", "lessons", "list").out.split()
    )
    assert [(one["transaction"], one["outcome"]) for one in records] == [
        ("CLI-LESSONS", "success"),
        ("CLI-LESSON-REVOKE", "success"),
        ("CLI-LESSON-REVOKE", "refused"),
    ]


def test_a_partner_file_that_is_not_there_is_usage(terminal: Terminal) -> None:
    assert terminal.run("partners", "add", terminal.folder / "none.toml").exit_code == 2


def test_an_empty_directory_says_what_to_do(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(f'[gateway]\ndata_dir = "{tmp_path}/d"\nkey_file = "{tmp_path}/k/k"\n')
    ended = Terminal(tmp_path).run("partners", "list")
    assert ended.exit_code == 0
    assert "gateway partners add" in ended.out


def test_who_may_ask_in_whose_name_is_taken_from_the_partners_file(terminal: Terminal) -> None:
    delegates = '[delegates]\n"urn:oid:2.999.8.4" = ["2.999.9", "urn:oid:2.999.10"]\n'
    assert terminal.run("partners", "add", terminal.write("p.toml", GOOD + delegates)).out
    rows = terminal.rows("SELECT principal, delegate FROM delegation ORDER BY delegate")
    assert [(row["principal"], row["delegate"]) for row in rows] == [
        ("2.999.8.4", "2.999.10"),
        ("2.999.8.4", "2.999.9"),
    ]
    terminal.run("partners", "add", terminal.write("p.toml", GOOD))
    assert terminal.rows("SELECT * FROM delegation") == []
    wrong = '[delegates]\n"clinic" = ["2.999.9"]\n'
    ended = terminal.run("partners", "add", terminal.write("p.toml", GOOD + wrong))
    assert ended.exit_code == 2
    assert "delegates maps one OID to a list of OIDs" in ended.err


def test_how_assertions_are_spelt_is_in_the_profile(terminal: Terminal) -> None:
    style = '[profile.assertion]\nname_format = "basic"\nstatements = "each"\n'
    assert terminal.run("partners", "add", terminal.write("p.toml", GOOD + style)).exit_code == 0
    (row,) = terminal.rows("SELECT profile FROM partner WHERE id = '2.999.8'")
    assert json.loads(row["profile"])["assertion"] == {
        "name_format": "basic",
        "statements": "each",
    }
    wrong = '[profile.assertion]\nname_format = "fancy"\n'
    assert terminal.run("partners", "add", terminal.write("p.toml", GOOD + wrong)).exit_code == 2


def test_what_our_assertions_say_to_a_partner_is_in_the_profile(terminal: Terminal) -> None:
    day = datetime.now(UTC).date() + timedelta(days=30)
    exception = f'[profile]\naudience = "endpoint"\nsha1_until = {day}\n'
    toml = GOOD.replace("[profile]\n", exception)
    toml += '[profile.assertion]\nconfirmation = "bearer"\n'
    assert terminal.run("partners", "add", terminal.write("p.toml", toml)).exit_code == 0
    (row,) = terminal.rows("SELECT profile FROM partner WHERE id = '2.999.8'")
    profile = json.loads(row["profile"])
    assert (profile["audience"], profile["sha1_until"]) == ("endpoint", day.isoformat())
    assert profile["assertion"] == {"confirmation": "bearer"}
