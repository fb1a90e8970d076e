"""Transactions over SQLite or PostgreSQL, with one dialect of SQL above them.

`transaction()` writes: `BEGIN IMMEDIATE` on SQLite, because a deferred one fails as soon as two writers meet. `read()`
opens no transaction: each statement sees what is committed, which is all that single-statement reads need.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Protocol, TypeAlias

import psycopg
import psycopg.rows
import sqlalchemy as sa
from sqlalchemy.pool import QueuePool

from connector.model.clock import Clock, SystemClock
from connector.model.errors import Misconfigured
from connector.storage.errors import DatabaseUnavailable, UniqueViolation

Row: TypeAlias = Mapping[str, Any]

BUSY_TIMEOUT_MS = 10_000
POOL_SIZE = 16
POOL_OVERFLOW = 48
POOL_WAIT_S = 10
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_][a-z0-9_]*)")
_DATABASE_NOW = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT) AS now"


class Transaction(Protocol):
    """What a room may do with the database."""

    dialect: str
    skip_locked: str

    def one(self, sql: str, **params: Any) -> Row | None:
        """The first row, or None."""

    def all(self, sql: str, **params: Any) -> list[Row]:
        """Every row."""

    def run(self, sql: str, **params: Any) -> int:
        """Execute; how many rows it changed."""

    def many(self, sql: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Execute once per row of parameters."""

    def now(self) -> int:
        """Milliseconds since the epoch, the same throughout the transaction."""

    def after_commit(self, action: Callable[[], None]) -> None:
        """Run `action` once the transaction is committed; never where it rolled back."""


class Store:
    """The database behind a URL. Thread safe; each transaction has its own connection."""

    def __init__(self, url: str, clock: Clock, *, database_time: bool | None = None) -> None:
        self.url = url
        self.clock = clock
        self.engine = _engine(url)
        self.dialect: str = self.engine.dialect.name
        self._database_time = (
            self.dialect == "postgresql" and isinstance(clock, SystemClock) if database_time is None else database_time
        )

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """A write transaction: commits at the end of the block, rolls back on any exception."""
        with self._connection() as connection:
            tx = _DriverTransaction(connection, self)
            with _translated():
                tx.begin()
                try:
                    yield tx
                except BaseException:
                    tx.roll_back()
                    raise
                tx.commit()
        for action in tx.after:
            action()

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Read-only statements, each on its own. What is written here by mistake is refused on SQLite."""
        with self._connection() as connection, _translated():
            yield _DriverTransaction(connection, self)

    def now(self) -> int:
        """The database's time in ms since the epoch, as transactions see it."""
        with self.read() as tx:
            return tx.now()

    def dispose(self) -> None:
        """Close every pooled connection (before a fork, at shutdown)."""
        self.engine.dispose()

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        with _translated():
            proxied = self.engine.raw_connection()
        try:
            yield proxied.driver_connection
        except (sqlite3.OperationalError, psycopg.OperationalError, DatabaseUnavailable):
            proxied.invalidate()
            raise
        finally:
            proxied.close()


class _DriverTransaction:
    """A transaction on one driver connection."""

    def __init__(self, connection: Any, store: Store) -> None:
        self.dialect = store.dialect
        self.skip_locked = "FOR UPDATE SKIP LOCKED" if self.dialect == "postgresql" else ""
        self.after: list[Callable[[], None]] = []
        self._cursor = connection.cursor()
        self._store = store
        self._now: int | None = None
        self._text: Callable[[str], str] = _percent_style if self.dialect == "postgresql" else str

    def begin(self) -> None:
        self._cursor.execute("BEGIN" if self.dialect == "postgresql" else "BEGIN IMMEDIATE")

    def commit(self) -> None:
        self._cursor.execute("COMMIT")

    def roll_back(self) -> None:
        try:
            self._cursor.execute("ROLLBACK")
        except (sqlite3.Error, psycopg.Error):
            # The connection is gone or already rolled back; the first error is the one to tell.
            return

    def one(self, sql: str, **params: Any) -> Row | None:
        cursor = self._cursor.execute(self._text(sql), params)
        row: Row | None = cursor.fetchone()
        return row

    def all(self, sql: str, **params: Any) -> list[Row]:
        rows: list[Row] = self._cursor.execute(self._text(sql), params).fetchall()
        return rows

    def run(self, sql: str, **params: Any) -> int:
        return int(self._cursor.execute(self._text(sql), params).rowcount)

    def many(self, sql: str, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            self._cursor.executemany(self._text(sql), rows)

    def now(self) -> int:
        if self._now is None:
            if self._store._database_time:  # noqa: SLF001  the transaction is the store's own other half
                row = self._cursor.execute(_DATABASE_NOW).fetchone()
                self._now = int(row["now"])
            else:
                self._now = self._store.clock.now()
        return self._now

    def after_commit(self, action: Callable[[], None]) -> None:
        self.after.append(action)


@contextmanager
def _translated() -> Iterator[None]:
    """Driver errors as the gateway's own; their text may hold values, so only the class and constraint go on."""
    try:
        yield
    except psycopg.errors.UniqueViolation as error:
        raise UniqueViolation(error.diag.constraint_name or "") from None
    except sqlite3.IntegrityError as error:
        if "UNIQUE" in str(error) or "PRIMARY KEY" in str(error):
            raise UniqueViolation(str(error).removeprefix("UNIQUE constraint failed: ")) from None
        raise
    except (
        sqlite3.OperationalError,
        psycopg.OperationalError,
        sa.exc.OperationalError,
        sa.exc.TimeoutError,
    ) as error:
        if isinstance(error, sqlite3.OperationalError) and "syntax" in str(error):
            raise
        raise DatabaseUnavailable(type(error).__name__ + ": " + _safe_text(error)) from error


def _safe_text(error: Exception) -> str:
    """The driver's sentence without parameters: SQLite's never has any, PostgreSQL's is its primary message."""
    if isinstance(error, psycopg.Error):
        return error.diag.message_primary or ""
    return str(error).split("\n", 1)[0]


@lru_cache(maxsize=2048)
def _percent_style(sql: str) -> str:
    return _PARAMETER.sub(r"%(\1)s", sql.replace("%", "%%"))


def _engine(url: str) -> sa.Engine:
    parsed = sa.make_url(url)
    if parsed.drivername in {"sqlite", "sqlite+pysqlite"}:
        if not parsed.database or parsed.database == ":memory:":
            raise Misconfigured("database_url", "A SQLite database needs a file: sqlite:///connector.db")
        engine = _pooled(parsed, check_same_thread=False, isolation_level=None, timeout=BUSY_TIMEOUT_MS / 1000)
        sa.event.listen(engine, "connect", _prepare_sqlite)
        return engine
    if parsed.drivername == "postgresql+psycopg":
        return _pooled(parsed, autocommit=True, row_factory=psycopg.rows.dict_row, connect_timeout=5)
    raise Misconfigured(
        "database_url",
        "database.url starts with sqlite:/// or postgresql+psycopg://; other databases are not known.",
    )


def _pooled(url: sa.URL, **connect_args: Any) -> sa.Engine:
    return sa.create_engine(
        url,
        poolclass=QueuePool,
        pool_size=POOL_SIZE,
        max_overflow=POOL_OVERFLOW,
        pool_timeout=POOL_WAIT_S,
        pool_reset_on_return=None,  # every transaction ends itself; a reset would cost a round trip
        connect_args=connect_args,
        _initialize=False,  # the dialect's own first queries are not needed: no Core statement runs here
    )


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.row_factory = sqlite3.Row
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",
        "temp_store=MEMORY",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def open_store(url: str, clock: Clock | None = None, *, database_time: bool | None = None) -> Store:
    """The store behind a URL: `sqlite:///file.db` or `postgresql+psycopg://…`. Raises Misconfigured for others.

    `database_time`: whether `tx.now()` asks the database; by default on PostgreSQL with the system's clock.
    """
    return Store(url, clock or SystemClock(), database_time=database_time)
