"""Writing tokens: sealed under the connection's token key, bound to provider, place and generation."""

from __future__ import annotations

import json
from dataclasses import dataclass

from connector.model.ids import new_id
from connector.storage import Row, Transaction
from connector.tokens.spent import packed
from providers.secret import Secret
from vault import Address, DataKey, Owner

ACCESS = "connection_tokens.access"
REFRESH = "connection_tokens.refresh"
ORPHAN = "orphan_tokens.sealed"


@dataclass(frozen=True, slots=True)
class TokenOwner:
    """Whose tokens: enough of a connection to find the key and bind the place."""

    tenant_id: str
    connection_id: str
    provider: str

    @property
    def owner(self) -> Owner:
        """The key's owner."""
        return Owner(self.tenant_id, "connection_tokens", self.connection_id)

    def address(self, place: str) -> Address:
        """Where one of the tokens lives."""
        return Address(self.tenant_id, "connection_tokens", self.connection_id, self.provider, place)


def store(
    tx: Transaction,
    key: DataKey,
    whose: TokenOwner,
    *,
    access: Secret,
    refresh: Secret | None,
    token_type: str,
    generation: int,
    spent: tuple[str, ...] = (),
) -> None:
    """Store the tokens of a generation in the place of the one before. Same transaction as the connection's row.

    `spent`: marks of refresh tokens that this one replaced (see `spent.mark`).
    """
    tx.run(
        """INSERT INTO connection_tokens (connection_id, generation, access, refresh, token_type, landed_at)
           VALUES (:id, :generation, :access, :refresh, :token_type, :now)
           ON CONFLICT (connection_id) DO UPDATE SET generation = excluded.generation, access = excluded.access,
             refresh = excluded.refresh, token_type = excluded.token_type, landed_at = excluded.landed_at""",
        id=whose.connection_id,
        generation=generation,
        access=key.seal(whose.address(ACCESS), access.reveal().encode(), generation=generation),
        refresh=None
        if refresh is None
        else key.seal(whose.address(REFRESH), packed(refresh, spent), generation=generation),
        token_type=token_type,
        now=tx.now(),
    )


def drop(tx: Transaction, connection_id: str) -> None:
    """Delete a connection's sealed tokens and orphans; their key is destroyed by the caller."""
    tx.run("DELETE FROM connection_tokens WHERE connection_id = :id", id=connection_id)
    tx.run("DELETE FROM orphan_tokens WHERE connection_id = :id", id=connection_id)


def put_orphan(
    tx: Transaction,
    key: DataKey,
    whose: TokenOwner,
    *,
    access: Secret,
    refresh: Secret | None,
    generation: int,
    reason: str,
) -> str:
    """Keep an answer that must not land, sealed, until it is revoked at the provider. Returns its id."""
    orphan_id = new_id("orp")
    pair = {"access": access.reveal(), "refresh": None if refresh is None else refresh.reveal()}
    tx.run(
        """INSERT INTO orphan_tokens (id, connection_id, generation, sealed, reason, created_at)
           VALUES (:id, :connection, :generation, :sealed, :reason, :now)""",
        id=orphan_id,
        connection=whose.connection_id,
        generation=generation,
        sealed=key.seal(whose.address(f"{ORPHAN}/{orphan_id}"), json.dumps(pair).encode(), generation=generation),
        reason=reason,
        now=tx.now(),
    )
    return orphan_id


def orphans_of(tx: Transaction, key: DataKey, whose: TokenOwner) -> list[tuple[str, Secret, Secret | None]]:
    """Orphans that were not revoked yet: id, access token, refresh token."""
    rows = tx.all(
        "SELECT * FROM orphan_tokens WHERE connection_id = :id AND revoked_at IS NULL ORDER BY created_at, id",
        id=whose.connection_id,
    )
    return [_opened_orphan(key, whose, row) for row in rows]


def count_orphans(tx: Transaction, connection_id: str) -> int:
    """How many orphans wait to be revoked."""
    row = tx.one(
        "SELECT COUNT(*) AS n FROM orphan_tokens WHERE connection_id = :id AND revoked_at IS NULL", id=connection_id
    )
    return 0 if row is None else int(row["n"])


def settle_orphan(tx: Transaction, orphan_id: str) -> None:
    """The provider ended the orphan's grant: forget its tokens."""
    tx.run("DELETE FROM orphan_tokens WHERE id = :id", id=orphan_id)


def _opened_orphan(key: DataKey, whose: TokenOwner, row: Row) -> tuple[str, Secret, Secret | None]:
    address = whose.address(f"{ORPHAN}/{row['id']}")
    pair = json.loads(key.open(address, bytes(row["sealed"]), generation=row["generation"]))
    return row["id"], Secret(pair["access"]), None if pair["refresh"] is None else Secret(pair["refresh"])
