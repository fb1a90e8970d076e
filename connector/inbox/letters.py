"""Letters: a copy of what lies in an inbox, on its way to the person's address. Rows hold neither address nor words."""

from __future__ import annotations

from dataclasses import dataclass

from connector.inbox.items import Item
from connector.model.ids import new_id
from connector.storage import Transaction


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter to be sent. `item_id` says which words, `sub` to whom."""

    id: str
    tenant_id: str
    sub: str
    item_id: str


def queue_letter(tx: Transaction, item: Item) -> None:
    """Send a copy as soon as its person may see it. Once per thing in the inbox."""
    tx.run(
        """INSERT INTO mails (id, tenant_id, sub, item_id, next_at, created_at)
           VALUES (:id, :tenant, :sub, :item, :due, :now) ON CONFLICT (item_id) DO NOTHING""",
        id=new_id("mal"),
        tenant=item.tenant_id,
        sub=item.sub,
        item=item.id,
        due=item.shown_from,
        now=tx.now(),
    )


def letter(tx: Transaction, letter_id: str) -> Letter | None:
    """One letter."""
    row = tx.one("SELECT id, tenant_id, sub, item_id FROM mails WHERE id = :id", id=letter_id)
    return None if row is None else Letter(row["id"], row["tenant_id"], row["sub"], row["item_id"])


def letters_of(tx: Transaction, tenant_id: str, sub: str) -> dict[str, str]:
    """How the copy by mail of each thing in a person's inbox stands, by its id."""
    rows = tx.all(
        "SELECT item_id, state FROM mails WHERE tenant_id = :tenant AND sub = :sub", tenant=tenant_id, sub=sub
    )
    return {row["item_id"]: row["state"] for row in rows}


def void_letters(tx: Transaction, reason: str) -> int:
    """Letters that wait in a database that came back are not sent: some were, after the backup was made; how many.

    What they are copies of lies in the inbox, as it did.
    """
    return tx.run(
        """UPDATE mails SET state = 'void', fence = fence + 1, error = :reason, finished_at = :now, lease_owner = NULL,
             lease_until = NULL WHERE state IN ('queued', 'claimed')""",
        reason=reason,
        now=tx.now(),
    )


def forget_letter(tx: Transaction, *, before: int, limit: int) -> list[str]:
    """Delete letters that were settled before a time (ms); their ids."""
    rows = tx.all(
        """DELETE FROM mails WHERE id IN (SELECT id FROM mails WHERE finished_at < :before ORDER BY finished_at LIMIT
           :limit) RETURNING id""",
        before=before,
        limit=limit,
    )
    return [row["id"] for row in rows]
