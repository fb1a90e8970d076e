"""Imports: one row per run, numbered per connection. At most one is open at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connector.model.ids import new_id
from connector.model.states import WorkState
from connector.storage import Row, Transaction

TABLE = "imports"
COUNTED = ("cards", "pages", "taken", "unchanged", "removed", "ignored", "strangers", "refused")


@dataclass(frozen=True, slots=True)
class Import:
    """One run. Times in ms.

    Attributes:
        asked_by: schedule, app, sign_in or person.
        counts: how many cards, pages, values … so far; no personal data.
        progress: which kinds are done, and whether the run under way lists everything.
        error: a machine word where it failed or had nothing to do.
    """

    id: str
    tenant_id: str
    connection_id: str
    number: int
    asked_by: str
    state: WorkState
    attempts: int
    counts: Mapping[str, int]
    error: str | None
    created_at: int
    started_at: int | None
    finished_at: int | None
    progress: Mapping[str, Any] = field(default_factory=dict)


def queue_import(tx: Transaction, tenant_id: str, connection_id: str, asked_by: str) -> Import:
    """Ask for an import. One that waits or runs already is answered instead of a second."""
    found = open_import(tx, connection_id)
    if found is not None:
        return found
    newest = tx.one("SELECT MAX(number) AS newest FROM imports WHERE connection_id = :id", id=connection_id)
    row = tx.one(
        """INSERT INTO imports (id, tenant_id, connection_id, number, asked_by, state, next_at, created_at)
           VALUES (:id, :tenant, :connection, :number, :asked_by, 'queued', :now, :now) RETURNING *""",
        id=new_id("imp"),
        tenant=tenant_id,
        connection=connection_id,
        number=((newest["newest"] if newest else None) or 0) + 1,
        asked_by=asked_by,
        now=tx.now(),
    )
    assert row is not None  # noqa: S101  RETURNING answers the row it inserted
    return _import(row)


def open_import(tx: Transaction, connection_id: str) -> Import | None:
    """The import of a connection that waits or runs."""
    row = tx.one(
        "SELECT * FROM imports WHERE connection_id = :id AND state IN ('queued', 'claimed') ORDER BY number LIMIT 1",
        id=connection_id,
    )
    return None if row is None else _import(row)


def find_import(tx: Transaction, import_id: str) -> Import | None:
    """One run by its id."""
    row = tx.one("SELECT * FROM imports WHERE id = :id", id=import_id)
    return None if row is None else _import(row)


def imports_of(
    tx: Transaction, connection_id: str, *, number: int | None = None, below: int | None = None, limit: int = 50
) -> list[Import]:
    """Runs of a connection, newest first; one by its number, or those below a number."""
    rows = tx.all(
        """SELECT * FROM imports WHERE connection_id = :id AND (:any_number = 1 OR number = :number)
             AND (:any_below = 1 OR number < :below) ORDER BY number DESC LIMIT :limit""",
        id=connection_id,
        any_number=int(number is None),
        number=number or 0,
        any_below=int(below is None),
        below=below or 0,
        limit=limit,
    )
    return [_import(row) for row in rows]


def note_progress(
    tx: Transaction, import_id: str, *, counts: Mapping[str, int], progress: Mapping[str, Any], started: bool = False
) -> None:
    """What is done so far, in the transaction that did it. `started` also dates the beginning, once."""
    tx.run(
        """UPDATE imports SET counts = :counts, progress = :progress,
             started_at = CASE WHEN :started = 1 THEN COALESCE(started_at, :now) ELSE started_at END
           WHERE id = :id""",
        counts=json.dumps(dict(counts)),
        progress=json.dumps(dict(progress)),
        started=int(started),
        now=tx.now(),
        id=import_id,
    )


def _import(row: Row) -> Import:
    parts = {name: row[name] for name in Import.__dataclass_fields__}
    counted = {**dict.fromkeys(COUNTED, 0), **json.loads(row["counts"])}
    return Import(
        **parts | {"state": WorkState(row["state"]), "counts": counted, "progress": json.loads(row["progress"])}
    )
