"""Every table from one database into another, row by row, and proof that both hold the same.

A table is read in pages by its primary key. Its checksum is the sum of the SHA-256 of its rows, so that it does not
depend on the order in which a database gives them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from connector.storage import marks
from connector.storage.schema import metadata
from connector.storage.transaction import Row, Transaction

PAGE = 500
_WHOLE = 1 << 256

Tell = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Copied:
    """One table: how many rows each side holds, and the sum over them."""

    table: str
    source_rows: int
    target_rows: int
    source_sum: str
    target_sum: str

    @property
    def same(self) -> bool:
        """Whether nothing was lost and nothing changed."""
        return (self.source_rows, self.source_sum) == (self.target_rows, self.target_sum)


def tables() -> list[sa.Table]:
    """Every table that is copied: all but the marks, which each database has of its own."""
    return [table for table in metadata.sorted_tables if table.name != marks.TABLE]


def rows_in(tx: Transaction) -> int:
    """How many rows there are in all."""
    return sum(_count(tx, table) for table in tables())


def hold_still(tx: Transaction) -> None:
    """Let nobody write into the source until the transaction ends. On SQLite a transaction that writes does so."""
    if tx.dialect == "postgresql":
        tx.run(f"LOCK TABLE {', '.join(table.name for table in tables())} IN SHARE MODE")


def empty(tx: Transaction) -> None:
    """Delete what a copy that was cut off has left."""
    for table in reversed(tables()):
        tx.run(f'DELETE FROM "{table.name}"')


def copy_all(source: Transaction, target: Transaction, tell: Tell) -> list[Copied]:
    """Copy every table, look at both sides again, and put the counters of the target behind the highest number."""
    total, done = rows_in(source), 0
    found: list[Copied] = []
    for table in tables():
        rows, held = 0, 0
        for page in _pages(source, table):
            target.many(_insert(table), [_plain(row) for row in page])
            rows += len(page)
            held = (held + sum(_digest(table, row) for row in page)) % _WHOLE
            done += len(page)
            tell(done, total)
        set_counter(target, table)
        there, their = _summed(target, table)
        found.append(Copied(table.name, rows, there, f"{held:064x}", f"{their:064x}"))
    return found


def set_counter(tx: Transaction, table: sa.Table) -> None:
    """The next row gets a number that none has. SQLite counts from the highest by itself."""
    column = table.autoincrement_column
    if column is None or tx.dialect != "postgresql":
        return
    sequence = tx.one("SELECT pg_get_serial_sequence(:name, :column) AS name", name=table.name, column=column.name)
    if sequence is not None and sequence["name"] is not None:
        tx.one(
            f"""SELECT setval(CAST(:sequence AS regclass), COALESCE((SELECT MAX({column.name}) FROM "{table.name}"), 1),
                       (SELECT COUNT(*) FROM "{table.name}") > 0)""",
            sequence=sequence["name"],
        )


def _summed(tx: Transaction, table: sa.Table) -> tuple[int, int]:
    rows, held = 0, 0
    for page in _pages(tx, table):
        rows += len(page)
        held = (held + sum(_digest(table, row) for row in page)) % _WHOLE
    return rows, held


def _pages(tx: Transaction, table: sa.Table) -> Iterator[list[Row]]:
    """The table in pages, each after the last row of the one before."""
    keys = [column.name for column in table.primary_key.columns]
    listed, columns = ", ".join(keys), ", ".join(f'"{column.name}"' for column in table.columns)
    after: dict[str, Any] = {}
    while True:
        where = f"WHERE ({listed}) > ({', '.join(':' + key for key in keys)})" if after else ""
        sql = f'SELECT {columns} FROM "{table.name}" {where} ORDER BY {listed} LIMIT {PAGE}'
        page = tx.all(sql, **after)
        if page:
            yield page
        if len(page) < PAGE:
            return
        after = {key: page[-1][key] for key in keys}


def _insert(table: sa.Table) -> str:
    names = [column.name for column in table.columns]
    into = ", ".join(f'"{name}"' for name in names)
    return f'INSERT INTO "{table.name}" ({into}) VALUES ({", ".join(":" + name for name in names)})'


def _plain(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in row.keys()}  # noqa: SIM118  sqlite3.Row goes through its values otherwise


def _digest(table: sa.Table, row: Row) -> int:
    """One row as a number. Each value with its kind and length, so that no two rows read the same."""
    digest = hashlib.sha256()
    for column in table.columns:
        value = row[column.name]
        if value is None:
            digest.update(b"n")
            continue
        kind, content = (b"i", str(value).encode()) if isinstance(value, int) else _bytes_of(value)
        digest.update(kind + str(len(content)).encode() + b":" + content)
    return int.from_bytes(digest.digest(), "big")


def _bytes_of(value: object) -> tuple[bytes, bytes]:
    if isinstance(value, str):
        return b"t", value.encode()
    if isinstance(value, bytes | bytearray | memoryview):
        return b"b", bytes(value)
    raise TypeError(f"a {type(value).__name__} is in no table")


def _count(tx: Transaction, table: sa.Table) -> int:
    row = tx.one(f'SELECT COUNT(*) AS many FROM "{table.name}"')
    return 0 if row is None else int(row["many"])
