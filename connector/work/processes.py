"""Who works here: one row per process, and which of them are dead."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from connector.storage import Transaction
from connector.work.liveness import Liveness

GRACE_MS = 3_000


@dataclass(frozen=True, slots=True)
class Process:
    """A process as it registered itself. Times in ms since the epoch."""

    id: str
    kind: str
    host: str
    pid: int
    started_at: int
    seen_at: int


def register(tx: Transaction, id: str, kind: str, host: str, pid: int) -> None:  # noqa: A002
    """Enter a process. It must hold its liveness before, or it is taken for dead after the grace."""
    tx.run(
        "INSERT INTO processes (id, kind, host, pid, started_at, seen_at) VALUES (:id, :kind, :host, :pid, :now, :now)"
        " ON CONFLICT (id) DO UPDATE SET seen_at = :now",
        id=id,
        kind=kind,
        host=host,
        pid=pid,
        now=tx.now(),
    )


def seen(tx: Transaction, id: str) -> bool:  # noqa: A002
    """Say that the process is there (about once a second); False if it was taken for dead and must register anew."""
    return bool(tx.run("UPDATE processes SET seen_at = :now WHERE id = :id", id=id, now=tx.now()))


def known(tx: Transaction) -> list[Process]:
    """Every process that registered and was not forgotten."""
    rows = tx.all("SELECT id, kind, host, pid, started_at, seen_at FROM processes ORDER BY started_at, id")
    return [Process(**{name: row[name] for name in Process.__dataclass_fields__}) for row in rows]


def dead_owners(tx: Transaction, liveness: Liveness, grace_ms: int = GRACE_MS) -> frozenset[str]:
    """Processes that hold no liveness and were not seen for `grace_ms`.

    Both are asked: a process whose liveness connection broke is still seen, one that only hangs still holds its lock,
    and neither is dead. What they hold may be released at once; then `forget` them.
    """
    now = tx.now()
    rows = tx.all(
        "SELECT id FROM processes WHERE seen_at < :before OR seen_at > :after",
        before=now - grace_ms,
        after=now + max(grace_ms, GRACE_MS),  # last seen in the future: the clock was set back, and says nothing
    )
    silent = [row["id"] for row in rows]
    return frozenset(silent) - liveness.alive(tx, silent) if silent else frozenset()


def forget(tx: Transaction, ids: Iterable[str]) -> int:
    """Remove processes that ended, after everything they held was released; how many."""
    return sum(tx.run("DELETE FROM processes WHERE id = :id", id=one) for one in ids)
