"""Deliveries: one outward write of changed values to one connection. The row holds pointers, never values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector.model.ids import new_id, new_secret
from connector.model.states import WorkState
from connector.storage import Row, Transaction

TABLE = "deliveries"
_LOCK = 4020213

# One at a time per connection, and the older one first: two writes to one profile would be each other's conflict.
_IN_TURN = """NOT EXISTS (SELECT 1 FROM deliveries AS other WHERE other.connection_id = work.connection_id
  AND other.id <> work.id AND (other.state = 'claimed' OR (other.state = 'queued' AND other.sent_at IS NOT NULL)
       OR (other.state = 'queued' AND other.field_group = work.field_group AND other.created_at < work.created_at)))"""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery. Times in ms.

    Attributes:
        pointers: what changed; the values are read when it is sent.
        idempotency_key: the same in every try.
        sent_at: set before the bytes leave.
        outcome: how it ended: result, written, unchanged, refused with words and clause.
    """

    id: str
    tenant_id: str
    sub: str
    connection_id: str
    field_group: str
    state: WorkState
    attempts: int
    next_at: int
    pointers: tuple[str, ...]
    idempotency_key: str
    sent_at: int | None
    outcome: Mapping[str, Any] | None
    created_at: int
    finished_at: int | None


def queue_delivery(  # noqa: PLR0917  where it goes, and what changed
    tx: Transaction, tenant_id: str, sub: str, connection_id: str, field_group: str, pointers: Sequence[str]
) -> Delivery:
    """Ask for a delivery. One that waits and was not sent takes the newer change in, and keeps its place."""
    waiting = tx.one(
        f"""SELECT * FROM deliveries WHERE connection_id = :connection AND field_group = :field_group
              AND state = 'queued' AND sent_at IS NULL ORDER BY created_at LIMIT 1
            {"FOR UPDATE" if tx.dialect == "postgresql" else ""}""",
        connection=connection_id,
        field_group=field_group,
    )
    if waiting is not None:
        listed = sorted({*json.loads(waiting["pointers"]), *pointers})
        row = tx.one(
            "UPDATE deliveries SET pointers = :pointers WHERE id = :id AND state = 'queued' RETURNING *",
            pointers=json.dumps(listed),
            id=waiting["id"],
        )
        if row is not None:
            return _delivery(row)
    row = tx.one(
        """INSERT INTO deliveries (id, tenant_id, sub, connection_id, field_group, state, next_at, pointers,
             idempotency_key, created_at)
           VALUES (:id, :tenant, :sub, :connection, :field_group, 'queued', :now, :pointers, :key, :now) RETURNING *""",
        id=new_id("dlv"),
        tenant=tenant_id,
        sub=sub,
        connection=connection_id,
        field_group=field_group,
        pointers=json.dumps(sorted(pointers)),
        key=new_secret(),
        now=tx.now(),
    )
    assert row is not None  # noqa: S101  RETURNING answers the row it inserted
    return _delivery(row)


def claim_delivery(tx: Transaction) -> str:
    """Take turns at claiming, and the condition for `work.claim`: one delivery at a time for each connection."""
    if tx.dialect == "postgresql":
        tx.all("SELECT pg_advisory_xact_lock(:lock)", lock=_LOCK)
    return _IN_TURN


def groups_sent(tx: Transaction, tenant_id: str, sub: str) -> dict[str, set[str]]:
    """The field groups that were truly sent on, by connection."""
    rows = tx.all(
        """SELECT DISTINCT connection_id, field_group FROM deliveries
           WHERE tenant_id = :tenant AND sub = :sub AND state = 'done'""",
        tenant=tenant_id,
        sub=sub,
    )
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row["connection_id"], set()).add(row["field_group"])
    return found


def delivery(tx: Transaction, delivery_id: str) -> Delivery | None:
    """One delivery by its id."""
    row = tx.one("SELECT * FROM deliveries WHERE id = :id", id=delivery_id)
    return None if row is None else _delivery(row)


def mark_sent(tx: Transaction, delivery_id: str, fence: int, *, sent: bool) -> bool:
    """Note that bytes are about to leave, or that it is proven that none took effect. False: somebody took over."""
    changed = tx.run(
        """UPDATE deliveries SET sent_at = CASE WHEN :sent = 1 THEN COALESCE(sent_at, :now) ELSE NULL END
           WHERE id = :id AND fence = :fence AND state = 'claimed'""",
        sent=int(sent),
        now=tx.now(),
        id=delivery_id,
        fence=fence,
    )
    return changed == 1


def note_late_outcome(tx: Transaction, delivery_id: str, outcome: Mapping[str, Any]) -> bool:
    """What came of a delivery that was called off after its bytes had left: the state stays, the truth is added."""
    changed = tx.run(
        """UPDATE deliveries SET outcome = :outcome
           WHERE id = :id AND state = 'void' AND sent_at IS NOT NULL AND outcome IS NULL""",
        outcome=json.dumps(dict(outcome)),
        id=delivery_id,
    )
    return changed == 1


def void_deliveries(tx: Transaction, connection_id: str, field_group: str, outcome: Mapping[str, Any]) -> int:
    """Queued deliveries of a group that was switched off come to nothing; how many. A sent one is left to end."""
    return tx.run(
        """UPDATE deliveries SET state = 'void', finished_at = :now, outcome = :outcome
           WHERE connection_id = :connection AND field_group = :field_group AND state = 'queued'
             AND sent_at IS NULL""",
        connection=connection_id,
        field_group=field_group,
        outcome=json.dumps(dict(outcome)),
        now=tx.now(),
    )


def written_before(tx: Transaction, connection_id: str, field_group: str) -> frozenset[str]:
    """Pointers that an earlier delivery put there, or may have put there: only those are ever cleared."""
    rows = tx.all(
        """SELECT pointers, state, outcome FROM deliveries WHERE connection_id = :connection
             AND field_group = :field_group AND sent_at IS NOT NULL AND outcome IS NOT NULL""",
        connection=connection_id,
        field_group=field_group,
    )
    found: set[str] = set()
    for row in rows:
        outcome = json.loads(row["outcome"])
        unknown = outcome.get("result") in {"unknown", "waiting"}
        named = json.loads(row["pointers"]) if unknown else (*outcome.get("written", ()), *outcome.get("unchanged", ()))
        found.update(named)
    return frozenset(found)


def deliveries_of_user(
    tx: Transaction, tenant_id: str, sub: str, *, before: tuple[int, str] | None = None, limit: int = 50
) -> list[Delivery]:
    """A person's deliveries, newest first; `before` is (created_at, id) of the last on the page before."""
    at, last = before or (0, "")
    rows = tx.all(
        """SELECT * FROM deliveries WHERE tenant_id = :tenant AND sub = :sub
             AND (:first = 1 OR created_at < :at OR (created_at = :at AND id < :last))
           ORDER BY created_at DESC, id DESC LIMIT :limit""",
        tenant=tenant_id,
        sub=sub,
        first=int(before is None),
        at=at,
        last=last,
        limit=limit,
    )
    return [_delivery(row) for row in rows]


def _delivery(row: Row) -> Delivery:
    parts = {name: row[name] for name in Delivery.__dataclass_fields__}
    outcome = None if row["outcome"] is None else json.loads(row["outcome"])
    changed = {"state": WorkState(row["state"]), "pointers": tuple(json.loads(row["pointers"])), "outcome": outcome}
    return Delivery(**parts | changed)
