"""PostgreSQL through psycopg's own layer over libpq: statements prepared by name, answers in binary.

Psycopg's cursors cost three times the processor time of what they send, and every handout runs a handful of statements
(docs/decisions, "PostgreSQL without cursors"). Values are still adapted by psycopg, and its errors are raised.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import psycopg
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

from connector.storage.transaction import Row, Timed

PREPARED_MAX = 256  # for each connection; what comes later is sent with its text each time
UNACKNOWLEDGED_MS = 15_000  # after which a server that the network has swallowed counts as lost
_DATABASE_NOW = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT) AS now"
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_][a-z0-9_]*)")
_BINARY = 1

_Key: TypeAlias = tuple[str, tuple[int, ...]]  # a statement's text and the types of its parameters


class SchemaChanged(psycopg.OperationalError):
    """A migration came between two uses of a prepared statement, within a transaction: run that again."""


class Session:
    """One connection, and the statements that it has prepared."""

    __slots__ = ("_adapt", "_driver", "_names", "_pg", "_prepared", "_seen")

    def __init__(self, dsn: str) -> None:
        self._driver = psycopg.connect(dsn, autocommit=True, connect_timeout=5, tcp_user_timeout=UNACKNOWLEDGED_MS)
        self._pg = self._driver.pgconn
        self._adapt = Transformer(self._driver)
        self._seen: set[_Key] = set()
        self._prepared: dict[_Key, bytes] = {}
        self._names: dict[bytes, list[str]] = {}

    def run(self, sql: str, params: Mapping[str, Any]) -> int:
        """Execute a statement with :name parameters; how many rows it changed. Raises psycopg's errors."""
        return self._execute(sql, params)[0].command_tuples or 0

    def rows(self, sql: str, params: Mapping[str, Any]) -> list[Row]:
        """The rows of its answer."""
        result, prepared = self._execute(sql, params)
        count = result.ntuples
        if not count:
            return []
        names = self._names_of(result, prepared)
        self._adapt.set_pgresult(result)
        return self._adapt.load_rows(0, count, lambda values: dict(zip(names, values, strict=True)))

    def many(self, sql: str, rows: Sequence[Mapping[str, Any]]) -> int:
        """The same statement for each row of parameters, sent in one go; how many rows that changed in all."""
        with self._driver.cursor() as cursor:
            cursor.executemany(_percent_style(sql), rows)
            return cursor.rowcount

    def simple(self, command: bytes) -> None:
        """BEGIN, COMMIT or ROLLBACK."""
        result = self._pg.exec_(command)
        if result.status != ExecStatus.COMMAND_OK:
            raise self._error(result)

    def close(self) -> None:
        """Close the connection."""
        self._driver.close()

    def _execute(self, sql: str, params: Mapping[str, Any]) -> tuple[PGresult, bytes | None]:
        text, names = _numbered(sql)
        values = self._adapt.dump_sequence([params[name] for name in names], [PyFormat.AUTO] * len(names))
        types, formats = tuple(self._adapt.types or ()), self._adapt.formats
        prepared = self._prepared_as((text, types))
        if prepared is None:
            result = self._pg.exec_params(text.encode(), values, types, formats, _BINARY)
        else:
            result = self._pg.exec_prepared(prepared, values, formats, _BINARY)  # type: ignore[arg-type]  # None is NULL
        if result.status not in {ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK}:
            error = self._error(result)
            if isinstance(error, SchemaChanged) and self._pg.transaction_status == TransactionStatus.IDLE:
                self._forget()
                return self._execute(sql, params)
            raise error
        return result, prepared

    def _forget(self) -> None:
        self.simple(b"DEALLOCATE ALL")
        self._seen.clear()
        self._prepared.clear()
        self._names.clear()

    def _prepared_as(self, key: _Key) -> bytes | None:
        """The name of a statement that comes for the second time or later; None while it has no name."""
        name = self._prepared.get(key)
        if name is not None or len(self._prepared) >= PREPARED_MAX:
            return name
        if key not in self._seen:
            self._seen.add(key)
            return None
        self._seen.discard(key)
        name = b"s%d" % len(self._prepared)
        result = self._pg.prepare(name, key[0].encode(), key[1])
        if result.status != ExecStatus.COMMAND_OK:
            raise self._error(result)
        self._prepared[key] = name
        return name

    def _names_of(self, result: PGresult, prepared: bytes | None) -> list[str]:
        names = None if prepared is None else self._names.get(prepared)
        if names is None:
            names = [(result.fname(column) or b"").decode() for column in range(result.nfields)]
            if prepared is not None:
                self._names[prepared] = names  # the server promises that a prepared statement's columns stay
        return names

    def _error(self, result: PGresult) -> psycopg.Error:
        if self._pg.status != ConnStatus.OK:
            return psycopg.OperationalError("the connection to the server is lost")
        error = error_from_result(result)
        if error.sqlstate is None:  # not the server's word: it is gone, and libpq made the result up
            error = psycopg.OperationalError(str(error))
        if isinstance(error, psycopg.errors.FeatureNotSupported) and "cached plan" in str(error):
            return SchemaChanged("a migration changed what a prepared statement answers")
        return error


class PostgresqlTransaction(Timed):
    """A transaction, or a few reads, on one connection."""

    dialect = "postgresql"
    skip_locked = "FOR UPDATE SKIP LOCKED"

    def __init__(self, session: Session, clock: Callable[[], int] | None) -> None:
        """`clock`: the time in ms to go by; None for the database's own."""
        super().__init__(clock or self._database_now)
        self._session = session

    def begin(self) -> None:
        """Open a write transaction."""
        self._session.simple(b"BEGIN")

    def commit(self) -> None:
        """Make it durable."""
        self._session.simple(b"COMMIT")

    def roll_back(self) -> bool:
        """Undo it; whether the connection is clean again."""
        try:
            self._session.simple(b"ROLLBACK")
        except psycopg.Error:
            return False
        return True

    def one(self, sql: str, /, **params: Any) -> Row | None:
        """The first row, or None."""
        rows = self._session.rows(sql, params)
        return rows[0] if rows else None

    def all(self, sql: str, /, **params: Any) -> list[Row]:
        """Every row."""
        return self._session.rows(sql, params)

    def run(self, sql: str, /, **params: Any) -> int:
        """Execute; how many rows it changed."""
        return self._session.run(sql, params)

    def many(self, sql: str, rows: Sequence[Mapping[str, Any]]) -> int:
        """Execute once per row of parameters; how many rows that changed in all."""
        return self._session.many(sql, rows) if rows else 0

    def _database_now(self) -> int:
        return int(self._session.rows(_DATABASE_NOW, {})[0]["now"])


@lru_cache(maxsize=2048)
def _numbered(sql: str) -> tuple[str, tuple[str, ...]]:
    """A statement with $1, $2 for its :name parameters, and their names in that order."""
    names: dict[str, int] = {}

    def number(found: re.Match[str]) -> str:
        return f"${names.setdefault(found[1], len(names) + 1)}"

    return _PARAMETER.sub(number, sql), tuple(names)


@lru_cache(maxsize=256)
def _percent_style(sql: str) -> str:
    return _PARAMETER.sub(r"%(\1)s", sql.replace("%", "%%"))
