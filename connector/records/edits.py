"""What the person does to their own: typed values, notes on contacts, and contacts they delete.

The caller holds `cards.lock_person` by way of these functions; each writes the change feed in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from connector.model.tags import Tags
from connector.records.cards import Card, end_cards, find_card, lock_person, make_given_card
from connector.records.changes import Change, note_changes
from connector.records.given import Edit, merged
from connector.records.notes import NOTE_POINTER
from connector.records.reading import given_values, of_cards
from connector.records.values import (
    NewValue,
    Origin,
    SealedValue,
    delete,
    insert,
    open_value,
    sealed_row,
    unrevised,
    update,
)
from connector.storage import Transaction
from vault import DataKey


def edit_given(  # noqa: PLR0917  the person, the keys, what they typed and on what ground
    tx: Transaction,
    sub: str,
    key: DataKey,
    key_of: Callable[[SealedValue], DataKey],
    patch: Mapping[str, Any],
    stamped: Callable[[str], NewValue],
    kept_until: Callable[[Tags], int | None],
) -> Edit:
    """Merge a patch into what the person typed in; older values stay as dormant copies where that is allowed.

    Args:
        key: the person's newest key.
        key_of: the key that a stored value is under.
        stamped: pointer → a value with tags and origin, to be filled; raises where the policy refuses the pointer.
        kept_until: tags of an older copy → until when it is kept (ms); None drops it at once.

    Raises:
        BadInput: as `given.merged`; nothing is changed then.
    """
    lock_person(tx, sub)
    card = make_given_card(tx, key.owner.tenant, sub)
    held = {stored.pointer: stored for stored in given_values(tx, key.owner.tenant, sub)}
    before = {pointer: open_value(key_of(stored), stored) for pointer, stored in held.items()}
    edit = merged(before, patch)
    fresh = [_filled(stamped(pointer), value) for pointer, value in edit.changed.items()]
    now = tx.now()
    copies = [(held[pointer], before[pointer]) for pointer in edit.pointers if pointer in held]
    insert(tx, [row for each in copies if (row := _copy(key, sub, *each, kept_until, now)) is not None])
    insert(tx, [sealed_row(key, sub, card.id, new, 1, now) for new in fresh if new.pointer not in held])
    update(
        tx,
        [
            sealed_row(key, sub, card.id, new, held[new.pointer].generation + 1, now, held[new.pointer].id)
            for new in fresh
            if new.pointer in held
        ],
    )
    delete(tx, [held[pointer].id for pointer in edit.removed])
    note_changes(tx, [_change(card, new.pointer, "changed", new.tags.category.value) for new in fresh])
    note_changes(tx, [_change(card, gone, "removed", held[gone].tags.category.value) for gone in edit.removed])
    return edit


def put_note(tx: Transaction, card: Card, key: DataKey, text: str, stamp: tuple[Tags, Origin]) -> None:
    """The person's private note on a contact, in the place of the one before. The feed is not told: nobody may know."""
    lock_person(tx, card.sub)
    found = _note(tx, card)
    new = NewValue(NOTE_POINTER, {"note": text}, *stamp)
    if found is None:
        insert(tx, [sealed_row(key, card.sub, card.id, new, 1, tx.now())])
    else:
        update(tx, [sealed_row(key, card.sub, card.id, new, found.generation + 1, tx.now(), found.id)])


def remove_note(tx: Transaction, card: Card) -> bool:
    """Whether there was a note to remove."""
    lock_person(tx, card.sub)
    found = _note(tx, card)
    delete(tx, [] if found is None else [found.id])
    return found is not None


def remove_contact(tx: Transaction, tenant_id: str, sub: str, card_id: str) -> Card | None:
    """The person deletes a contact: values and note go, and no import brings it back. None where there is none."""
    lock_person(tx, sub)
    card = find_card(tx, tenant_id, sub, card_id, kind="contact")
    if card is None:
        return None
    tx.run("DELETE FROM records WHERE card_id = :card", card=card.id)
    end_cards(tx, [card.id], "person")
    note_changes(tx, [_change(card, "", "card_removed", "people")])
    return card


def _note(tx: Transaction, card: Card) -> SealedValue | None:
    return next((value for value in of_cards(tx, [card.id], notes=True) if value.pointer == NOTE_POINTER), None)


def _filled(stamp: NewValue, value: Any) -> NewValue:
    return NewValue(stamp.pointer, value, stamp.tags, stamp.origin, stamp.expires_at)


def _copy(  # noqa: PLR0917  one value, and until when
    key: DataKey, sub: str, old: SealedValue, value: Any, kept_until: Callable[[Tags], int | None], now: int
) -> dict[str, Any] | None:
    tags = unrevised(old)
    until = kept_until(tags)
    if until is None:
        return None
    row = sealed_row(key, sub, old.card_id, NewValue(old.pointer, value, tags, old.origin, until), 1, now)
    return row | {"collected_at": old.collected_at}


def _change(card: Card, pointer: str, kind: str, category: str) -> Change:
    return Change(card.tenant_id, card.sub, card.id, pointer, card.connection_id, kind, category)
