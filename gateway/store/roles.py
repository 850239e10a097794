"""PostgreSQL roles: the service may add to the log, and neither change it nor take from it.

Triggers bind whoever does not own the tables; an owner drops them. So the role that serves is not
the one that owns: of what is evidence it may read and insert, and its privileges forbid the rest
whether or not a trigger stands. Upgrades, disposal and new keys are the owner's.
"""

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Final

from sqlalchemy import Connection, create_engine, inspect, make_url, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.pool import NullPool

from gateway.store.database import driver_url
from gateway.store.errors import NotPermitted, UnusableRole

_ROLE: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_NOT_PERMITTED: Final = "42501"
_APPENDED: Final = "SELECT, INSERT"
_PRIVILEGES: Final[Mapping[str, str]] = {
    "exchange": _APPENDED,
    "exchange_document": _APPENDED,
    "exchange_head": "SELECT, UPDATE (sequence, hash)",
    "log_month": _APPENDED,
    "wire_message": _APPENDED,
    "disposal": "SELECT",
    "legal_hold": f"{_APPENDED}, UPDATE (lifted, lifted_by, lifted_because)",
    "checkpoint": f"{_APPENDED}, UPDATE (published)",
    "alembic_version": "SELECT",
}
"""Of what is evidence, or guards it. Every other table may be written as the service needs."""
_WRITTEN: Final = "SELECT, INSERT, UPDATE, DELETE"


def service_role_sql(connection: Connection, role: str) -> tuple[str, ...]:
    """The statements that make the role if need be, and give it what the service needs.

    For the tables that there are: to be run again after each upgrade. It has no password.

    Raises:
        UnusableRole: that is no plain name of a role.
    """
    if not _ROLE.fullmatch(role):
        raise UnusableRole("a role's name is of small letters, digits and _")
    make = (
        f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}')"
        f' THEN CREATE ROLE "{role}" LOGIN; END IF; END $$'
    )
    statements = [
        make,
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        f'REVOKE ALL ON SCHEMA public FROM "{role}"',
        f'GRANT USAGE ON SCHEMA public TO "{role}"',
        f'REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, "{role}"',
        f'GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO "{role}"',
    ]
    for table in sorted(inspect(connection).get_table_names()):
        given = _PRIVILEGES.get(table, _WRITTEN)
        statements.append(f'GRANT {given} ON "{table}" TO "{role}"')
    return tuple(statements)


def describe_service_role(url: str, role: str) -> tuple[str, ...]:
    """The statements of `service_role_sql`, for whoever wants to run them himself."""
    with _owner(url) as connection:
        return service_role_sql(connection, role)


def grant_service_role(url: str, role: str) -> None:
    """Runs them as whoever `url` names, who must own the tables.

    Raises:
        NotPermitted: `url` names somebody else.
        UnusableRole: it could do more than it is given: it owns tables, or may become their owner.
    """
    try:
        _grant(url, role)
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != _NOT_PERMITTED:
            raise
        raise NotPermitted from None


def _grant(url: str, role: str) -> None:
    with _owner(url) as connection:
        if not connection.scalar(_OWNS):  # PostgreSQL would only warn, and grant nothing
            raise NotPermitted
        for statement in service_role_sql(connection, role):
            connection.exec_driver_sql(statement)
        if connection.scalar(_TOO_STRONG, {"role": role}):
            raise UnusableRole("the role owns tables of the log, or may become whoever owns them")


def may_alter(url: str) -> bool:
    """Whether the role that `url` names could change or delete records."""
    with _owner(url) as connection:
        return bool(connection.scalar(_MAY_ALTER))


_OWNS: Final = text(
    "SELECT pg_has_role(relowner, 'MEMBER') FROM pg_class WHERE oid = 'exchange'::regclass"
)
_TOO_STRONG: Final = text(
    "SELECT EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = 'public' AND c.relkind = 'r' AND pg_has_role(:role, c.relowner, 'MEMBER'))"
)
"""Of a superuser this is always so."""
_MAY_ALTER: Final = text(
    "SELECT bool_or(has_table_privilege('exchange', p))"
    " FROM unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE']) AS p"
)


def _owner(url: str) -> AbstractContextManager[Connection]:
    engine = create_engine(driver_url(make_url(url)), poolclass=NullPool, hide_parameters=True)
    return engine.begin()
