"""The vault's four tables in SQLite's memory, behind the few methods that the vault asks of a transaction."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_TABLES = """
CREATE TABLE tenant_keys (id TEXT PRIMARY KEY, tenant_id TEXT NOT NULL, purpose TEXT NOT NULL, kek_id TEXT NOT NULL,
    wrapped BLOB NOT NULL, created_at BIGINT NOT NULL, retired_at BIGINT);
CREATE TABLE data_keys (tenant_id TEXT NOT NULL, owner_kind TEXT NOT NULL, owner_id TEXT NOT NULL,
    epoch INTEGER NOT NULL, tenant_key_id TEXT NOT NULL, wrapped BLOB, created_at BIGINT NOT NULL, destroyed_at BIGINT,
    PRIMARY KEY (owner_kind, owner_id, epoch));
CREATE TABLE vault_canaries (tenant_id TEXT PRIMARY KEY, sealed BLOB NOT NULL, epoch INTEGER NOT NULL);
CREATE TABLE shred_ledger (id TEXT PRIMARY KEY, tenant_id TEXT NOT NULL, owner_kind TEXT NOT NULL,
    owner_id TEXT NOT NULL, epoch INTEGER NOT NULL, destroyed_at BIGINT NOT NULL);
"""


class FakeTransaction:
    """One connection that never commits; counts its statements."""

    def __init__(self, now: Callable[[], int]) -> None:
        self.connection = sqlite3.connect(":memory:", check_same_thread=False)
        self.connection.row_factory = sqlite3.Row
        self.connection.executescript(_TABLES)
        self.statements = 0
        self._now = now

    def one(self, sql: str, /, **parameters: Any) -> dict[str, Any] | None:
        rows = self.all(sql, **parameters)
        assert len(rows) < 2
        return rows[0] if rows else None

    def all(self, sql: str, /, **parameters: Any) -> list[dict[str, Any]]:
        self.statements += 1
        return [dict(row) for row in self.connection.execute(sql, parameters)]

    def run(self, sql: str, /, **parameters: Any) -> int:
        self.statements += 1
        return self.connection.execute(sql, parameters).rowcount

    def many(self, sql: str, rows: Sequence[Mapping[str, Any]]) -> int:
        return sum(self.run(sql, **row) for row in rows)

    def now(self) -> int:
        return self._now()
