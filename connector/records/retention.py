"""What time ends, and what the person drops."""

from __future__ import annotations

from connector.records.changes import Change, note_changes
from connector.records.values import delete
from connector.storage import Transaction

BATCH = 500


def keeping_due(tx: Transaction, feed_before: int) -> bool:
    """Whether anything is over, waits for its place in the feed, or is old in it: asked before a lock is taken."""
    row = tx.one(
        """SELECT EXISTS (SELECT 1 FROM records WHERE expires_at <= :now) AS expired,
                  EXISTS (SELECT 1 FROM changes WHERE position IS NULL) AS waiting,
                  (SELECT MIN(at) FROM changes WHERE position = (SELECT MIN(position) FROM changes)
                     AND position < (SELECT MAX(position) FROM changes)) AS oldest""",
        now=tx.now(),
    )
    if row is None:
        return False
    return bool(row["expired"] or row["waiting"] or (row["oldest"] is not None and row["oldest"] < feed_before))


def drop_expired(tx: Transaction, *, limit: int = BATCH) -> int:
    """Delete values whose time is over; how many. The feed is told of those that were current."""
    rows = tx.all(
        "SELECT * FROM records WHERE expires_at <= :now ORDER BY expires_at LIMIT :limit", now=tx.now(), limit=limit
    )
    delete(tx, [row["id"] for row in rows])
    note_changes(
        tx,
        [
            Change(
                row["tenant_id"],
                row["sub"],
                row["card_id"],
                row["pointer"],
                row["connection_id"],
                "removed",
                row["category"],
            )
            for row in rows
            if row["revision"] == "current" and row["category"] != "note"
        ],
    )
    return len(rows)


def keep_until(tx: Transaction, tenant_id: str, sub: str, at: int) -> int:
    """Whatever is held of a person is held until `at` (ms) at most, what they typed in included; how many values."""
    return tx.run(
        """UPDATE records SET expires_at = :at WHERE tenant_id = :tenant AND sub = :sub
             AND (expires_at IS NULL OR expires_at > :at)""",
        at=at,
        tenant=tenant_id,
        sub=sub,
    )


def drop_unrevised(tx: Transaction, tenant_id: str, sub: str, *, pointer: str | None = None) -> int:
    """The person drops older copies of what they typed in: all, or those at one pointer; how many."""
    return tx.run(
        """DELETE FROM records WHERE tenant_id = :tenant AND sub = :sub AND revision = 'unrevised'
             AND (:all_of_them = 1 OR pointer = :pointer)""",
        tenant=tenant_id,
        sub=sub,
        all_of_them=int(pointer is None),
        pointer=pointer or "",
    )
