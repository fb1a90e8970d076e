"""Transactions over SQLite or PostgreSQL, with one dialect of SQL above them.

`transaction()` writes: `BEGIN IMMEDIATE` on SQLite, because a deferred one fails as soon as two writers meet. `read()`
opens no transaction: each statement sees what is committed, which is all that single-statement reads need.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any, Protocol, TypeAlias

import psycopg
import psycopg.rows
import sqlalchemy as sa

from connector.model.clock import Clock, SystemClock
from connector.model.errors import Misconfigured
from connector.storage.errors import DatabaseUnavailable, UniqueViolation
from connector.storage.pool import Pool

Row: TypeAlias = Mapping[str, Any]

BUSY_TIMEOUT_MS = 10_000
POLL_S = 0.0005
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_][a-z0-9_]*)")
_DRIVER_ERRORS = (sqlite3.Error, psycopg.Error)
_BROKEN = (
    sqlite3.OperationalError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,  # a standby answers, or a disk that the operator made read-only
)
_DATABASE_NOW = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT) AS now"


class Transaction(Protocol):
    """What a room may do with the database."""

    dialect: str
    skip_locked: str

    def one(self, sql: str, /, **params: Any) -> Row | None:
        """The first row, or None."""

    def all(self, sql: str, /, **params: Any) -> list[Row]:
        """Every row."""

    def run(self, sql: str, /, **params: Any) -> int:
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
        self.dialect, connect = _driver(url)
        self.database_time = (
            self.dialect == "postgresql" and isinstance(clock, SystemClock) if database_time is None else database_time
        )
        self._pool = Pool(connect)

    def transaction(self) -> AbstractContextManager[Transaction]:
        """A write transaction: commits at the end of the block, rolls back on any exception."""
        return _Writing(self, self._pool)

    def read(self) -> AbstractContextManager[Transaction]:
        """Statements that only read, each on its own: no transaction is opened around them."""
        return _Reading(self, self._pool)

    def now(self) -> int:
        """The database's time in ms since the epoch, as transactions see it."""
        with self.read() as tx:
            return tx.now()

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


class _Reading:
    """A connection taken for the length of a block. Written out, because every handout passes here."""

    __slots__ = ("_connection", "_pool", "_store")

    def __init__(self, store: Store, pool: Pool) -> None:
        self._store = store
        self._pool = pool

    def __enter__(self) -> Transaction:
        self._connection = _translated(self._pool.take)
        return _DriverTransaction(self._connection, self._store)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, _BROKEN):
            self._pool.discard(self._connection)
        else:
            self._pool.give_back(self._connection)
        if isinstance(error, _DRIVER_ERRORS):
            raise translation_of(error) from error


class _Writing:
    """A transaction on a connection of its own."""

    __slots__ = ("_connection", "_pool", "_store", "_tx")

    def __init__(self, store: Store, pool: Pool) -> None:
        self._store = store
        self._pool = pool

    def __enter__(self) -> Transaction:
        self._connection = _translated(self._pool.take)
        self._tx = _DriverTransaction(self._connection, self._store)
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
        if self.dialect == "postgresql":
            self._cursor.execute("BEGIN")
        else:
            self._begin_immediate()

    def _begin_immediate(self) -> None:
        """Wait for SQLite's one writer in short, even steps.

        Its own way of waiting sleeps longer each time, up to 100 ms, so that a process which commits batch after batch
        leaves the others asleep.
        """
        self._cursor.execute("PRAGMA busy_timeout=0")
        until = time.monotonic() + BUSY_TIMEOUT_MS / 1000
        try:
            while True:
                try:
                    self._cursor.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError as error:
                    if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                        raise
                    time.sleep(POLL_S)
                else:
                    return
        finally:
            self._cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")

    def commit(self) -> None:
        self._cursor.execute("COMMIT")

    def roll_back(self) -> bool:
        """Whether the connection is clean again. Where not, the first error is the one to tell."""
        try:
            self._cursor.execute("ROLLBACK")
        except (sqlite3.Error, psycopg.Error):
            return False
        return True

    def one(self, sql: str, /, **params: Any) -> Row | None:
        cursor = self._cursor.execute(self._text(sql), params)
        row: Row | None = cursor.fetchone()
        return row

    def all(self, sql: str, /, **params: Any) -> list[Row]:
        rows: list[Row] = self._cursor.execute(self._text(sql), params).fetchall()
        return rows

    def run(self, sql: str, /, **params: Any) -> int:
        return int(self._cursor.execute(self._text(sql), params).rowcount)

    def many(self, sql: str, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            self._cursor.executemany(self._text(sql), rows)

    def now(self) -> int:
        if self._now is None:
            if self._store.database_time:
                row = self._cursor.execute(_DATABASE_NOW).fetchone()
                self._now = int(row["now"])
            else:
                self._now = self._store.clock.now()
        return self._now

    def after_commit(self, action: Callable[[], None]) -> None:
        self.after.append(action)


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
    if isinstance(error, sqlite3.OperationalError) and _is_ours(error):
        return error
    if isinstance(error, _BROKEN):
        return DatabaseUnavailable(f"{type(error).__name__}: {_safe_text(error)}")
    return error


def _is_ours(error: sqlite3.OperationalError) -> bool:
    """SQLite calls a misspelt statement operational; that is a defect here, not an outage."""
    return any(word in str(error) for word in ("syntax", "no such", "has no column", "ambiguous column"))


def _safe_text(error: BaseException) -> str:
    """The driver's sentence without parameters: SQLite's never has any, PostgreSQL's is its primary message."""
    if isinstance(error, psycopg.Error):
        return error.diag.message_primary or ""
    return str(error).split("\n", 1)[0]


@lru_cache(maxsize=2048)
def _percent_style(sql: str) -> str:
    return _PARAMETER.sub(r"%(\1)s", sql.replace("%", "%%"))


def _driver(url: str) -> tuple[str, Callable[[], Any]]:
    """The dialect of a URL and how to connect. Raises Misconfigured for databases that are not known."""
    parsed = sa.make_url(url)
    if parsed.drivername in {"sqlite", "sqlite+pysqlite"}:
        file = parsed.database
        if not file or file == ":memory:":
            raise Misconfigured("database_url", "A SQLite database needs a file: sqlite:///connector.db")
        return "sqlite", lambda: _connected_sqlite(file)
    if parsed.drivername == "postgresql+psycopg":
        dsn = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
        return "postgresql", lambda: psycopg.connect(
            dsn, autocommit=True, row_factory=psycopg.rows.dict_row, connect_timeout=5
        )
    raise Misconfigured(
        "database_url", "database.url starts with sqlite:/// or postgresql+psycopg://; other databases are not known."
    )


def _connected_sqlite(file: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        file, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None, check_same_thread=False, cached_statements=512
    )
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
    return connection


def open_store(url: str, clock: Clock | None = None, *, database_time: bool | None = None) -> Store:
    """The store behind a URL: `sqlite:///file.db` or `postgresql+psycopg://…`. Raises Misconfigured for others.

    `database_time`: whether `tx.now()` asks the database; by default on PostgreSQL with the system's clock.
    """
    return Store(url, clock or SystemClock(), database_time=database_time)
