"""Cards: the person's own, one per connection for what its account says of them, and one per contact."""

from __future__ import annotations

from dataclasses import dataclass

from connector.model.ids import new_id
from connector.storage import Row, Transaction
from vault import BlindIndex, Indexes

_LOCK = 4020214
EXTERNAL = "records.external"


@dataclass(frozen=True, slots=True)
class Card:
    """One card. `kind` is self or contact; `connection_id` None where the person typed it in."""

    id: str
    tenant_id: str
    sub: str
    kind: str
    connection_id: str | None
    deleted_at: int | None
    deleted_by: str | None


def lock_person(tx: Transaction, sub: str) -> None:
    """Be the only one who writes this person's cards until the transaction ends. On SQLite the transaction is that."""
    if tx.dialect == "postgresql":
        tx.all("SELECT pg_advisory_xact_lock(hashtextextended(:sub, :lock))", sub=sub, lock=_LOCK)


def find_card(tx: Transaction, tenant_id: str, sub: str, card_id: str, *, kind: str) -> Card | None:
    """The person's card, unless it was deleted."""
    row = tx.one(
        """SELECT * FROM cards WHERE id = :id AND tenant_id = :tenant AND sub = :sub AND kind = :kind
             AND deleted_at IS NULL""",
        id=card_id,
        tenant=tenant_id,
        sub=sub,
        kind=kind,
    )
    return None if row is None else card_from(row)


def given_card(tx: Transaction, tenant_id: str, sub: str) -> Card | None:
    """The card of what the person typed in about themselves."""
    row = tx.one(
        """SELECT * FROM cards WHERE tenant_id = :tenant AND sub = :sub AND kind = 'self' AND connection_id IS NULL""",
        tenant=tenant_id,
        sub=sub,
    )
    return None if row is None else card_from(row)


def make_given_card(tx: Transaction, tenant_id: str, sub: str) -> Card:
    """The same, made where it is not there yet. The caller holds `lock_person`."""
    found = given_card(tx, tenant_id, sub)
    if found is not None:
        return found
    card = Card(new_id("crd"), tenant_id, sub, "self", None, None, None)
    insert_cards(tx, [(card, None)], seen_in=None)
    return card


def insert_cards(tx: Transaction, cards: list[tuple[Card, BlindIndex | None]], *, seen_in: int | None) -> None:
    """New cards, each with the blind index of its id at the provider."""
    now = tx.now()
    tx.many(
        """INSERT INTO cards (id, tenant_id, sub, kind, connection_id, external_index, external_index_next, created_at,
                              updated_at, seen_in)
           VALUES (:id, :tenant, :sub, :kind, :connection, :external, :next, :now, :now, :seen_in)""",
        [
            {
                "id": card.id,
                "tenant": card.tenant_id,
                "sub": card.sub,
                "kind": card.kind,
                "connection": card.connection_id,
                "external": None if external is None else external.now,
                "next": None if external is None else external.next,
                "now": now,
                "seen_in": seen_in,
            }
            for card, external in cards
        ],
    )


def external_index(indexes: Indexes, identity_id: str, kind: str, external_id: str) -> BlindIndex:
    """What stands for a provider's own id of an item: equal for one account whichever connection reads it."""
    return indexes.of(EXTERNAL, identity_id.encode(), kind.encode(), external_id.encode())


def end_cards(tx: Transaction, card_ids: list[str], by: str) -> None:
    """Tombstones. `by`: person (never brought back), provider or policy."""
    tx.many(
        "UPDATE cards SET deleted_at = :now, deleted_by = :by, updated_at = :now WHERE id = :id",
        [{"id": one, "by": by, "now": tx.now()} for one in card_ids],
    )


def card_from(row: Row) -> Card:
    """The value of a row."""
    return Card(**{name: row[name] for name in Card.__dataclass_fields__})
