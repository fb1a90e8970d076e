"""The change feed: what changed, in the order in which it was committed.

Rows are written with the change and get their position afterwards, under a lock. So a reader who has seen a position
has seen everything before it, however long some other transaction took. Positions are dense and never used again: the
newest row is never deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from connector.model.errors import Gone
from connector.storage import Row, Transaction

_LOCK = 4020215
BATCH = 1000


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that changed.

    `kind`: changed or removed (a value), card_removed, closed (a card's values are no longer open). `position` is 0
    until it has one; `at` in ms.
    """

    tenant_id: str
    sub: str
    card_id: str
    pointer: str
    connection_id: str | None
    kind: str
    category: str
    position: int = 0
    at: int = 0


@dataclass(frozen=True, slots=True)
class Feed:
    """A piece of the feed. `position` is where to go on; `more` whether something waits there already."""

    changes: tuple[Change, ...]
    position: int
    more: bool


def note_changes(tx: Transaction, changes: Sequence[Change]) -> None:
    """Write changes in the transaction that makes them."""
    now = tx.now()
    tx.many(
        """INSERT INTO changes (tenant_id, sub, card_id, pointer, connection_id, kind, category, at)
           VALUES (:tenant, :sub, :card, :pointer, :connection, :kind, :category, :now)""",
        [
            {
                "tenant": change.tenant_id,
                "sub": change.sub,
                "card": change.card_id,
                "pointer": change.pointer,
                "connection": change.connection_id,
                "kind": change.kind,
                "category": change.category,
                "now": now,
            }
            for change in changes
        ],
    )


def sequence_changes(tx: Transaction, limit: int = BATCH) -> int:
    """Give committed changes their positions; how many. Needs a write transaction."""
    if tx.dialect == "postgresql":
        tx.all("SELECT pg_advisory_xact_lock(:lock)", lock=_LOCK)
    rows = tx.all("SELECT id FROM changes WHERE position IS NULL ORDER BY id LIMIT :limit", limit=limit)
    if rows:
        start = _edge(tx, "MAX") + 1
        tx.many(
            "UPDATE changes SET position = :position WHERE id = :id",
            [{"position": start + number, "id": row["id"]} for number, row in enumerate(rows)],
        )
    return len(rows)


def waiting(tx: Transaction) -> bool:
    """Whether committed changes have no position yet."""
    return tx.one("SELECT 1 AS one FROM changes WHERE position IS NULL LIMIT 1") is not None


def feed(tx: Transaction, tenant_id: str, after: int | None, *, limit: int) -> Feed:
    """The tenant's changes behind a position; from the oldest that is kept where it is None.

    Raises:
        Gone: what follows that position is not kept any more, or it was never given (`cursor_expired`).
    """
    newest = _edge(tx, "MAX")
    if after is not None and not max(_edge(tx, "MIN"), 1) - 1 <= after <= newest:
        raise Gone("cursor_expired", "What changed since is no longer kept. Read everything again, then begin anew.")
    rows = tx.all(
        """SELECT * FROM changes WHERE tenant_id = :tenant AND position > :after AND position <= :newest AND sub <> ''
           ORDER BY position LIMIT :limit""",
        tenant=tenant_id,
        after=after or 0,
        newest=newest,
        limit=limit + 1,
    )
    more = len(rows) > limit
    shown = tuple(_change(row) for row in rows[:limit])
    return Feed(shown, shown[-1].position if more else newest, more)


def prune_changes(tx: Transaction, before: int, *, limit: int = BATCH) -> int:
    """Forget changes older than `before` (ms), oldest first; how many. The newest position stays."""
    return tx.run(
        """DELETE FROM changes WHERE id IN (SELECT id FROM changes WHERE at < :before AND position IS NOT NULL
             AND position < :newest ORDER BY position LIMIT :limit)""",
        before=before,
        newest=_edge(tx, "MAX"),
        limit=limit,
    )


def changes_of_person(tx: Transaction, tenant_id: str, sub: str) -> list[dict[str, Any]]:
    """What the feed still says about a person, oldest first. Times in ms."""
    rows = tx.all(
        """SELECT id, card_id, pointer, connection_id, kind, category, at FROM changes
           WHERE tenant_id = :tenant AND sub = :sub ORDER BY id""",
        tenant=tenant_id,
        sub=sub,
    )
    return [dict(row) for row in rows]


def forget_person_changes(tx: Transaction, sub: str) -> int:
    """Forget whom the feed spoke of (erasure); how many rows. They are blanked: positions are never used again."""
    return tx.run(
        "UPDATE changes SET sub = '', card_id = '', pointer = '', connection_id = NULL, category = '' WHERE sub = :sub",
        sub=sub,
    )


def _edge(tx: Transaction, which: str) -> int:
    row = tx.one(f"SELECT {which}(position) AS edge FROM changes")
    return 0 if row is None or row["edge"] is None else int(row["edge"])


def _change(row: Row) -> Change:
    return Change(**{name: row[name] for name in Change.__dataclass_fields__})
