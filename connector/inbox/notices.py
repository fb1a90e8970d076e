"""Notices for everybody: said once, posted to each inbox in batches, never in one giant transaction.

Saying the same thing again (same kind, same topic) changes nothing: the words that were said stand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from connector.inbox.items import NewItem, post
from connector.inbox.letters import queue_letter
from connector.inbox.seals import is_whole, seal_of
from connector.inbox.windows import in_policy_words, window_of
from connector.model import tags
from connector.model.ids import new_id
from connector.storage import Row, Transaction
from vault import Vault

Kind = Literal["policy", "sharing", "transfer"]

FOR_NEWCOMERS: Final = ("sharing", "transfer")  # who comes later agreed to the newest policy, but to none of these


@dataclass(frozen=True, slots=True)
class Announcement:
    """What is to be told to everybody.

    Attributes:
        kind: policy (clause 7), sharing (3e) or transfer (3c).
        topic: what it is about, as a word: the version, the affiliate, the acquirer. One notice per kind and topic.
        paragraphs: the words, in order. Nothing in them is about one person.
        window_ms: how long each person has to object, from the moment it lies in their inbox; 0 where nothing follows.
        effective_at: what it announces never begins before this (ms); 0: once the window is over.
    """

    kind: Kind
    topic: str
    title: str
    paragraphs: Sequence[str]
    window_ms: int = 0
    effective_at: int = 0


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice as it was said. Times in ms."""

    id: str
    tenant_id: str
    kind: str
    topic: str
    title: str
    paragraphs: tuple[str, ...]
    window_ms: int
    effective_at: int
    posted_at: int
    spread_at: int | None
    withdrawn_at: int | None


def announce(tx: Transaction, vault: Vault, tenant_id: str, new: Announcement) -> Notice:
    """Say it. The worker posts it to everybody's inbox from here on. Saying it again changes nothing."""
    known = find_notice(tx, vault, tenant_id, new.kind, new.topic)
    if known is not None:
        return known
    row: dict[str, Any] = {
        "id": new_id("ntc"),
        "tenant_id": tenant_id,
        "kind": new.kind,
        "topic": new.topic,
        "title": new.title,
        "body": json.dumps(list(new.paragraphs), ensure_ascii=False),
        "window_ms": new.window_ms,
        "effective_at": new.effective_at,
        "posted_at": tx.now(),
        "spread_at": None,
        "withdrawn_at": None,
    }
    row["seal"] = seal_of(tx, vault, "notices", row)
    names = list(row)
    tx.run(
        f"INSERT INTO notices ({', '.join(names)}) VALUES ({', '.join(':' + name for name in names)})"
        " ON CONFLICT (tenant_id, kind, topic) DO NOTHING",
        **row,
    )
    return find_notice(tx, vault, tenant_id, new.kind, new.topic) or _notice(row)


def called_off(tx: Transaction, vault: Vault, notice: Notice) -> None:
    """What it announced will not happen. It stays in the inboxes, and opens nothing any more, ever."""
    row = tx.one("SELECT * FROM notices WHERE id = :id AND withdrawn_at IS NULL", id=notice.id)
    if row is None:
        return
    over = {**row, "withdrawn_at": tx.now()}
    tx.run(
        "UPDATE notices SET withdrawn_at = :now, seal = :seal WHERE id = :id",
        now=over["withdrawn_at"],
        seal=seal_of(tx, vault, "notices", over),
        id=notice.id,
    )


def find_notice(tx: Transaction, vault: Vault, tenant_id: str, kind: str, topic: str) -> Notice | None:
    """The notice of that kind about that topic; None where it was never said, or its row was altered."""
    row = tx.one(
        "SELECT * FROM notices WHERE tenant_id = :tenant AND kind = :kind AND topic = :topic",
        tenant=tenant_id,
        kind=kind,
        topic=topic,
    )
    return _notice(row) if row is not None and is_whole(tx, vault, "notices", row) else None


def notices_of(tx: Transaction, vault: Vault, tenant_id: str) -> list[Notice]:
    """Everything that was said, newest first."""
    rows = tx.all("SELECT * FROM notices WHERE tenant_id = :tenant ORDER BY posted_at DESC, id", tenant=tenant_id)
    return [_notice(row) for row in rows if is_whole(tx, vault, "notices", row)]


def unspread(tx: Transaction, vault: Vault, *, newcomers: bool = False) -> list[Notice]:
    """Notices that somebody may not have yet. `newcomers`: those that whoever came later is told, too."""
    rows = tx.all("SELECT * FROM notices WHERE spread_at IS NULL AND withdrawn_at IS NULL ORDER BY posted_at, id")
    if newcomers:
        rows = tx.all(
            """SELECT * FROM notices WHERE spread_at IS NOT NULL AND withdrawn_at IS NULL
                 AND kind IN (:sharing, :transfer) ORDER BY posted_at, id""",
            sharing=FOR_NEWCOMERS[0],
            transfer=FOR_NEWCOMERS[1],
        )
    return [_notice(row) for row in rows if is_whole(tx, vault, "notices", row)]


def post_to_some(tx: Transaction, vault: Vault, notice: Notice, *, limit: int) -> int:
    """Post a notice to the next people who do not have it, and queue a letter for each; how many they were.

    Fewer than `limit` means that everybody has it now.
    """
    if tx.one(f"SELECT id FROM notices WHERE id = :id {tx.skip_locked}", id=notice.id) is None:
        return 0  # another worker is at it
    people = tx.all(
        """SELECT sub FROM users WHERE tenant_id = :tenant AND account = 'open' AND created_at >= :since
             AND sub > (SELECT cursor FROM notices WHERE id = :id)
             AND NOT EXISTS (SELECT 1 FROM inbox_items AS held WHERE held.sub = users.sub AND held.notice_id = :id)
           ORDER BY sub LIMIT :limit""",
        tenant=notice.tenant_id,
        id=notice.id,
        since=0 if notice.spread_at is None else notice.posted_at,
        limit=limit,
    )
    for person in people:
        item = post(tx, vault, _item(tx, notice, person["sub"]))
        queue_letter(tx, item)
    done = len(people) < limit
    tx.run(
        "UPDATE notices SET cursor = :cursor, spread_at = COALESCE(spread_at, :spread) WHERE id = :id",
        cursor="" if done else people[-1]["sub"],
        spread=tx.now() if done else None,
        id=notice.id,
    )
    return len(people)


def standing_notice(  # noqa: PLR0917  whose, and which notice
    tx: Transaction, vault: Vault, tenant_id: str, sub: str, kind: str, topic: str
) -> tags.Notice:
    """How the notice stands for one person, as decisions know it: none, waiting or clear. An objection is no part."""
    notice = find_notice(tx, vault, tenant_id, kind, topic)
    if notice is None or notice.withdrawn_at is not None:
        return tags.Notice.NONE
    row = tx.one("SELECT * FROM inbox_items WHERE notice_id = :id AND sub = :sub", id=notice.id, sub=sub)
    if row is None or not is_whole(tx, vault, "inbox_items", row):
        return tags.Notice.NONE
    return in_policy_words(window_of(row["posted_at"], row["closes_at"], row["effective_at"], tx.now()))


def _item(tx: Transaction, notice: Notice, sub: str) -> NewItem:
    closes_at = tx.now() + notice.window_ms if notice.window_ms else None
    effective_at = None if closes_at is None else max(closes_at, notice.effective_at)
    return NewItem(notice.tenant_id, sub, notice.kind, notice.topic, notice.id, closes_at, effective_at)


def _notice(row: Row | Mapping[str, Any]) -> Notice:
    return Notice(
        id=row["id"],
        tenant_id=row["tenant_id"],
        kind=row["kind"],
        topic=row["topic"],
        title=row["title"],
        paragraphs=tuple(json.loads(row["body"])),
        window_ms=row["window_ms"],
        effective_at=row["effective_at"],
        posted_at=row["posted_at"],
        spread_at=row["spread_at"],
        withdrawn_at=row["withdrawn_at"],
    )
