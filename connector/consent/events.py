"""What became of a choice, event by event: appended, never changed, each sealed together with the one before it.

Who edits an event, takes one out of the middle or puts one in breaks the chain. Who cuts off the newest contradicts the
choice, which stands under its own row seal. An event that an older version of the code wrote has no seal; it is shown
as such, and the next one binds it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import rfc8785

from connector.model.tags import Choice
from connector.storage import Row, Transaction
from vault import DataKey, RowSealBroken
from vault.rowseal import Field

TABLE = "consent_events"
OF_ONE = "SELECT * FROM consent_events WHERE consent_id = :id ORDER BY id"
_LEADS_TO: Mapping[str, Choice] = {
    "given": Choice.GIVEN,
    "renewed": Choice.GIVEN,
    "refused": Choice.NONE,
    "withdrawn": Choice.WITHDRAWN,
    "invalidated": Choice.STALE,
}


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a choice. `at` in ms; `sealed`: the chain vouches for it."""

    event: str
    by: str
    method: str
    policy_version: str
    at: int
    sealed: bool


def append_event(
    tx: Transaction, key: DataKey, consent_id: str, event: str, *, by: str, method: str, policy_version: str
) -> None:
    """Write what happened, under the tenant's key."""
    row: dict[str, Any] = {
        "consent_id": consent_id,
        "event": event,
        "by": by,
        "method": method,
        "policy_version": policy_version,
        "at": tx.now(),
    }
    rows = _rows(tx, consent_id)
    seal = key.seal_row(TABLE, _fields(row, _link(rows[-1]) if rows else b""))
    tx.run(
        """INSERT INTO consent_events (consent_id, event, by, method, policy_version, at, seal)
           VALUES (:consent_id, :event, :by, :method, :policy_version, :at, :seal)""",
        **row,
        seal=seal,
    )


def events_of(tx: Transaction, key: DataKey, consent_id: str, choice: Choice) -> list[Event]:
    """Everything that happened, oldest first.

    Raises:
        RowSealBroken: an event was edited, added, taken out or cut off.
    """
    return chained(_rows(tx, consent_id), key, choice)


def chained(rows: Sequence[Row], key: DataKey, choice: Choice) -> list[Event]:
    """The same of the rows of one choice, oldest first."""
    found: list[Event] = []
    before = b""
    for row in rows:
        if row["seal"] is not None:
            key.check_row(TABLE, _fields(row, before), bytes(row["seal"]))
        before = _link(row)
        sealed = row["seal"] is not None
        found.append(Event(row["event"], row["by"], row["method"], row["policy_version"], row["at"], sealed))
    if not found or _LEADS_TO.get(found[-1].event, choice) is not choice:
        raise RowSealBroken(TABLE)
    return found


def _rows(tx: Transaction, consent_id: str) -> list[Row]:
    return tx.all(OF_ONE, id=consent_id)


def _link(row: Row) -> bytes:
    """What the next event binds: this one's seal, or where it has none, what it says."""
    if row["seal"] is not None:
        return bytes(row["seal"])
    said = [row[name] for name in ("consent_id", "event", "by", "method", "policy_version", "at")]
    return hashlib.sha256(rfc8785.dumps(said)).digest()


def _fields(row: Mapping[str, Any] | Row, before: bytes) -> list[Field]:
    return [*(row[name] for name in ("consent_id", "event", "by", "method", "policy_version", "at")), before]
