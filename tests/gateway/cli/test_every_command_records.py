"""Every command leaves the records of what it did: who, about whom, what for, how it ended.

The commands are found, not listed: a new one fails here until it has its rows, or a reason why it
leaves none. A fact that a row does not name must not stand in the record either.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.app.house import open_house
from gateway.cli.recording import operator
from gateway.model.document import Document
from gateway.settings import load_settings
from gateway.store import mail_received
from gateway.store.direct_anchors import fingerprint
from tests.direct_certificates import MailAuthority
from tests.gateway.cli.terminal import Terminal, furnish
from tests.gateway.cli.test_direct import give
from tests.gateway.cli.test_direct_sending import DOMAIN, MAIL
from tests.gateway.cli.test_help import ALL
from tests.gateway.exchange.direct_certificates import certified
from tests.gateway.house import MEMBER, PLAN, a_partner, demo_document, documents, key_files
from tests.issuers import answering
from tests.signed_bundles import bag, signed_bundle

NOW: Final = datetime.now(UTC).replace(microsecond=0)
PUBLISHER: Final = MailAuthority("Publisher's CA", NOW).leaf("bundles@publisher.example")
NUMBER: Final = MEMBER.member_id
OWN: Final = ("--plan", "acme")
WHY: Final = ("--reason", "as I say", *OWN)
STATED: Final = ("--purpose", "PAYMENT", "--requester", "Jane Roe")
FACTS: Final = (
    "plan", "partner", "purpose", "authority", "member", "documents", "conversation", "message_id",
)  # fmt: skip
AUTHORITY: Final = "urn:oid:2.999.1.7"
MONTH: Final = f"{datetime.now(UTC):%Y-%m}"

SILENT: Final[dict[str, str]] = {
    "demo": "a house of its own, thrown away; tests/flows/test_demo.py",
    "serve": "GATEWAY-START and GATEWAY-STOP; tests/gateway/exchange/test_audit_feed.py",
    "worker": "GATEWAY-START and GATEWAY-STOP; tests/gateway/exchange/test_audit_feed.py",
    "simulate": "a partner that is not of this house",
    "parse": "no database: the file is the caller's own",
    "keys new": "no database: the key is nobody's yet",
    "keys csr": "no database",
    "direct publish": "prints what everybody may see",
    "config check": "reads the settings, before there is a database too",
    "db upgrade": "changes no record, and shows none",
    "audit verify": "shows numbers alone; it must leave a log that is in doubt as it is",
    "audit checkpoint": "signs the log as it is: a record more would be another log",
    "audit key": "prints what everybody may see",
    "audit verifier": "no database",
    "audit status": "shows how many records a repository lacks, and none of them",
}
"""Commands that leave no record when they end well, and why."""


@dataclass(frozen=True, slots=True)
class Row:
    """A command as it is typed, and its one record; `@name` stands for an id of the house."""

    typed: tuple[object, ...]
    name: str
    outcome: str = "success"
    facts: dict[str, Any] = field(default_factory=dict)
    reason: str | None = None
    exit_code: int | None = None
    """0 for what succeeds and 1 for what does not, unless it is said."""
    beside: tuple[tuple[str, str], ...] = ()
    """Further acts of the command, which have records of their own, and how each ends."""

    @property
    def ends(self) -> int:
        return int(self.outcome != "success") if self.exit_code is None else self.exit_code


def own(**more: Any) -> dict[str, Any]:
    return {"plan": "acme", **more}


def about(**more: Any) -> dict[str, Any]:
    return own(member=MEMBER.id, **more)


SEND: Final = ("--from", f"desk@{DOMAIN}", "--to", "anne@clinic.test", *STATED, *OWN)
ROWS: Final[dict[str, tuple[Row, ...]]] = {
    "ingest": (
        Row(("@document.xml", *OWN), "FILE", facts=about(documents=["@new"])),
        Row(("@stray.xml", *OWN), "FILE", facts=own(documents=["@new"]), reason="held"),
        Row(("@bad.xml", *OWN), "FILE", facts=own(documents=["@new"]), reason="quarantined"),
    ),
    "retrieve": (
        # The partner of this house has no address: nobody answers, and the order was recorded.
        Row((NUMBER, *STATED, *OWN), "CLI-RETRIEVAL", exit_code=1,
            facts=about(purpose="PAYMENT", authority=AUTHORITY, conversation="@new")),
        Row(("nobody", *STATED, *OWN), "CLI-RETRIEVAL", "refused",
            own(purpose="PAYMENT", authority=AUTHORITY), "no member of the plan"),
        Row((NUMBER, "--purpose", "TREATMENT", "--requester", "Jane", *OWN), "CLI-RETRIEVAL",
            "refused", about(purpose="TREATMENT", authority=AUTHORITY), "treatment"),
    ),
    "summary": (
        Row((NUMBER, *OWN), "CLI-SUMMARY", facts=about()),
        Row(("nobody", *OWN), "CLI-SUMMARY", "refused", own(), "no member of the plan"),
    ),
    "members import": (
        Row(("@roster.csv",), "CLI-MEMBERS-IMPORT", facts=own(), reason="1 members"),
        Row(("@wrong.csv",), "CLI-MEMBERS-IMPORT", "refused", {}, "1 lines refused"),
    ),
    "members list": (Row(OWN, "CLI-MEMBERS", facts=own(), reason="members"),),
    "members opt-out": (
        Row((NUMBER, *WHY), "CLI-MEMBER-CONSENT", facts=about(), reason="opted out: as I say"),
        Row((NUMBER, "--undo", *WHY), "CLI-MEMBER-CONSENT", facts=about(), reason="opted in"),
        Row(("nobody", *WHY), "CLI-MEMBER-CONSENT", "refused", own(), "no member of the plan"),
    ),
    "members show": (
        Row((NUMBER, *OWN), "CLI-MEMBER", facts=about()),
        Row(("nobody", *OWN), "CLI-MEMBER", "refused", own(), "no member of the plan"),
    ),
    "partners add": (
        Row(("@partner.toml",), "CLI-PARTNER-ADD", facts={"partner": "2.999.8"}),
        Row(("@partner.toml", *OWN), "CLI-PARTNER-ADD", facts=own(partner="acme:2.999.8")),
    ),
    "partners import": (
        Row(("@directory.json", "--network", "test", *OWN), "CLI-DIRECTORY", facts=own(),
            reason="test: 1 added", beside=(("CLI-PARTNER-ADD", "success"),)),
    ),
    "partners ledger": (Row(OWN, "CLI-LEDGER", facts=own(), reason="lines"),),
    "partners list": (Row((), "CLI-PARTNERS"),),
    "partners check": (
        # The partner of this house has no address: it is asked nothing.
        Row(("Northfield Health", *OWN), "CLI-PARTNER-CHECK", exit_code=1,
            facts=own(partner=a_partner().id, purpose="OPERATIONS")),
        Row(("none", *OWN), "CLI-PARTNER-CHECK", "refused", own(), "no partner none", 2),
    ),
    "partners lessons list": (Row((), "CLI-LESSONS"),),
    "partners lessons revoke": (
        Row(("7",), "CLI-LESSON-REVOKE", "refused", {}, "no such lesson"),
    ),
    "submit": (
        Row((NUMBER, "--to", "Northfield Health", *STATED, *OWN), "CLI-SUBMISSION", "refused",
            about(partner=a_partner().id, purpose="PAYMENT", authority=AUTHORITY,
                  conversation="@new"), "takes no submissions"),
        Row((NUMBER, "--to", "none", *STATED, *OWN), "CLI-SUBMISSION", "refused", own(),
            "no partner is called none", 2),
        Row(("nobody", "--to", "none", *STATED, *OWN), "CLI-SUBMISSION", "refused", own(),
            "no member of the plan"),
    ),
    "exchanges list": (
        Row(("--limit", "3"), "CLI-EXCHANGES", reason="3 records by sequence"),
        Row((*OWN, "--member", NUMBER), "CLI-EXCHANGES", facts=about(), reason="records by"),
        Row(("--after", "4000"), "CLI-EXCHANGES", "refused", {}, "no record 4000"),
    ),
    "exchanges show": (
        Row(("1",), "CLI-EXCHANGE", facts=about(), reason="record 1"),
        Row(("--conversation", "@sent"), "CLI-EXCHANGES", facts=own(), reason="1 records of"),
        Row(("4000",), "CLI-EXCHANGE", "refused", {}, "no record 4000"),
        Row(("--conversation", "none"), "CLI-EXCHANGES", "refused", {}, "no such conversation"),
    ),
    "exchanges refusals": (Row(OWN, "CLI-REFUSALS", facts=own(), reason="lines"),),
    "exchanges unusual": (Row((), "CLI-UNUSUAL", reason="lines"),),
    "audit disclosures": (
        Row((NUMBER, *OWN), "CLI-DISCLOSURES", facts=about()),
        Row((NUMBER, "--format", "csv", *OWN), "CLI-DISCLOSURES", facts=about()),
        Row(("nobody", *OWN), "CLI-DISCLOSURES", "refused", own(), "no member of the plan"),
    ),
    "audit export": (Row(OWN, "CLI-LOG-EXPORT", facts=own(), reason="records as jsonl"),),
    "audit outflow": (Row((), "CLI-OUTFLOW", reason="0 lines"),),
    "audit finding": (
        Row(("1", "--kind", "misdirected"), "DISCLOSURE-FINDING",
            facts=about(message_id="record 1"), reason="misdirected"),
        Row(("4000", "--kind", "misdirected"), "DISCLOSURE-FINDING", "refused", {},
            "no record 4000"),
        Row(("1", "--kind", "misdirected", "--member", "nobody"), "DISCLOSURE-FINDING", "refused",
            own(), "no member of the plan"),
    ),
    "audit prove": (
        Row(("1",), "CLI-PROOF", reason="record 1"),
        Row(("4000",), "CLI-PROOF", "refused", {}, "4000 is not among them"),
    ),
    "audit retry": (
        Row(("arr",), "CLI-AUDIT-RETRY", reason="0 dead letters of arr"),
        Row(("none",), "CLI-AUDIT-RETRY", "refused", {}, "no audit repository none"),
    ),
    "audit hold add": (
        Row(("--reason", "a suit", *OWN), "CLI-AUDIT-HOLD", facts=own(), reason="hold "),
        Row(("--reason", "a suit", "--member", "nobody", *OWN), "CLI-AUDIT-HOLD", "refused", own(),
            "no member of the plan"),
        Row(("--reason", "a suit", "--partner", "nobody"), "CLI-AUDIT-HOLD", "refused", {},
            "no partner of this id"),
    ),
    "audit hold list": (Row((), "CLI-AUDIT-HOLDS", reason="holds"),),
    "audit hold lift": (
        Row(("@hold", "--reason", "settled"), "CLI-AUDIT-HOLD-LIFT", facts=own(), reason="@hold"),
        Row(("none", "--reason", "x"), "CLI-AUDIT-HOLD-LIFT", "refused", {}, "no such hold"),
    ),
    "audit retention": (Row((), "CLI-AUDIT-RETENTION"),),
    "audit dispose": (
        Row((), "CLI-AUDIT-DISPOSE-SHOW"),
        Row(("--month", MONTH, "--execute", *OWN), "LOG-DISPOSAL", "refused", own(), "not due"),
        Row(("--month", "1999-01", "--execute"), "LOG-DISPOSAL", "refused", {}, "no such month"),
    ),
    "audit certificates": (Row((), "CLI-AUDIT-CERTIFICATES"),),
    "direct send": (
        Row((*SEND, "--member", NUMBER, "--document", "@filed"), "CLI-SEND",
            facts=about(purpose="PAYMENT", authority=AUTHORITY, documents=["@filed"],
                        conversation="@new")),
        Row((*SEND, "--to", "nowhere"), "CLI-SEND", "refused", own(purpose="PAYMENT"),
            "no address"),
        Row((*SEND, "--member", "nobody"), "CLI-SEND", "refused", own(), "no member of the plan"),
    ),
    "direct sent": (
        Row(OWN, "CLI-SENT", facts=own()),
        Row(("--message", "@sent", *OWN), "CLI-SENT", facts=own(conversation="@sent")),
        Row(("--message", "none", *OWN), "CLI-SENT", "refused", own(), "sent no message"),
    ),
    "direct inbox": (Row(OWN, "CLI-INBOX", facts=own()),),
    "direct inbox show": (
        # What was not trusted is not opened, and the look at it is recorded.
        Row(("@mail", *OWN), "CLI-INBOX-SHOW", facts=own(conversation="@mail"), exit_code=1),
        Row(("none", *OWN), "CLI-INBOX-SHOW", "refused", own(), "received no message"),
    ),
    "direct verdict": (
        Row(("@mail", *OWN), "CLI-VERDICT", facts=own(conversation="@mail")),
        Row(("none", *OWN), "CLI-VERDICT", "refused", own(), "no such message"),
    ),
    "direct check": (
        Row(("anne@clinic.test",), "CLI-DIRECT-CHECK", facts=own(), exit_code=1),
    ),
    "direct keys import": (
        Row((DOMAIN, "@own.pem", *OWN), "CLI-DIRECT-KEYS-IMPORT", facts=own(),
            reason="Direct certificate"),
        Row((DOMAIN, "@own.pem", *OWN), "CLI-DIRECT-KEYS-IMPORT", "refused", own(),
            "imported before"),
    ),
    "direct keys use": (
        Row((DOMAIN, "@mark", *OWN), "CLI-DIRECT-KEYS-USE", facts=own(), reason="@mark"),
        Row((DOMAIN, "none", *OWN), "CLI-DIRECT-KEYS-USE", "refused", own(), "no such key"),
    ),
    "direct keys list": (Row(OWN, "CLI-DIRECT-KEYS", facts=own()),),
    "direct anchors add": (
        Row(("@anchor.p7b",), "CLI-DIRECT-ANCHOR-ADD", reason="@anchor"),
    ),
    "direct anchors list": (Row((), "CLI-DIRECT-ANCHORS"),),
    "direct anchors remove": (
        Row(("@anchor",), "CLI-DIRECT-ANCHOR-REMOVE", reason="@anchor"),
        Row(("@anchor",), "CLI-DIRECT-ANCHOR-REMOVE", "refused", {}, "no anchor trusted by hand"),
    ),
    "direct bundles add": (
        Row(("b", "@url", "--signer", "@publisher.pem"), "CLI-DIRECT-BUNDLE-ADD",
            reason="the bundle b", beside=(("DIRECT-BUNDLE", "success"),)),
        Row(("c", "@plain"), "CLI-DIRECT-BUNDLE-ADD", reason="the bundle c",
            beside=(("DIRECT-BUNDLE", "partial"),)),
        Row(("d", "@plain"), "CLI-DIRECT-BUNDLE-ADD", reason="the bundle d",
            beside=(("DIRECT-BUNDLE", "partial"),)),
    ),
    "direct bundles list": (Row((), "CLI-DIRECT-BUNDLES"),),
    "direct bundles refresh": (
        Row(("b",), "DIRECT-BUNDLE", reason="the bundle b"),
        Row(("none",), "DIRECT-BUNDLE", "refused", {}, "no bundle none"),
    ),
    "direct bundles show": (
        Row(("b",), "CLI-DIRECT-BUNDLE-SHOW", reason="the bundle b"),
    ),
    "direct bundles approve": (
        Row(("c",), "CLI-DIRECT-BUNDLE-APPROVE", reason="the bundle c"),
        Row(("none",), "CLI-DIRECT-BUNDLE-APPROVE", "refused", {}, "no such bundle"),
    ),
    "direct bundles reject": (
        Row(("d",), "CLI-DIRECT-BUNDLE-REJECT", reason="the bundle d"),
        Row(("none",), "CLI-DIRECT-BUNDLE-REJECT", "refused", {}, "no such bundle"),
    ),
    "direct bundles remove": (
        Row(("b",), "CLI-DIRECT-BUNDLE-REMOVE", reason="the bundle b"),
        Row(("b",), "CLI-DIRECT-BUNDLE-REMOVE", "refused", {}, "no bundle b"),
    ),
    "held list": (Row(OWN, "CLI-HELD", facts=own(documents=["@held"])),),
    "held file": (
        Row(("@held", NUMBER, *WHY), "CLI-HELD-FILE", facts=about(documents=["@held"]),
            reason="as I say"),
        Row(("none", NUMBER, *WHY), "CLI-HELD-FILE", "refused", own(), "no document"),
    ),
    "held unfile": (
        Row(("@held", *WHY), "CLI-DOCUMENT-UNFILE", facts=about(documents=["@held"]),
            reason="as I say"),
        Row(("none", *WHY), "CLI-DOCUMENT-UNFILE", "refused", own(), "no document"),
    ),
    "held undo": (
        Row(("@held", *WHY), "CLI-HELD-UNDO", facts=own(documents=["@held"]), reason="as I say"),
        Row(("none", *WHY), "CLI-HELD-UNDO", "refused", own(), "no document"),
    ),
    "held reject": (
        Row(("@held", *WHY), "CLI-HELD-REJECT", facts=own(documents=["@held"]),
            reason="as I say"),
        Row(("none", *WHY), "CLI-HELD-REJECT", "refused", own(), "no document"),
    ),
    "held confirm": (
        Row(("none", *WHY), "CLI-HELD-CONFIRM", "refused", own(), "no match"),
    ),
    "quarantine list": (
        Row(OWN, "CLI-QUARANTINED", facts=own(documents=["@quarantined"])),
    ),
    "quarantine show": (
        Row(("@quarantined", *OWN), "CLI-QUARANTINED",
            facts=own(documents=["@quarantined"], conversation="@quarantined")),
        Row(("@mail", *OWN), "CLI-QUARANTINED", facts=own(conversation="@mail")),
        Row(("none", *OWN), "CLI-QUARANTINED", "refused", own(), "nothing of this id"),
    ),
    "quarantine replay": (
        Row(("@quarantined", *OWN), "CLI-REPLAY", facts=own(documents=["@quarantined"]),
            exit_code=1),
        Row(("@mail", *OWN), "CLI-REPLAY", facts=own(conversation="@mail")),
        Row(("none", *OWN), "CLI-REPLAY", "refused", own(), "no message"),
    ),
    "tokens create": (
        Row(("Jane Roe", "--role", "staff", *OWN), "CLI-TOKEN-CREATE", facts=own(),
            reason="for Jane Roe (staff)"),
    ),
    "tokens list": (Row((), "CLI-TOKENS"),),
    "tokens revoke": (
        Row(("@token",), "CLI-TOKEN-REVOKE", facts=own(), reason="@token"),
        Row(("none",), "CLI-TOKEN-REVOKE", "refused", {}, "no such token"),
    ),
    "keys import": (
        Row(("signing", "@next.pem", "@next.key"), "CLI-KEYS-IMPORT", reason="signing"),
        Row(("signing", "@next.pem", "@next.key"), "CLI-KEYS-IMPORT", "refused", {},
            "imported before"),
    ),
    "keys rotate": (
        Row(("signing",), "CLI-KEYS-ROTATE", reason="signing certificate"),
        Row(("data",), "CLI-KEYS-ROTATE", reason="sealed under a new key"),
        Row(("tls",), "CLI-KEYS-ROTATE", "refused", {}, "no such pair"),
    ),
    "keys list": (Row((), "CLI-KEYS"),),
}  # fmt: skip
"""What each command records; a later row of a command finds what the earlier ones did."""


@dataclass(frozen=True, slots=True)
class Place:
    terminal: Terminal
    ids: dict[str, str]

    def said(self, value: Any) -> Any:
        """The value, with the id or file for what begins with `@`."""
        if isinstance(value, list):
            return [self.said(one) for one in value]
        if not isinstance(value, str) or not value.startswith("@"):
            return value
        name = value.removeprefix("@")
        return self.ids.get(name) or str(self.terminal.folder / name)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("commands")
    terminal = furnish(folder)
    with answering() as served:
        network = f'\n[[networks]]\nname = "test"\nanchors = ["{key_files("Our gateway")[0]}"]\n'
        repository = '\n[[audit.repositories]]\nname = "arr"\naddress = "udp://127.0.0.1:9"\n'
        allowed = f'\n[revocation]\nprivate_addresses = ["{served.address}"]\n'
        terminal.config.write_text(
            terminal.config.read_text() + MAIL + network + repository + allowed
        )
        one = MailAuthority("One", NOW).certificate
        signed = signed_bundle(bag([one]), PUBLISHER)
        # One that nobody has signed waits to be looked at.
        served.answer = lambda path, _body: signed if path == "/signed.p7m" else bag([one])
        anchor = MailAuthority("Anchor", NOW).certificate
        terminal.run("members", "show", NUMBER, *OWN)
        assert terminal.records()[0]["member"] == MEMBER.id
        terminal.run("audit", "checkpoint")  # the first one records its key
        _files(terminal, anchor)
        urls = {"url": f"{served.base}/signed.p7m", "plain": f"{served.base}/plain.p7b"}
        hold = terminal.run("audit", "hold", "add", "--reason", "a suit", *OWN).out.strip()
        ids = {**urls, "hold": hold, "anchor": fingerprint(anchor), **_furnished(terminal)}
        yield Place(terminal, ids)


def _files(terminal: Terminal, anchor: Any) -> None:
    terminal.write("anchor.p7b", bag([anchor]))
    terminal.write("publisher.pem", PUBLISHER.certificate.public_bytes(Encoding.PEM))
    terminal.write("document.xml", demo_document("northfield_ccd.xml") + b"<!-- anew -->")
    terminal.write(
        "stray.xml", demo_document("northfield_ccd.xml").replace(b"Sampleton", b"Zanzibarson")
    )
    terminal.write("bad.xml", "no document")
    header = "plan, member_id, family, given, birth_date\n"
    terminal.write("roster.csv", f"{header}acme, M-2, Doe, John, 1980-01-01\n")
    terminal.write("wrong.csv", f"{header}acme, M-3, Doe, John, yesterday\n")
    terminal.write("partner.toml", 'name = "A"\nhome_community_id = "2.999.8"\n')
    organization = {
        "resourceType": "Organization", "id": "o", "active": True, "name": "Elsewhere",
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": "urn:oid:2.999.81"}],
    }  # fmt: skip
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": organization}]}
    terminal.write("directory.json", json.dumps(bundle))
    certificate, key = key_files("Next year")
    terminal.write("next.pem", certificate.read_bytes())
    terminal.write("next.key", key.read_bytes())
    own_key, own_certificate = certified(DOMAIN)
    pem = own_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    terminal.write("own.pem", pem + own_certificate.public_bytes(Encoding.PEM))
    terminal.write("mark", own_certificate.fingerprint(SHA256()).hex())


def _furnished(terminal: Terminal) -> dict[str, str]:
    """What lies in the house for commands to find."""
    mail = give(terminal, quarantined="its signer is not trusted")
    with open_house(load_settings(terminal.config)) as house:
        verdict = mail_received.seal_verdict(
            house.archive.blobs.keys,
            b'{"at": "now", "recipients": []}',
            plan=PLAN,
            message=mail,  # type: ignore[arg-type]
        )
        house.database.write(
            partial(
                mail_received.settle,
                plan=PLAN,
                message=mail,  # type: ignore[arg-type]
                state="quarantined",
                reason="its signer is not trusted",
                now=NOW,
                verdict=verdict,
            )
        )
        ours = next(one for one in documents(house) if one.state == "filed" and _is_own(one))
    (sent,) = terminal.run("direct", "send", *SEND, "--text", "Hello", "--json").lines
    (token,) = terminal.run("tokens", "create", "X", "--role", "staff", *OWN, "--json").lines
    return {
        "mail": mail,
        "filed": ours.id,
        "sent": sent["id"],
        "token": token["id"],
        "mark": (terminal.folder / "mark").read_text(),
    }


def _is_own(document: Document) -> bool:
    return "Lakeshore" in (document.custodian or "")


def leaves() -> set[str]:
    return {
        " ".join(path)
        for path, command in ALL.items()
        if not hasattr(command, "commands") or command.invoke_without_command
    }


def test_every_command_has_its_rows_or_a_reason_why_it_leaves_none() -> None:
    assert set(ROWS) | set(SILENT) == leaves()
    assert set(ROWS) & set(SILENT) == set()


@pytest.mark.parametrize(
    ("command", "row"),
    [(command, row) for command, rows in ROWS.items() for row in rows],
    ids=lambda value: value if isinstance(value, str) else value.outcome,
)
def test_a_command_leaves_one_record_that_says_what_it_did(
    place: Place, command: str, row: Row
) -> None:
    with recording(place) as made:
        ended = place.terminal.run(*command.split(), *map(place.said, row.typed))
    assert ended.exit_code == row.ends, ended.err
    records = [one for one in made if one["transaction"] == row.name]
    others = [one for one in made if one["transaction"] != row.name]
    assert tuple((one["transaction"], one["outcome"]) for one in others) == row.beside
    (record,) = records
    assert (record["transaction"], record["outcome"]) == (row.name, row.outcome)
    assert (record["person"], record["role"]) == (operator(), "operator")
    assert record["count"] == 1
    if record["direction"] == "in":
        assert record["peer"] == "terminal"
    if row.reason is not None:
        assert place.said(row.reason) in record["reason"]
    expected = {name: place.said(row.facts.get(name)) for name in FACTS}
    expected["documents"] = expected["documents"] or []
    found = {name: record[name] for name in FACTS}
    found["documents"] = json.loads(found["documents"])
    _take_up(place, row, expected, found)
    assert found == expected


@contextmanager
def recording(place: Place) -> Iterator[list[dict[str, Any]]]:
    before, made = len(place.terminal.records()), list[dict[str, Any]]()
    yield made
    made += place.terminal.records()[before:]


def _take_up(place: Place, row: Row, expected: dict[str, Any], found: dict[str, Any]) -> None:
    """The id of what the command made, for `@new` and for the rows that come later."""
    for name, value in row.facts.items():
        if value not in ("@new", ["@new"]):
            continue
        made = found[name] if isinstance(value, str) else found[name][0]
        assert made and made not in place.ids.values()
        kept = row.reason if row.reason in ("held", "quarantined") else "new"
        place.ids[kept] = made
        expected[name] = found[name]
        if row.outcome == "success":  # of a refused order its record alone is there
            _require_there(place, name, made)


def _require_there(place: Place, name: str, id: str) -> None:
    """What the record names is what the house has."""
    tables = {
        "documents": ("document.id",),
        "conversation": ("retrieval.conversation", "mail_sent.id"),
    }
    places = [
        place.terminal.rows(f"SELECT 1 FROM {table} WHERE {column} = ?", id)  # noqa: S608
        for table, column in (one.split(".") for one in tables[name])
    ]
    assert any(places)


@pytest.mark.parametrize(
    "typed",
    [
        ("config", "check"), ("db", "upgrade"), ("audit", "verify"), ("audit", "checkpoint"),
        ("audit", "key"), ("audit", "status"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_silent_command_leaves_none(place: Place, typed: tuple[str, ...]) -> None:
    with recording(place) as made:
        ended = place.terminal.run(*typed)
    assert ended.exit_code == 0, ended.err
    assert made == []
