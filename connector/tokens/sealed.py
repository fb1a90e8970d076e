"""What this room keeps sealed, for whoever tries everything."""

from __future__ import annotations

from connector.storage import Row
from connector.tokens.rows import ACCESS, ORPHAN, REFRESH, TokenOwner
from vault import DataKey, epoch_of
from vault.verification import Keys, Place

_TOKENS = (
    "(SELECT t.*, c.tenant_id, c.provider, c.token_epoch, c.generation AS of_connection FROM connection_tokens t"
    " JOIN connections c ON c.id = t.connection_id) tokens_of_connections"
)
_ORPHANS = (
    "(SELECT o.*, c.tenant_id, c.provider FROM orphan_tokens o"
    " JOIN connections c ON c.id = o.connection_id) orphans_of_connections"
)


def _access(keys: Keys, row: Row) -> None:
    _key(keys, row).open(_whose(row).address(ACCESS), bytes(row["access"]), generation=row["of_connection"])


def _refresh(keys: Keys, row: Row) -> None:
    _key(keys, row).open(_whose(row).address(REFRESH), bytes(row["refresh"]), generation=row["of_connection"])


def _orphan(keys: Keys, row: Row) -> None:
    sealed, whose = bytes(row["sealed"]), _whose(row)
    key = keys.of(whose.owner, epoch_of(sealed))
    key.open(whose.address(f"{ORPHAN}/{row['id']}"), sealed, generation=row["generation"])


def _key(keys: Keys, row: Row) -> DataKey:
    return keys.of(_whose(row).owner, row["token_epoch"])


def _whose(row: Row) -> TokenOwner:
    return TokenOwner(row["tenant_id"], row["connection_id"], row["provider"])


SEALED = (
    Place(ACCESS, _TOKENS, ("connection_id",), _access),
    Place(REFRESH, _TOKENS, ("connection_id",), _refresh, "refresh IS NOT NULL"),
    Place(ORPHAN, _ORPHANS, ("id",), _orphan),
)
