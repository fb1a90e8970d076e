"""What of a delivery may leave now. Taken in the transaction that writes the intent, under the connection's lock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connector import records
from connector.connections import Connection
from connector.flows.edit_profile import given_tags, key_finder, may_push
from connector.flows.gateway import Gateway
from connector.flows.standings import Ground
from connector.policy import Decision
from connector.records import Delivery, SealedValue, open_value
from connector.storage import Transaction
from vault import DataKey


@dataclass(frozen=True, slots=True)
class Chosen:
    """What may leave, still sealed.

    Attributes:
        decision: the allowing decision for all of it; None where nothing may leave.
        sealed: pointer → value and its key; None for what is to be cleared.
        refused: pointer → (clause, words).
        never_there: removed again before it was ever sent: the account's own value there is not ours to clear.
    """

    decision: Decision | None
    sealed: Mapping[str, tuple[SealedValue, DataKey] | None] = field(repr=False)
    refused: Mapping[str, tuple[str, str]]
    never_there: tuple[str, ...] = ()

    def opened(self) -> dict[str, Any]:
        """The plaintext. Called by `release` alone."""
        return {
            pointer: None if found is None else open_value(found[1], found[0]) for pointer, found in self.sealed.items()
        }


def choose(gateway: Gateway, tx: Transaction, ground: Ground, connection: Connection, row: Delivery) -> Chosen:
    """Decide for each pointer with the tags of the value that stands there now."""
    key_of = key_finder(gateway, tx)
    held = {value.pointer: value for value in records.given_values(tx, row.tenant_id, row.sub, row.pointers)}
    ours = records.written_before(tx, connection.id, row.field_group)
    never_there = tuple(pointer for pointer in row.pointers if pointer not in held and pointer not in ours)
    decision: Decision | None = None
    sealed: dict[str, tuple[SealedValue, DataKey] | None] = {}
    refused: dict[str, tuple[str, str]] = {}
    for pointer in row.pointers:
        if pointer in never_there:
            continue
        stored = held.get(pointer)
        tags = given_tags(ground, pointer) if stored is None else stored.tags
        found = may_push(gateway, ground, connection, row.field_group, tags)
        if not found.allowed:
            refused[pointer] = (found.clause, found.explanation)
            continue
        decision = found
        sealed[pointer] = None if stored is None else (stored, key_of(stored))
    return Chosen(decision, sealed, refused, never_there)
