"""Erasures on their way to those outside who got something. Rows name a release by its id, and nobody."""

from __future__ import annotations

from dataclasses import dataclass

from connector.inbox.releases import Release
from connector.model.ids import new_id
from connector.storage import Row, Transaction

DEADLINE_MS = 7 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Forwarding:
    """One erasure to be passed on. `reference`: the release. Times in ms."""

    id: str
    tenant_id: str
    recipient: str
    name: str
    reference: str
    outcome: str | None
    deadline_at: int
    created_at: int


def queue_forwarding(tx: Transaction, release: Release) -> None:
    """They have to hear of it."""
    now = tx.now()
    tx.run(
        """INSERT INTO forwardings (id, tenant_id, recipient, name, reference, deadline_at, created_at)
           VALUES (:id, :tenant, :recipient, :name, :reference, :deadline, :now)""",
        id=new_id("fwd"),
        tenant=release.tenant_id,
        recipient=release.recipient,
        name=release.name,
        reference=release.id,
        deadline=now + DEADLINE_MS,
        now=now,
    )


def forwarding(tx: Transaction, forwarding_id: str) -> Forwarding | None:
    """One of them."""
    return _read(tx.one("SELECT * FROM forwardings WHERE id = :id", id=forwarding_id))


def by_hand(tx: Transaction) -> list[Forwarding]:
    """Those that no letter could pass on: the operator's to tell."""
    rows = tx.all("SELECT * FROM forwardings WHERE outcome = 'to_be_told' ORDER BY created_at, id")
    return [found for row in rows if (found := _read(row)) is not None]


def was_told(tx: Transaction, found: Forwarding) -> None:
    """The operator told them."""
    tx.run(
        "UPDATE forwardings SET outcome = 'told', finished_at = :now WHERE id = :id AND outcome = 'to_be_told'",
        id=found.id,
        now=tx.now(),
    )


def forget_forwardings(tx: Transaction, *, before: int, limit: int) -> list[str]:
    """Delete those that were told, settled before a time (ms); their ids. The ledger keeps that they were told."""
    rows = tx.all(
        """DELETE FROM forwardings WHERE id IN (SELECT id FROM forwardings
             WHERE outcome = 'told' AND finished_at < :before ORDER BY finished_at LIMIT :limit) RETURNING id""",
        before=before,
        limit=limit,
    )
    return [row["id"] for row in rows]


def _read(row: Row | None) -> Forwarding | None:
    return None if row is None else Forwarding(**{name: row[name] for name in Forwarding.__dataclass_fields__})
