"""The one read of the fresh path: connection, tokens, key and person in a single statement.

It is the only SQL here that looks at tables of other rooms, because a second statement would cost every caller of every
worker. It writes nothing and takes no lock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connector.storage import Read, Row, Transaction, read_of
from connector.tokens.rows import ACCESS, REFRESH, TokenOwner
from connector.tokens.spent import unpacked
from providers.capabilities import Grant
from providers.secret import Secret
from vault import DataKey, Owner, Vault

_HELD = """
SELECT c.*, t.access AS token_access, t.refresh AS token_refresh, t.token_type, t.landed_at,
       t.generation AS token_generation,
       k.tenant_key_id, k.wrapped,
       s.epoch AS seal_epoch, s.tenant_key_id AS seal_tenant_key_id, s.wrapped AS seal_wrapped,
       u.account, u.age, u.last_visit_at,
       u.tenant_id AS user_tenant_id, u.pseudonym AS user_pseudonym, u.created_at AS user_created_at,
       u.deleted_at AS user_deleted_at, u.stances AS user_stances, u.seal AS user_seal
FROM connections c
JOIN users u ON u.sub = c.sub
LEFT JOIN connection_tokens t ON t.connection_id = c.id
LEFT JOIN data_keys k ON k.owner_kind = 'connection_tokens' AND k.owner_id = c.id AND k.epoch = c.token_epoch
LEFT JOIN data_keys s ON s.owner_kind = 'tenant' AND s.owner_id = c.tenant_id
     AND s.epoch = (SELECT MAX(epoch) FROM data_keys WHERE owner_kind = 'tenant' AND owner_id = c.tenant_id)
WHERE c.id = :id AND c.tenant_id = :tenant
"""


@dataclass(frozen=True, slots=True, repr=False)
class Held:
    """What was read: the connection's row with its seal not yet checked, and the sealed tokens beside it."""

    row: Row

    @property
    def read(self) -> Read:
        """All that was read, wrapped keys included."""
        return read_of(self.row)

    @property
    def person(self) -> Row:
        """The row of the person whose it is, with its seal not yet checked."""
        row = self.row
        names = ("tenant_id", "pseudonym", "created_at", "deleted_at", "stances", "seal")
        beside = {name: row[name] for name in ("sub", "account", "age", "last_visit_at")}
        return beside | {name: row[f"user_{name}"] for name in names}

    @property
    def whose(self) -> TokenOwner:
        """Whose tokens they are."""
        return TokenOwner(self.row["tenant_id"], self.row["id"], self.row["provider"])


def held(tx: Transaction, tenant_id: str, connection_id: str) -> Held | None:
    """The tenant's connection with its sealed tokens, or None."""
    row = tx.one(_HELD, id=connection_id, tenant=tenant_id)
    if row is None:
        return None
    # sqlite3.Row looks a name up by going through all of them; of fifty columns nearly every one is asked for.
    return Held(row if isinstance(row, dict) else dict(zip(row.keys(), row, strict=True)))


def seal_key(tx: Transaction, vault: Vault, found: Held) -> DataKey:
    """The tenant's key, under which the connection's row is sealed; read in the same statement."""
    tenant_id = found.row["tenant_id"]
    wrapped = None if found.row["seal_wrapped"] is None else bytes(found.row["seal_wrapped"])
    owner = Owner(tenant_id, "tenant", tenant_id)
    return vault.unwrap(tx, owner, found.row["seal_epoch"], found.row["seal_tenant_key_id"], wrapped)


def opened_access(key: DataKey, found: Held) -> Secret:
    """The access token. Raises vault errors where the row and the token do not belong together."""
    return Secret(_open(key, found, ACCESS, "token_access").decode())


def is_held(key: DataKey, found: Held, access: Secret) -> bool:
    """Whether this very access token is the one that is stored."""
    return found.row["token_access"] is not None and opened_access(key, found) == access


def opened_grant(
    key: DataKey,
    found: Held,
    scopes: tuple[str, ...],
    account: Mapping[str, str] | None = None,
    *,
    now: int | None = None,
) -> Grant:
    """Both tokens, for whoever talks to the provider (refresh, import, push, revoke).

    `account`: `iss` and `sub` of whose they are, for adapters that compare. `now` (ms): to say how long the access
    token still lives, for adapters that must not send one that is over.
    """
    expires_at = found.row["expires_at"]
    return Grant(
        access_token=opened_access(key, found),
        refresh_token=None if found.row["token_refresh"] is None else _refresh(key, found)[0],
        token_type=found.row["token_type"],
        expires_in_s=None if now is None or expires_at is None else max(0, (expires_at - now) // 1000),
        scopes=scopes,
        id_claims=account or {},
    )


def spent_marks(key: DataKey, found: Held) -> tuple[str, ...]:
    """Marks of the refresh tokens that came before the one that is held, oldest first."""
    return () if found.row["token_refresh"] is None else _refresh(key, found)[1]


def token_key(tx: Transaction, vault: Vault, found: Held) -> DataKey:
    """The key of these tokens; no query while the tenant's key is in memory. Raises vault.KeyDestroyed."""
    row: Mapping[str, Any] = found.row
    wrapped = None if row["wrapped"] is None else bytes(row["wrapped"])
    return vault.unwrap(tx, found.whose.owner, row["token_epoch"], row["tenant_key_id"], wrapped)


def _refresh(key: DataKey, found: Held) -> tuple[Secret, tuple[str, ...]]:
    return unpacked(_open(key, found, REFRESH, "token_refresh"))


def _open(key: DataKey, found: Held, place: str, column: str) -> bytes:
    blob = bytes(found.row[column] or b"")
    return key.open(found.whose.address(place), blob, generation=found.row["generation"])
