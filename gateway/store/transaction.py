"""One unit of work on the database, as exchange/ receives it (DECISIONS 21)."""

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy import Connection

from gateway.model.document import Document
from gateway.model.identity import DocumentId, PlanId
from gateway.store.month_key import MonthKey, MonthName
from gateway.store.scope import Scope

_log: Final = logging.getLogger("gateway.store")
T = TypeVar("T")
Hook = Callable[["Transaction", list[T]], None]
Hooks = dict[Hook[Any], list[Any]]
"""What is to run, each with all that it was given."""


class Presence(Protocol):
    """That this process lives, in a way that ends with it however it ends."""

    @property
    def process(self) -> str: ...

    def is_running(self, process: str, connection: Connection) -> bool: ...


class LogKeys(Protocol):
    """The keys of the exchange log, as `month_keys` holds them."""

    def sealing(self, transaction: "Transaction", plan: PlanId | None, month: str) -> MonthKey: ...

    def reading(
        self, transaction: "Transaction", names: Iterable[MonthName]
    ) -> Mapping[MonthName, MonthKey | None]: ...

    def within(
        self,
        transaction: "Transaction",
        scope: Scope,
        since: datetime | None,
        until: datetime | None,
    ) -> tuple[MonthKey, ...]: ...


class Transaction:
    """All or nothing. Valid only inside the unit it was given to.

    `connection` is for the modules of store/ alone; everyone else hands the transaction on.
    """

    __slots__ = (
        "_after", "_after_unit", "_before_commit", "_connection", "_driver", "_log_keys",
        "_presence", "document_numbers", "is_postgres", "new_documents",
    )  # fmt: skip

    def __init__(
        self, connection: Connection, presence: Presence, log_keys: LogKeys | None
    ) -> None:
        self._connection: Connection | None = connection
        self._driver: Any = connection.connection.driver_connection
        self.is_postgres: Final = connection.dialect.name == "postgresql"
        self._presence = presence
        self._log_keys = log_keys
        self.document_numbers: Final[dict[tuple[PlanId, DocumentId], int]] = {}
        """What `store.documents` has learned of its numbers, which never change."""
        self.new_documents: Final[dict[tuple[PlanId, DocumentId], Document]] = {}
        """Those that `store.documents` inserted: until COMMIT nobody else changes them."""
        self._after_unit: Hooks = {}
        self._before_commit: Hooks = {}
        self._after: list[Callable[[], None]] = []

    @property
    def connection(self) -> Connection:
        if self._connection is None:
            raise RuntimeError("this transaction is over")
        return self._connection

    def cursor(self) -> Any:
        """The driver's own cursor, for the few statements that every exchange runs."""
        if self._connection is None:
            raise RuntimeError("this transaction is over")
        return self._driver.cursor()

    @property
    def log_keys(self) -> LogKeys:
        """The keys of the exchange log; a database that was opened without has no use for them."""
        if self._log_keys is None:
            raise RuntimeError("this database was opened without the keys of its log")
        return self._log_keys

    @property
    def process(self) -> str:
        """The mark of the process this transaction runs in."""
        return self._presence.process

    def is_running(self, process: str) -> bool:
        """Whether the process of that mark still lives."""
        return self._presence.is_running(process, self.connection)

    def after_unit(self, hook: Hook[T], item: T) -> None:
        """`hook` runs once, after the unit, with all items given to it; it fails with the unit."""
        self._after_unit.setdefault(hook, []).append(item)

    def before_commit(self, hook: Hook[T], item: T) -> None:
        """`hook` runs once, last before COMMIT, with all items of all units that share it.

        For what each would do alike, at less than its price; no unit sees it done. Where it fails,
        nothing of any is kept: what may be wrong with an item is found out in its unit.
        """
        self._before_commit.setdefault(hook, []).append(item)

    def after_commit(self, callback: Callable[[], None]) -> None:
        """`callback` runs once the unit is durable, never when it failed; it must not block."""
        self._after.append(callback)

    def run_after_unit(self) -> Hooks:
        """What was asked of `after_unit`; returns what was asked of `before_commit`."""
        while self._after_unit:
            hook, items = next(iter(self._after_unit.items()))
            del self._after_unit[hook]
            hook(self, items)
        return self._before_commit

    def run(self, hooks: Hooks) -> None:
        """What the units asked of `before_commit`; called by the engines, last of all."""
        for hook, items in hooks.items():
            hook(self, items)

    def end(self) -> list[Callable[[], None]]:
        """Makes the transaction useless; returns what is to be called once it is durable."""
        self._connection = None
        return self._after


def call_back(callbacks: Iterable[Callable[[], None]]) -> None:
    """Calls each of what `after_commit` was given; a failing one is logged.

    What is durable stays so whoever fails to hear of it, and the writer must live on.
    """
    for callback in callbacks:
        try:
            callback()
        except Exception:
            _log.exception("a callback failed after its commit")
