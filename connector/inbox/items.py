"""What lies in one person's inbox: notices for everybody, and words for them alone, sealed under their key."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector.inbox.seals import is_whole, seal_of
from connector.inbox.windows import Window, window_of
from connector.model.ids import new_id
from connector.storage import Row, Transaction
from vault import Address, Owner, Vault


@dataclass(frozen=True, slots=True)
class NewItem:
    """What is posted. `words`: title and paragraphs for this person alone; none where a notice says them. Times in ms.

    `shown_from`: later than now only where the law forbids to tell before.
    """

    tenant_id: str
    sub: str
    kind: str
    topic: str = ""
    notice_id: str | None = None
    closes_at: int | None = None
    effective_at: int | None = None
    words: tuple[str, Sequence[str]] | None = None
    shown_from: int = 0


@dataclass(frozen=True, slots=True)
class Item:
    """One thing in the inbox. Times in ms."""

    id: str
    tenant_id: str
    sub: str
    notice_id: str | None
    kind: str
    topic: str
    posted_at: int
    closes_at: int | None
    effective_at: int | None
    shown_from: int

    def window(self, now: int) -> Window:
        """Where it stands."""
        return window_of(self.posted_at, self.closes_at, self.effective_at, now)


def post(tx: Transaction, vault: Vault, new: NewItem) -> Item:
    """Put it into the inbox; from here on its time runs."""
    now = tx.now()
    row: dict[str, Any] = {
        "id": new_id("ibx"),
        "tenant_id": new.tenant_id,
        "sub": new.sub,
        "notice_id": new.notice_id,
        "kind": new.kind,
        "topic": new.topic,
        "sealed": None,
        "key_epoch": None,
        "posted_at": now,
        "closes_at": new.closes_at,
        "effective_at": new.effective_at,
        "shown_from": max(now, new.shown_from),
    }
    if new.words is not None:
        key = vault.key(tx, Owner(new.tenant_id, "user", new.sub))
        row["key_epoch"] = key.epoch
        row["sealed"] = key.seal(address(row), json.dumps([new.words[0], list(new.words[1])]).encode(), generation=1)
    row["seal"] = seal_of(tx, vault, "inbox_items", row)
    names = list(row)
    tx.run(f"INSERT INTO inbox_items ({', '.join(names)}) VALUES ({', '.join(':' + name for name in names)})", **row)
    return from_row(row)


def items_of(tx: Transaction, vault: Vault, tenant_id: str, sub: str) -> list[Item]:
    """What lies there for its person to see, newest first. An altered row is left out; the log has it."""
    rows = tx.all(
        """SELECT * FROM inbox_items WHERE tenant_id = :tenant AND sub = :sub AND shown_from <= :now
           ORDER BY posted_at DESC, id""",
        tenant=tenant_id,
        sub=sub,
        now=tx.now(),
    )
    return [from_row(row) for row in rows if is_whole(tx, vault, "inbox_items", row)]


def find_item(tx: Transaction, vault: Vault, item_id: str) -> Item | None:
    """One of anybody's, also one that is not shown yet; None where there is none or its row was altered."""
    row = tx.one("SELECT * FROM inbox_items WHERE id = :id", id=item_id)
    return from_row(row) if row is not None and is_whole(tx, vault, "inbox_items", row) else None


def words_of(tx: Transaction, vault: Vault, item: Item) -> tuple[str, tuple[str, ...]]:
    """Title and paragraphs.

    Raises:
        VaultError: words for this person alone that do not open as what they were sealed as.
    """
    if item.notice_id is not None:
        notice = tx.one("SELECT title, body FROM notices WHERE id = :id", id=item.notice_id)
        return ("", ()) if notice is None else (notice["title"], tuple(json.loads(notice["body"])))
    row = tx.one("SELECT * FROM inbox_items WHERE id = :id", id=item.id)
    if row is None or row["sealed"] is None:
        return "", ()
    key = vault.key(tx, Owner(item.tenant_id, "user", item.sub), row["key_epoch"])
    title, paragraphs = json.loads(key.open(address(row), bytes(row["sealed"]), generation=1))
    return str(title), tuple(str(one) for one in paragraphs)


def address(row: Mapping[str, Any]) -> Address:
    """Where the words for one person live."""
    return Address(row["tenant_id"], "user", row["sub"], "", f"inbox_items.sealed:{row['id']}")


def from_row(row: Row | Mapping[str, Any]) -> Item:
    """The value of a row; the seal is the caller's to check."""
    return Item(**{name: row[name] for name in Item.__dataclass_fields__})
