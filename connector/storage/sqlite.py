"""SQLite: one file, one writer at a time, every commit on the disk before it returns."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connector.storage.transaction import Row, Timed

BUSY_TIMEOUT_MS = 10_000
POLL_S = 0.0005
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "secure_delete=ON",
    "temp_store=MEMORY",
    f"busy_timeout={BUSY_TIMEOUT_MS}",
)


def connect(file: str) -> sqlite3.Connection:
    """A connection with the settings that everything here relies on."""
    connection = sqlite3.connect(
        file, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None, check_same_thread=False, cached_statements=512
    )
    connection.row_factory = sqlite3.Row
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}").close()
    return connection


class SqliteTransaction(Timed):
    """A transaction, or a few reads, on one connection."""

    dialect = "sqlite"
    skip_locked = ""

    def __init__(self, connection: sqlite3.Connection, read_clock: Callable[[], int], turn: threading.Lock) -> None:
        """`turn`: who holds it asks for the writer; one thread of a process at a time."""
        super().__init__(read_clock)
        self._cursor = connection.cursor()
        self._turn = turn

    def begin(self) -> None:
        """Wait for SQLite's one writer in short, even steps.

        Its own way of waiting sleeps longer each time, up to 100 ms, so that a process which commits batch after batch
        leaves the others asleep. Only one thread of a process asks; the others wait for their turn to, without a look:
        dozens that ask two thousand times a second would leave no time for the one that writes.
        """
        until = time.monotonic() + BUSY_TIMEOUT_MS / 1000
        if not self._turn.acquire(timeout=BUSY_TIMEOUT_MS / 1000):
            raise sqlite3.OperationalError("database is locked: this process waits in a row for its writer")
        try:
            self._begin_before(until)
        finally:
            self._turn.release()

    def _begin_before(self, until: float) -> None:
        self._cursor.execute("PRAGMA busy_timeout=0")
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
        """Make it durable."""
        self._cursor.execute("COMMIT")

    def roll_back(self) -> bool:
        """Undo it; whether the connection is clean again."""
        try:
            self._cursor.execute("ROLLBACK")
        except sqlite3.Error:
            return False
        return True

    def one(self, sql: str, /, **params: Any) -> Row | None:
        """The first row, or None."""
        row: Row | None = self._cursor.execute(sql, params).fetchone()
        return row

    def all(self, sql: str, /, **params: Any) -> list[Row]:
        """Every row."""
        rows: list[Row] = self._cursor.execute(sql, params).fetchall()
        return rows

    def run(self, sql: str, /, **params: Any) -> int:
        """Execute; how many rows it changed."""
        return int(self._cursor.execute(sql, params).rowcount)

    def many(self, sql: str, rows: Sequence[Mapping[str, Any]]) -> int:
        """Execute once per row of parameters; how many rows that changed in all."""
        if not rows:
            return 0
        self._cursor.executemany(sql, rows)
        return int(self._cursor.rowcount)
