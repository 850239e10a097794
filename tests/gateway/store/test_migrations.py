"""The migrated schema is the one the tables declare, however often and by whomever it is made."""

import hashlib
import multiprocessing
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import procrastinate.schema
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from gateway.model.identity import PartnerId, RetrievalId
from gateway.model.person import read_person
from gateway.store import exchange_log, members, migrations, retrievals
from gateway.store.comparable import write_person
from gateway.store.database import Database, driver_url
from gateway.store.migrations import upgrade
from gateway.store.scope import ALL_PLANS
from gateway.store.tables import METADATA
from gateway.store.values import dump
from tests.gateway.store.builders import ACME, NOW, a_member

BY_BEGINNING = {f"exchange_by_{name}" for name in ("peer", "authority", "reason", "message_id")}
"""Indexes of expressions, which SQLAlchemy cannot read back; `test_exchange_search` uses each."""


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
def test_the_migrated_schema_is_what_the_tables_declare(url: str) -> None:
    engine = create_engine(driver_url(make_url(url)), poolclass=NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_object": lambda _object, name, *_rest: (
                    not name.startswith("procrastinate") and name not in BY_BEGINNING
                ),
            },
        )
        assert compare_metadata(context, METADATA) == []


def test_every_table_names_its_plan() -> None:
    without = [name for name, table in METADATA.tables.items() if "plan" not in table.c]
    assert without == ["plan"]


def test_the_newest_step_is_the_one_alembic_ends_at() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_current_head() == migrations._newest()


def test_members_of_an_older_house_are_found_by_the_keys_of_today(
    empty_url: Callable[[], str], tmp_path: Path, opened: Callable[..., Database]
) -> None:
    for url in (f"sqlite:///{tmp_path}/old.sqlite", empty_url()):
        upgrade_to(url, "0004")
        engine = create_engine(driver_url(make_url(url)), poolclass=NullPool)
        known = dump(a_member().demographics)
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO plan (id, name) VALUES ('acme', 'Acme')"))
            connection.execute(text(A_MEMBER), {"known": known})
            old = "INSERT INTO member_key VALUES ('acme', 'birth', '19750501', 'm1')"
            connection.execute(text(old))
        upgrade(url)
        house = opened(url)
        named = read_person(replace(a_member().demographics, ids=()))
        found = house.read(lambda t, who=named: members.candidates(t, plan=ACME, person=who))
        assert [member.id for member in found.members] == ["m1"]
        with engine.begin() as connection:
            kinds = set(connection.execute(text("SELECT kind FROM member_key")).scalars())
            kept = connection.execute(text("SELECT comparable FROM member")).scalar_one()
        assert kinds == {"whole", "day", "name", "id"}
        assert kept == write_person(read_person(a_member().demographics))


def test_what_a_waiting_partner_has_said_is_not_lost_by_the_step_that_keeps_it_apart(
    empty_url: Callable[[], str], tmp_path: Path, opened: Callable[..., Database]
) -> None:
    awaits = "its records are being asked for through another partner; that is awaited until noon"
    rows = (
        ("p1", "left", f"partial: 2 missing; it asked; {awaits}", "Ask it why."),
        ("p2", "left", awaits, None),
        ("p3", "retrieve", "partial: 1 missing", None),
    )
    for url in (f"sqlite:///{tmp_path}/old.sqlite", empty_url()):
        upgrade_to(url, "0036")
        engine = create_engine(driver_url(make_url(url)), poolclass=NullPool)
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO plan (id, name) VALUES ('acme', 'Acme')"))
            connection.execute(text(A_MEMBER), {"known": dump(a_member().demographics)})
            connection.execute(text(A_RETRIEVAL))
            for partner, step, detail, next_step in rows:
                connection.execute(
                    text(A_PARTNER_ASKED),
                    {"partner": partner, "step": step, "detail": detail, "next": next_step},
                )
        upgrade(url)
        found = opened(url).read(
            lambda t: retrievals.progress(
                t, plan=ACME, retrieval=RetrievalId("r1"), of=[PartnerId(one[0]) for one in rows]
            )
        )
        assert {one.partner: (one.remarks, one.steps) for one in found} == {
            "p1": (("partial: 2 missing; it asked",), ("Ask it why",)),
            "p2": ((), ()),
            "p3": ((), ()),
        }


def test_what_was_counted_of_strangers_is_recorded_after_the_step_that_counts_each_plan_apart(
    empty_url: Callable[[], str], tmp_path: Path, opened: Callable[..., Database]
) -> None:
    for url in (f"sqlite:///{tmp_path}/old.sqlite", empty_url()):
        upgrade_to(url, "0039")
        engine = create_engine(driver_url(make_url(url)), poolclass=NullPool)
        with engine.begin() as connection:
            for peer, plan in (("10.0.0.1", "acme"), ("10.0.0.2", None)):
                connection.execute(text(A_REFUSAL), {"peer": peer, "plan": plan})
        upgrade(url)
        house = opened(url)
        assert house.write(lambda t: exchange_log.flush_refusals(t, now=NOW)) == 2
        found = house.read(lambda t: exchange_log.search(t, plan=ALL_PLANS))
        assert {(r.exchange.peer, r.exchange.plan, r.exchange.count) for r in found} == {
            ("10.0.0.1", "acme", 3), ("10.0.0.2", None, 3),
        }  # fmt: skip


A_REFUSAL = (
    'INSERT INTO refusal (minute, peer, reason, "transaction", plan, first, count, outcome)'
    " VALUES ('2026-01-01T00:00:00.000000Z', :peer, 'why', 'ITI-55', :plan,"
    " '2026-01-01T00:00:01.000000Z', 3, 'refused')"
)
A_MEMBER = (
    "INSERT INTO member (id, plan, member_id, demographics, opted_out)"
    " VALUES ('m1', 'acme', 'A-m1', :known, false)"
)
A_RETRIEVAL = (
    "INSERT INTO retrieval (number, id, plan, member, purpose, person, role, conversation, created,"
    " state) VALUES (1, 'r1', 'acme', 'm1', 'PAYMENT', 'Ann', 'nurse', 'c1',"
    " '2026-01-01 00:00:00', 'running')"
)
A_PARTNER_ASKED = (
    "INSERT INTO retrieval_partner (retrieval, partner, plan, partner_name, step, documents_found,"
    " documents_new, documents_missing, detail, next_step)"
    " VALUES (1, :partner, 'acme', 'P', :step, 0, 0, 0, :detail, :next)"
)


def upgrade_to(url: str, step: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    engine = create_engine(driver_url(make_url(url)), poolclass=NullPool)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, step)


def test_an_upgraded_database_may_be_upgraded_again(url: str) -> None:
    upgrade(url)


def test_processes_that_upgrade_at_once_all_succeed(
    tmp_path: Path, empty_url: Callable[[], str]
) -> None:
    spawn = multiprocessing.get_context("spawn")
    for url in (f"sqlite:///{tmp_path}/new/gateway.sqlite", empty_url()):
        upgrades = [spawn.Process(target=upgrade, args=(url,)) for _ in range(3)]
        for process in upgrades:
            process.start()
        for process in upgrades:
            process.join()
        assert [process.exitcode for process in upgrades] == [0, 0, 0]


def test_the_job_schema_is_the_one_the_step_was_made_with() -> None:
    """When this fails, Procrastinate was upgraded: its own migrations become one of ours."""
    schema = procrastinate.schema.SchemaManager.get_schema()
    digest = "c70ec4b400a60ad9592787653aae5ae77ae41bf801d56b5bd2712751a07f2009"
    assert hashlib.sha256(schema.encode()).hexdigest() == digest
