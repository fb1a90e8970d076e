"""Intents without an outcome: what was about to happen outside, and nobody has said yet how it went.

Before something leaves, an entry says so; after it, another says what came of it. Both name the piece of work and the
attempt. `ledger_intents` lists the attempts between the two, kept by `append` itself in the same transaction. It is a
list to work from and no evidence: `verify` finds the same out of the entries alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from connector.ledger.kinds import Kind
from connector.storage import Transaction

# Kind → the fact that names the piece of work.
INTENTS: Mapping[str, str] = {
    Kind.REFRESH_INTENT: "connection",
    Kind.PUSH_INTENT: "delivery",
    Kind.IMPORT_STARTED: "import",
    Kind.REVOCATION_INTENT: "revocation",
}
OUTCOMES: Mapping[str, str] = {
    Kind.REFRESH: "connection",
    Kind.PUSH_OUTCOME: "delivery",
    Kind.IMPORT: "import",
    Kind.REVOCATION_OUTCOME: "revocation",
}
OUTCOME_OF: Mapping[str, Kind] = {
    Kind.REFRESH_INTENT: Kind.REFRESH,
    Kind.PUSH_INTENT: Kind.PUSH_OUTCOME,
    Kind.IMPORT_STARTED: Kind.IMPORT,
    Kind.REVOCATION_INTENT: Kind.REVOCATION_OUTCOME,
}
_FOLLOWED = frozenset(INTENTS) | frozenset(OUTCOMES)


@dataclass(frozen=True, slots=True)
class Intent:
    """One attempt whose outcome is not known: its entry, its kind, the id of the work, which attempt, and when (ms)."""

    entry_id: int
    kind: str
    work: str
    attempt: int
    at: int


def attempt_of(kind: str, facts: Mapping[str, Any], table: Mapping[str, str]) -> tuple[str, int] | None:
    """Which attempt at which work an entry tells of; None where it tells of none."""
    name = table.get(kind)
    work, attempt = facts.get(name or ""), facts.get("attempt")
    return (work, attempt) if isinstance(work, str) and isinstance(attempt, int) else None


def followed(kinds: Iterable[str]) -> bool:
    """Whether any of these kinds begins or ends an attempt."""
    return not _FOLLOWED.isdisjoint(kinds)


def follow(tx: Transaction, entry_id: int, kind: str, facts: Mapping[str, Any]) -> None:
    """Take an entry into account that was just written."""
    begun, ended = attempt_of(kind, facts, INTENTS), attempt_of(kind, facts, OUTCOMES)
    if begun is not None:
        tx.run(
            "INSERT INTO ledger_intents (entry_id, kind, work, attempt, at)"
            " VALUES (:entry_id, :kind, :work, :attempt, :at)",
            entry_id=entry_id,
            kind=str(kind),
            work=begun[0],
            attempt=begun[1],
            at=tx.now(),
        )
    if ended is not None:
        tx.run("DELETE FROM ledger_intents WHERE work = :work AND attempt = :attempt", work=ended[0], attempt=ended[1])


def open_intents(tx: Transaction, limit: int = 100) -> list[Intent]:
    """Attempts without an outcome, oldest first: under way, or cut off."""
    rows = tx.all(
        "SELECT entry_id, kind, work, attempt, at FROM ledger_intents ORDER BY entry_id LIMIT :limit", limit=limit
    )
    return [Intent(int(row["entry_id"]), row["kind"], row["work"], int(row["attempt"]), int(row["at"])) for row in rows]


def take(tx: Transaction, intent: Intent) -> bool:
    """Strike it off the list, in the transaction that enters its outcome; False if it has one by now."""
    return bool(tx.run("DELETE FROM ledger_intents WHERE entry_id = :id", id=intent.entry_id))
