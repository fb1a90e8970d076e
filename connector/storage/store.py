"""Transactions over SQLite or PostgreSQL, with one dialect of SQL above them.

`transaction()` writes: `BEGIN IMMEDIATE` on SQLite, because a deferred one fails as soon as two writers meet. `read()`
opens no transaction: each statement sees what is committed, which is all that single-statement reads need.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import psycopg
import sqlalchemy as sa

from connector.model.clock import Clock, SystemClock
from connector.model.errors import Misconfigured
from connector.storage import guards, postgresql, sqlite
from connector.storage.errors import DatabaseUnavailable, GuardRefused, UniqueViolation
from connector.storage.pool import Pool
from connector.storage.transaction import DriverTransaction, Transaction

_DRIVER_ERRORS = (sqlite3.Error, psycopg.Error)
_BROKEN = (
    sqlite3.OperationalError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,  # a standby answers, or a disk that the operator made read-only
)


_STORES: weakref.WeakSet[Store] = weakref.WeakSet()


def _after_fork() -> None:
    for store in _STORES:
        store.renew()


os.register_at_fork(after_in_child=_after_fork)


class Store:
    """The database behind a URL. Thread safe; each transaction has its own connection."""

    def __init__(self, url: str, clock: Clock, *, database_time: bool | None = None) -> None:
        self.url = url
        self.clock = clock
        self.dialect, connect = _driver(url)
        self.database_time = (
            self.dialect == "postgresql" and isinstance(clock, SystemClock) if database_time is None else database_time
        )
        self._pool = Pool(connect)
        self.renew()
        _STORES.add(self)
        self._on = self._on_sqlite if self.dialect == "sqlite" else self._on_postgresql

    def transaction(self) -> AbstractContextManager[Transaction]:
        """A write transaction: commits at the end of the block, rolls back on any exception."""
        return _Writing(self._on, self._pool)

    def read(self) -> AbstractContextManager[Transaction]:
        """Statements that only read, each on its own: no transaction is opened around them."""
        return _Reading(self._on, self._pool)

    def now(self) -> int:
        """The database's time in ms since the epoch, as transactions see it."""
        with self.read() as tx:
            return tx.now()

    def renew(self) -> None:
        """In a child that was forked: nobody of the parent's threads is here to end a turn."""
        self._turn = threading.Lock()

    def scrub(self) -> bool:
        """Leave no old page in SQLite's log: all of it goes into the file, where freed pages are zeros; then it is cut.

        False where somebody reads at this moment: then the next call, or SQLite's own checkpoint, does it. Other
        databases keep their logs by their own rules.
        """
        if self.dialect != "sqlite":
            return True
        with self.read() as tx:
            row = tx.one("PRAGMA wal_checkpoint(TRUNCATE)")
        return row is not None and row["busy"] == 0

    def dispose(self) -> None:
        """Close every idle connection (before a fork, at shutdown)."""
        self._pool.close_idle()

    def _on_sqlite(self, connection: sqlite3.Connection) -> DriverTransaction:
        return sqlite.SqliteTransaction(connection, self.clock.now, self._turn)

    def _on_postgresql(self, session: postgresql.Session) -> DriverTransaction:
        return postgresql.PostgresqlTransaction(session, None if self.database_time else self.clock.now)


class _Reading:
    """A connection taken for the length of a block. Written out, because every handout passes here."""

    __slots__ = ("_connection", "_on", "_pool")

    def __init__(self, on: Callable[[Any], DriverTransaction], pool: Pool) -> None:
        self._on = on
        self._pool = pool

    def __enter__(self) -> Transaction:
        self._connection = _translated(self._pool.take)
        return self._on(self._connection)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, _BROKEN):
            self._pool.discard(self._connection)
        else:
            self._pool.give_back(self._connection)
        if isinstance(error, _DRIVER_ERRORS):
            raise translation_of(error) from error


class _Writing:
    """A transaction on a connection of its own."""

    __slots__ = ("_connection", "_on", "_pool", "_tx")

    def __init__(self, on: Callable[[Any], DriverTransaction], pool: Pool) -> None:
        self._on = on
        self._pool = pool

    def __enter__(self) -> Transaction:
        self._connection = _translated(self._pool.take)
        self._tx = self._on(self._connection)
        try:
            self._tx.begin()
        except BaseException as error:
            self._pool.discard(self._connection)
            raise translation_of(error) from error
        return self._tx

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None:
            try:
                self._tx.commit()
            except BaseException as failure:
                self._end(failure)
                raise translation_of(failure) from failure
            self._pool.give_back(self._connection)
            for action in self._tx.after:
                action()
            return
        self._end(error)
        if isinstance(error, _DRIVER_ERRORS):
            raise translation_of(error) from error

    def _end(self, error: BaseException) -> None:
        if self._tx.roll_back() and not isinstance(error, _BROKEN):
            self._pool.give_back(self._connection)
        else:
            self._pool.discard(self._connection)


def _translated(act: Callable[[], Any]) -> Any:
    try:
        return act()
    except _DRIVER_ERRORS as error:
        raise translation_of(error) from error


def translation_of(error: BaseException) -> BaseException:
    """A driver's error as the gateway's own. A driver's text may hold values, so only class and constraint go on."""
    if isinstance(error, psycopg.errors.UniqueViolation):
        return UniqueViolation(error.diag.constraint_name or "")
    if isinstance(error, sqlite3.IntegrityError) and "UNIQUE" in str(error):
        return UniqueViolation(str(error).removeprefix("UNIQUE constraint failed: "))
    guard = _guard_of(error)
    if guard:
        return GuardRefused(guard)
    if isinstance(error, sqlite3.OperationalError) and _is_ours(error):
        return error
    if isinstance(error, _BROKEN):
        return DatabaseUnavailable(f"{type(error).__name__}: {_safe_text(error)}")
    return error


def _guard_of(error: BaseException) -> str:
    """Which of our triggers refused, or nothing."""
    if isinstance(error, psycopg.errors.CheckViolation):
        name = error.diag.constraint_name or ""
    else:
        name = str(error) if isinstance(error, sqlite3.IntegrityError) else ""
    return name if name.startswith(guards.PREFIX) else ""


def _is_ours(error: sqlite3.OperationalError) -> bool:
    """SQLite calls a misspelt statement operational; that is a defect here, not an outage."""
    return any(word in str(error) for word in ("syntax", "no such", "has no column", "ambiguous column"))


def _safe_text(error: BaseException) -> str:
    """The driver's sentence without parameters: SQLite's never has any, PostgreSQL's is its primary message."""
    if isinstance(error, psycopg.Error):
        return error.diag.message_primary or ""
    return str(error).split("\n", 1)[0]


def _driver(url: str) -> tuple[str, Callable[[], Any]]:
    """The dialect of a URL and how to connect. Raises Misconfigured for databases that are not known."""
    parsed = sa.make_url(url)
    if parsed.drivername in {"sqlite", "sqlite+pysqlite"}:
        file = parsed.database
        if not file or file == ":memory:":
            raise Misconfigured("database_url", "A SQLite database needs a file: sqlite:///connector.db")
        return "sqlite", partial(sqlite.connect, file)
    if parsed.drivername == "postgresql+psycopg":
        dsn = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
        return "postgresql", partial(postgresql.Session, dsn)
    raise Misconfigured(
        "database_url", "database.url starts with sqlite:/// or postgresql+psycopg://; other databases are not known."
    )


def open_store(url: str, clock: Clock | None = None, *, database_time: bool | None = None) -> Store:
    """The store behind a URL: `sqlite:///file.db` or `postgresql+psycopg://…`. Raises Misconfigured for others.

    `database_time`: whether `tx.now()` asks the database; by default on PostgreSQL with the system's clock.
    """
    return Store(url, clock or SystemClock(), database_time=database_time)
