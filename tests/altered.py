"""A person's row as the gateway itself would have written it: for tests of what follows from it."""

from __future__ import annotations

from typing import Any

from connector.people import users
from connector.storage import Store
from vault import Vault


def change_user(town: Any, **columns: str | int | None) -> None:
    """Write columns of the only user, sealed."""
    store: Store = town.gateway.store
    vault: Vault = town.gateway.vault
    with store.transaction() as tx:
        (row,) = tx.all("SELECT * FROM users")
        users.change(tx, vault, users.checked_user(tx, vault, row), **columns)
