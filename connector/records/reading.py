"""Which values there are, still sealed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from connector.records.cards import Card, card_from
from connector.records.values import SealedValue, stored_from
from connector.storage import Row, Transaction

_IN_ONE_QUERY = 500


def of_person(
    tx: Transaction, tenant_id: str, sub: str, *, kind: str, after: str = "", limit: int = 1_000_000
) -> list[Card]:
    """A person's cards of a kind that were not deleted, by id."""
    rows = tx.all(
        """SELECT * FROM cards WHERE tenant_id = :tenant AND sub = :sub AND kind = :kind AND deleted_at IS NULL
             AND id > :after ORDER BY id LIMIT :limit""",
        tenant=tenant_id,
        sub=sub,
        kind=kind,
        after=after,
        limit=limit,
    )
    return [card_from(row) for row in rows]


def of_cards(
    tx: Transaction, card_ids: Iterable[str], *, unrevised: bool = False, notes: bool = False
) -> list[SealedValue]:
    """The values of cards, by card and pointer. Older copies and private notes only where they are asked for."""
    ids = list(card_ids)
    rows: list[Row] = []
    for start in range(0, len(ids), _IN_ONE_QUERY):
        names = {f"c{number}": one for number, one in enumerate(ids[start : start + _IN_ONE_QUERY])}
        rows += tx.all(
            f"""SELECT * FROM records WHERE card_id IN ({", ".join(":" + name for name in names)})
                  AND (:unrevised = 1 OR revision = 'current') AND (:notes = 1 OR category <> 'note')
                ORDER BY card_id, pointer, collected_at DESC, id""",
            unrevised=int(unrevised),
            notes=int(notes),
            **names,
        )
    return stored_from(rows)


def all_of(tx: Transaction, tenant_id: str, sub: str) -> list[SealedValue]:
    """Every value of a person, older copies and private notes included, whatever became of its card: for its owner."""
    rows = tx.all(
        """SELECT * FROM records WHERE tenant_id = :tenant AND sub = :sub
           ORDER BY card_id, pointer, collected_at DESC, id""",
        tenant=tenant_id,
        sub=sub,
    )
    return stored_from(rows)


def given_values(tx: Transaction, tenant_id: str, sub: str, pointers: Sequence[str] | None = None) -> list[SealedValue]:
    """What the person typed in about themselves, current; of these pointers or all."""
    rows = tx.all(
        """SELECT r.* FROM records r JOIN cards c ON c.id = r.card_id
           WHERE c.tenant_id = :tenant AND c.sub = :sub AND c.kind = 'self' AND c.connection_id IS NULL
             AND r.revision = 'current' AND r.category <> 'note' ORDER BY r.pointer""",
        tenant=tenant_id,
        sub=sub,
    )
    found = stored_from(rows)
    return found if pointers is None else [value for value in found if value.pointer in pointers]
