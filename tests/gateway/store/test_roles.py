"""The role that serves adds to the log; to change it takes another role, triggers or not."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.pool import NullPool

from gateway.cli.recording import operator
from gateway.model.checkpoint import LogKey
from gateway.model.exchange import ExchangeFilter, VerifyResult
from gateway.model.identity import DocumentId
from gateway.model.retention import PlanMonth
from gateway.store import (
    checkpoints,
    disposals,
    documents,
    exchange_chain,
    exchange_log,
    legal_holds,
    members,
    wire_messages,
)
from gateway.store.database import Database, driver_url
from gateway.store.errors import NotPermitted, UnusableRole
from gateway.store.job_queue import open_queue
from gateway.store.keys import KeyRing
from gateway.store.migrations import upgrade
from gateway.store.roles import describe_service_role, grant_service_role, may_alter
from gateway.store.scope import ALL_PLANS
from gateway.store.wire_messages import seal_message
from tests.gateway.cli.terminal import run
from tests.gateway.store.builders import ACME, NOW, a_document, a_member, an_exchange
from tests.gateway.store.test_disposals import a_hold

NOBODYS = LogKey("gateway/2.999", Ed25519PrivateKey.generate().public_key())

TRIGGERS = "SELECT tgname, tgrelid::regclass FROM pg_trigger WHERE NOT tgisinternal"


@pytest.fixture
def url(postgres_url: str) -> str:
    """The owner's; here on PostgreSQL alone."""
    return postgres_url


@pytest.fixture
def role(postgres_url: str, house: Database) -> Iterator[str]:
    """A role that may serve; it goes with the test."""
    name = f"service_{uuid.uuid4().hex[:8]}"
    grant_service_role(postgres_url, name)
    yield name
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"DROP OWNED BY {name}")
        connection.execute(f"DROP ROLE {name}")


@pytest.fixture
def service_url(postgres_url: str, role: str) -> str:
    """As the service connects; a server that asks for passwords lets the owner become it."""
    made = make_url(postgres_url).update_query_dict({"options": f"-c role={role}"})
    return made.render_as_string(hide_password=False)


@pytest.fixture
def service(service_url: str, role: str, opened: Callable[[str], Database]) -> Database:
    database = opened(service_url)
    who = database.read(lambda t: t.connection.scalar(text("SELECT current_user")))
    assert who == role
    for _ in range(3):
        database.write(lambda t: exchange_log.append(t, an_exchange()))
    return database


def _run(url: str, *statements: str) -> None:
    engine = create_engine(driver_url(make_url(url)), poolclass=NullPool)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def _without_triggers(owner: str) -> None:
    with psycopg.connect(owner) as connection:
        for name, table in connection.execute(TRIGGERS).fetchall():  # type: ignore[arg-type]
            connection.execute(f"DROP TRIGGER {name} ON {table}")  # type: ignore[arg-type]


CHANGES = (
    "UPDATE exchange SET person = 'nobody'",
    "DELETE FROM exchange WHERE sequence = 3",
    "TRUNCATE exchange",
    "DROP TABLE exchange",
    "ALTER TABLE exchange DISABLE TRIGGER ALL",
    "CREATE OR REPLACE FUNCTION exchange_is_append_only() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN RETURN OLD; END $$",
    "SET session_replication_role = replica",
    "CREATE TABLE exchange_2 (id int)",
    "DELETE FROM exchange_document",
    "DELETE FROM exchange_head",
    "INSERT INTO exchange_head VALUES (2, NULL, 0, '')",
    "UPDATE exchange_head SET id = 2",
    "UPDATE log_month SET wrapped = NULL",
    "DELETE FROM log_month",
    "DELETE FROM wire_message",
    "UPDATE checkpoint SET note = ''",
    "DELETE FROM checkpoint",
    "DELETE FROM legal_hold",
    "UPDATE legal_hold SET plan = 'other'",
    "INSERT INTO disposal VALUES ('', '2015-01', NULL, '', '', now())",
    "UPDATE alembic_version SET version_num = '0001'",
)  # fmt: skip


@pytest.mark.parametrize("statement", CHANGES)
def test_the_service_can_change_nothing_even_when_no_trigger_stands(
    service: Database, service_url: str, postgres_url: str, statement: str
) -> None:
    _without_triggers(postgres_url)
    with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
        _run(service_url, statement)
    assert service.read(exchange_log.verify) == VerifyResult(3)


def test_a_trigger_is_dropped_by_its_owner_alone(service: Database, service_url: str) -> None:
    with pytest.raises(ProgrammingError, match="must be owner"):
        _run(service_url, "DROP TRIGGER exchange_keeps_rows ON exchange")


def _rebuild(url: str) -> None:
    """The second record changed, and the whole chain made anew over it, head and all."""
    engine = create_engine(driver_url(make_url(url)), poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("UPDATE exchange SET person = 'nobody' WHERE sequence = 2"))
        rows = connection.execute(text("SELECT * FROM exchange ORDER BY sequence")).mappings().all()
        previous = exchange_chain.GENESIS
        for row in rows:
            canon = exchange_chain.canonical({name: row[name] for name in exchange_chain.SEALED})
            sealed = exchange_chain.chain_hash(
                previous=previous, canon=canon, sequence=row["sequence"]
            )
            values = {"c": canon, "p": previous, "h": sealed, "s": row["sequence"]}
            change = "UPDATE exchange SET canon=:c, previous_hash=:p, hash=:h WHERE sequence=:s"
            connection.execute(text(change), values)
            previous = sealed
        connection.execute(text("UPDATE exchange_head SET hash = :h"), {"h": previous})


def test_who_steals_the_services_role_cannot_rebuild_the_chain(
    service: Database, service_url: str, postgres_url: str
) -> None:
    """The owner can, and is found by the checkpoint only: as a stolen SQLite file is."""
    _without_triggers(postgres_url)
    before = service.read(lambda t: exchange_chain.verify_with_roots(t, [3]))
    with pytest.raises(ProgrammingError, match="permission denied"):
        _rebuild(service_url)
    assert service.read(lambda t: exchange_chain.verify_with_roots(t, [3])) == before
    _rebuild(postgres_url)
    result, roots = service.read(lambda t: exchange_chain.verify_with_roots(t, [3]))
    assert result == VerifyResult(3)
    assert roots != before[1]


def test_the_service_does_its_work(service: Database, key_file: object) -> None:
    keys = KeyRing(key_file, service)  # type: ignore[arg-type]
    envelope = seal_message(keys, b"<Envelope/>", plan=ACME, now=NOW)
    queue = open_queue(service)
    told = an_exchange(documents=(DocumentId("d1"),), request_hash=envelope.hash)

    open_id = service.write(lambda t: exchange_log.open_exchange(t, told))

    def effect(t: object) -> None:
        members.put(t, replace(a_member(), opted_out=True))  # type: ignore[arg-type]
        documents.insert(t, a_document())  # type: ignore[arg-type]
        wire_messages.put(t, envelope)  # type: ignore[arg-type]
        queue.enqueue(t, kind="a kind", plan=ACME, payload={})  # type: ignore[arg-type]
        legal_holds.put(t, a_hold())  # type: ignore[arg-type]
        exchange_log.close_exchange(t, open_id, told)  # type: ignore[arg-type]

    service.write(effect)
    grown = service.read(lambda t: checkpoints.grown(t, NOBODYS))
    service.write(lambda t: checkpoints.put(t, grown, note="n", key="k", now=NOW))
    service.write(lambda t: checkpoints.mark_published(t, grown.size, "a place"))
    service.write(lambda t: legal_holds.lift(t, "h1", by="x", because="y", now=NOW))
    later = NOW + timedelta(minutes=5)
    assert service.write(lambda t: exchange_log.recover(t, now=later)) == 0
    wanted = ExchangeFilter(document=DocumentId("d1"))
    (found,) = service.read(lambda t: exchange_log.search(t, plan=ACME, wanted=wanted))
    assert found.exchange == told
    assert service.read(exchange_log.verify) == VerifyResult(4)


def test_disposal_is_the_owners(service: Database, house: Database, service_url: str) -> None:
    month = PlanMonth(ACME, f"{NOW:%Y-%m}")
    with pytest.raises(NotPermitted, match="its owner may"):
        service.write(lambda t: disposals.shred(t, month, now=NOW))
    house.write(lambda t: disposals.shred(t, month, now=NOW))
    upgrade(service_url)  # which it is asked for at every start, and has nothing to do


def test_who_may_alter_the_log_is_known(service_url: str, postgres_url: str) -> None:
    assert may_alter(postgres_url)
    assert not may_alter(service_url)


def test_the_owner_is_no_role_to_serve(postgres_url: str, role: str, service_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        owner = connection.execute("SELECT current_user").fetchone()[0]  # type: ignore[index]
    with pytest.raises(UnusableRole, match="owns tables"):
        grant_service_role(postgres_url, owner)
    with pytest.raises(UnusableRole, match="small letters"):
        describe_service_role(postgres_url, 'x"; DROP TABLE exchange; --')
    with pytest.raises(NotPermitted):
        grant_service_role(service_url, role)
    assert f'GRANT SELECT, INSERT ON "exchange" TO "{role}"' in describe_service_role(
        postgres_url, role
    )


def test_to_grant_again_after_an_upgrade_changes_nothing(postgres_url: str, role: str) -> None:
    grant_service_role(postgres_url, role)


def test_the_grant_is_on_record_with_the_role_and_who_gave_it(
    postgres_url: str, role: str, house: Database, tmp_path: Path
) -> None:
    config = tmp_path / "gateway.toml"
    folders = f'data_dir = "{tmp_path}/data"\nkey_file = "{tmp_path}/keys/kek"'
    config.write_text(f'[gateway]\n{folders}\ndatabase_url = "{postgres_url}"\n')
    ended = run("db", "upgrade", "--service-role", role, "--config", config)
    assert ended.exit_code == 0, ended.err
    (record,) = house.read(lambda t: exchange_log.search(t, plan=ALL_PLANS))
    given = record.exchange
    assert (given.transaction, given.outcome, given.plan) == ("CLI-DB-ROLE", "success", None)
    assert given.reason == f"the role {role} may serve"
    assert (given.person, given.role) == (operator(), "operator")
