"""Storing a page of imported cards: what changed is sealed anew, what did not is left alone.

An item is found again by the blind index of its provider's id, so a page that is read twice repeats nothing. A card
that its person deleted stays deleted, through whichever connection it comes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from connector.model.ids import new_id
from connector.records.cards import Card, card_from, end_cards, external_index, insert_cards, lock_person
from connector.records.changes import Change, note_changes
from connector.records.reading import of_cards
from connector.records.values import NewValue, SealedValue, delete, fingerprint, insert, sealed_row, update
from connector.storage import Row, Transaction
from vault import BlindIndex, DataKey, Vault

MAX_VALUES = 500  # of one card
_IN_ONE_QUERY = 500


@dataclass(frozen=True, slots=True)
class IncomingCard:
    """One item, sorted and allowed.

    Attributes:
        external_id: the provider's id; "" for the person's own profile.
        gone: why it is no longer there: provider or policy; "" where it is.
        keeps: which stored values stay although the item does not have them (not looked for, or unreadable this time).
    """

    external_id: str
    values: tuple[NewValue, ...] = field(default=(), repr=False)
    gone: str = ""
    keeps: Callable[[SealedValue], bool] = lambda _stored: False


@dataclass(frozen=True, slots=True)
class Tally:
    """What a page came to: cards touched, values taken, unchanged and removed, cards that stay deleted."""

    cards: int = 0
    taken: int = 0
    unchanged: int = 0
    removed: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Into:
    """Where a page goes: whose cards, of which kind, through which connection's key, seen in which run."""

    sub: str
    kind: str
    identity_id: str
    key: DataKey
    number: int

    @property
    def tenant_id(self) -> str:
        """The person's tenant."""
        return self.key.owner.tenant

    @property
    def connection_id(self) -> str:
        """The connection."""
        return self.key.owner.id


@dataclass(slots=True)
class _Work:
    """Rows to be written at the end, all at once."""

    inserts: list[dict[str, Any]] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    deletes: list[str] = field(default_factory=list)
    renewed: list[dict[str, Any]] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    ended: dict[str, list[str]] = field(default_factory=dict)
    unchanged: int = 0


def store_cards(tx: Transaction, vault: Vault, into: Into, items: Sequence[IncomingCard]) -> Tally:
    """Store a page in the caller's transaction."""
    indexes = vault.indexes(tx, into.tenant_id)  # held before the person: whoever changes them waits for nobody
    lock_person(tx, into.sub)
    listed = {external_index(indexes, into.identity_id, into.kind, item.external_id): item for item in items}
    rows = _cards_by_index(tx, into, list(listed))
    deleted_by_person = {index for index, row in rows.items() if row["deleted_by"] == "person"}
    cards = {index: card_from(row) for index, row in rows.items() if row["connection_id"] == into.connection_id}
    wanted = {index: item for index, item in listed.items() if index not in deleted_by_person}
    new = [
        (Card(new_id("crd"), into.tenant_id, into.sub, into.kind, into.connection_id, None, None), index)
        for index, item in wanted.items()
        if index not in cards and not item.gone
    ]
    insert_cards(tx, list(new), seen_in=into.number)
    cards |= {index: card for card, index in new}
    held = _held(tx, [cards[index].id for index in wanted if index in cards])
    work = _Work()
    for index, item in wanted.items():
        if index in cards:
            _sort(work, into, cards[index], item, held.get(cards[index].id, {}), tx.now())
    _write(tx, work)
    _touch(tx, into, [cards[index] for index, item in wanted.items() if index in cards and not item.gone])
    removed = sum(change.kind in {"removed", "card_removed"} for change in work.changes)
    taken = len(work.inserts) + len(work.updates)
    return Tally(len(wanted), taken, work.unchanged, removed, len(deleted_by_person))


def tombstone_unseen(tx: Transaction, into: Into) -> int:
    """A run that listed everything is over: what it did not list is gone at the provider. How many cards."""
    rows = tx.all(
        """SELECT * FROM cards WHERE connection_id = :connection AND kind = :kind AND deleted_at IS NULL
             AND (seen_in IS NULL OR seen_in <> :number)""",
        connection=into.connection_id,
        kind=into.kind,
        number=into.number,
    )
    work = _Work()
    for row in rows:
        _end(work, card_from(row), "provider", [])
        tx.run(
            "DELETE FROM records WHERE card_id = :card AND connection_id = :connection",
            card=row["id"],
            connection=into.connection_id,
        )
    _write(tx, work)
    return len(rows)


def _sort(  # noqa: PLR0917  one item against what is stored
    work: _Work, into: Into, card: Card, item: IncomingCard, held: Mapping[str, SealedValue], now: int
) -> None:
    if item.gone:
        if card.deleted_at is None:
            _end(work, card, item.gone, list(held.values()))
        return
    for new in item.values[:MAX_VALUES]:
        stored = held.get(new.pointer)
        if stored is not None and _same(into.key, stored, new):
            work.unchanged += 1
            work.renewed.append({"id": stored.id, "now": now, "expires": new.expires_at})
            continue
        if stored is None:
            work.inserts.append(sealed_row(into.key, into.sub, card.id, new, 1, now))
        else:
            work.updates.append(sealed_row(into.key, into.sub, card.id, new, stored.generation + 1, now, stored.id))
        work.changes.append(_change(card, new.pointer, "changed", new.tags.category.value))
    listed = {new.pointer for new in item.values}
    for pointer, stored in held.items():
        if pointer not in listed and not item.keeps(stored):
            work.deletes.append(stored.id)
            work.changes.append(_change(card, pointer, "removed", stored.tags.category.value))


def _same(key: DataKey, stored: SealedValue, new: NewValue) -> bool:
    """The same value under the same tags, from the same field, agreed to in the same record."""
    return (
        stored.tags == new.tags
        and stored.key_epoch == key.epoch
        and replace(stored.origin, policy_version="") == replace(new.origin, policy_version="")
        and stored.fingerprint == fingerprint(key, new.pointer, new.value)
    )


def _end(work: _Work, card: Card, by: str, held: list[SealedValue]) -> None:
    work.deletes += [stored.id for stored in held]
    work.ended.setdefault(by, []).append(card.id)
    work.changes.append(_change(card, "", "card_removed", "people" if card.kind == "contact" else "profile"))


def _write(tx: Transaction, work: _Work) -> None:
    insert(tx, work.inserts)
    update(tx, work.updates)
    delete(tx, work.deletes)
    tx.many("UPDATE records SET collected_at = :now, expires_at = :expires WHERE id = :id", work.renewed)
    for by, ids in work.ended.items():
        end_cards(tx, ids, by)
    note_changes(tx, work.changes)


def _touch(tx: Transaction, into: Into, cards: list[Card]) -> None:
    tx.many(
        """UPDATE cards SET seen_in = :number, updated_at = :now, deleted_at = NULL, deleted_by = NULL
           WHERE id = :id AND (deleted_by IS NULL OR deleted_by <> 'person')""",
        [{"id": card.id, "number": into.number, "now": tx.now()} for card in cards],
    )


def _cards_by_index(tx: Transaction, into: Into, indices: list[BlindIndex]) -> dict[BlindIndex, Row]:
    """The cards of this connection, and those of any that the person deleted."""
    found: dict[BlindIndex, Row] = {}
    for start in range(0, len(indices), _IN_ONE_QUERY):
        some = {stored: index for index in indices[start : start + _IN_ONE_QUERY] for stored in _either(index)}
        names = {f"x{number}": stored for number, stored in enumerate(some)}
        listed = ", ".join(":" + name for name in names)
        rows = tx.all(
            f"""SELECT * FROM cards WHERE tenant_id = :tenant AND sub = :sub AND kind = :kind
                  AND (connection_id = :connection OR deleted_by = 'person') AND external_index IN ({listed})""",
            tenant=into.tenant_id,
            sub=into.sub,
            kind=into.kind,
            connection=into.connection_id,
            **names,
        )
        for row in rows:
            index = some[bytes(row["external_index"])]
            if index not in found or row["deleted_by"] == "person":
                found[index] = row
    return found


def _either(index: BlindIndex) -> tuple[bytes, ...]:
    """What may be stored: while a newer key is brought in, a row holds the one or the other."""
    return (index.now,) if index.next is None else (index.now, index.next)


def _held(tx: Transaction, card_ids: list[str]) -> dict[str, dict[str, SealedValue]]:
    held: dict[str, dict[str, SealedValue]] = {}
    for stored in of_cards(tx, card_ids):
        if stored.imported_from is not None:
            held.setdefault(stored.card_id, {})[stored.pointer] = stored
    return held


def _change(card: Card, pointer: str, kind: str, category: str) -> Change:
    return Change(card.tenant_id, card.sub, card.id, pointer, card.connection_id, kind, category)
