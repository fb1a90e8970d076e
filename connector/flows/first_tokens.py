"""Tokens that come with a person's own act, or are moved in: sealed beside the connection that they made."""

from __future__ import annotations

from connector import tokens
from connector.connections import Connection, Landed
from connector.storage import Transaction
from vault import Vault


def store_first(tx: Transaction, vault: Vault, connection: Connection, landed: Landed) -> None:
    """Seal them under the connection's token key, at the generation that its row names."""
    tokens.store(
        tx,
        vault.key(tx, connection.token_owner, connection.token_epoch),
        tokens.TokenOwner(connection.tenant_id, connection.id, connection.provider),
        access=landed.access,
        refresh=landed.refresh,
        token_type=landed.token_type,
        generation=connection.generation,
    )
