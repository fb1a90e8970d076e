"""The end of an upgrade: every row that an older version left without its seal gets one, and from then on must have it.

While nodes are upgraded one by one, what the version before writes cannot be told from what a writer of the database
writes, so its rows count as they stand. When the last of its processes is gone, an operator says so, once. A database
that this version made demands the seals from its first row on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from connector import people
from connector.model.ids import GATEWAY_TENANT
from connector.storage import Store, Transaction
from vault import Vault

BATCH = 500


@dataclass(frozen=True, slots=True)
class Sealed:
    """How many rows got a seal. `before`: it was demanded already, and nothing was done."""

    rows: int
    before: bool


def seals_demanded(tx: Transaction, vault: Vault) -> bool:
    """Whether a row without its seal is refused by now."""
    return vault.demands_seals(tx, GATEWAY_TENANT)


def seal_rows(store: Store, vault: Vault, tell: Callable[[int], None] = lambda _rows: None) -> Sealed:
    """Seal what has no seal, and demand it from then on. May be cut off and run again; twice changes nothing.

    Rows are taken for true as they stand: only when no older process works here any more. `tell` hears how many were
    sealed so far.

    Raises:
        DatabaseUnavailable: run it again.
    """
    with store.read() as tx:
        if seals_demanded(tx, vault):
            return Sealed(0, before=True)
    rows, after = 0, ""
    while True:
        with store.transaction() as tx:
            more, last = people.seal_users(tx, vault, after, BATCH)
            rows += more
            if last is None:
                vault.demand_seals(tx, GATEWAY_TENANT)
                return Sealed(rows, before=False)
        after = last
        tell(rows)
