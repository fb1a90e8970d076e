"""Our own access tokens: opaque references, kept as hashes, each row sealed.

A token says nothing by itself and is looked up with every request, so that revoking it, or its client, bites at once.
The seal covers all that a token grants: somebody who can write to the database cannot make one up or widen one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Literal

from connector.clients.clients import COLUMNS, Client, client_from, sealed_fields
from connector.clients.tenant_key import intact, owner_of, tenant_key
from connector.clients.words import from_text, to_text
from connector.model.errors import Unauthenticated
from connector.model.ids import new_secret
from connector.storage import Read, Row, Transaction, Verified, read_of
from providers.secret import Secret
from vault import Field, Vault

Kind = Literal["client", "person"]

PREFIX = "gwat_"  # lets secret scanners recognise one
LIFETIME_S = 3600
MAX_LENGTH = 128

# One statement: the token, its client and the tenant's newest data key.
_CALLER = (
    "SELECT t.hash, t.tenant_id, t.client_id, t.kind, t.sub, t.authorization_id, t.scopes, t.created_at, t.expires_at,"
    " t.seal,"
    f" {', '.join(f'c.{column} AS c_{column}' for column in COLUMNS)}, c.seal AS c_seal,"
    " k.epoch AS k_epoch, k.tenant_key_id AS k_tenant_key_id, k.wrapped AS k_wrapped"
    " FROM access_tokens t JOIN clients c ON c.id = t.client_id AND c.tenant_id = t.tenant_id"
    " JOIN data_keys k ON k.owner_kind = 'tenant' AND k.owner_id = t.tenant_id"
    " WHERE t.hash = :hash AND t.revoked_at IS NULL AND c.removed_at IS NULL"
    " ORDER BY k.epoch DESC LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, by an access token.

    Attributes:
        kind: client (its own API token) or person (from a sign-up, for userinfo).
        sub: the person, for kind person; else None.
        scopes: what token and client both have.
        authorization_id: the flow that the token came from, for kind person.
        created_at, expires_at: ms since the epoch.
    """

    client: Client
    kind: str
    sub: str | None
    scopes: frozenset[str]
    authorization_id: str | None
    created_at: int
    expires_at: int

    @property
    def tenant_id(self) -> str:
        """The tenant that everything the caller may see belongs to."""
        return self.client.tenant_id


def issue_access_token(
    tx: Transaction,
    vault: Vault,
    client: Client,
    *,
    kind: Kind,
    scopes: tuple[str, ...],
    sub: str | None = None,
    authorization_id: str | None = None,
    lifetime_s: int = LIFETIME_S,
) -> Secret:
    """A new token for the client, or for a person who signed up through it (`sub`). The caller shows it once."""
    token = Secret(new_secret(PREFIX))
    values = {
        "hash": _hash(token.reveal()),
        "tenant_id": client.tenant_id,
        "client_id": client.id,
        "kind": kind,
        "sub": sub,
        "authorization_id": authorization_id,
        "scopes": to_text(scopes),
        "created_at": tx.now(),
        "expires_at": tx.now() + lifetime_s * 1000,
    }
    tx.run(
        "INSERT INTO access_tokens"
        " (hash, tenant_id, client_id, kind, sub, authorization_id, scopes, created_at, expires_at, revoked_at, seal)"
        " VALUES (:hash, :tenant_id, :client_id, :kind, :sub, :authorization_id, :scopes, :created_at, :expires_at,"
        " NULL, :seal)",
        **values,
        seal=tenant_key(tx, vault, client.tenant_id).seal_row("access_tokens", _fields(values)),
    )
    return token


def caller_of(tx: Transaction, vault: Vault, bearer: str) -> Caller:
    """Who holds this access token. One statement.

    Raises:
        Unauthenticated: it is no token of ours, has expired, was revoked, its client was removed, or its row or the
            client's was altered. The answer is the same for all of them.
    """
    caller = access_token_of(tx, vault, bearer)
    if caller is None:
        raise Unauthenticated("invalid_token", "The access token is unknown, expired or revoked; get a new one.")
    return caller


def access_token_of(tx: Transaction, vault: Vault, token: str) -> Caller | None:
    """The same, None where there is no such live token."""
    if not token.startswith(PREFIX) or len(token) > MAX_LENGTH or not token.isascii():
        return None
    row = tx.one(_CALLER, hash=_hash(token))
    if row is None or row["expires_at"] <= tx.now():
        return None
    read = read_of(row)
    return _verified.get(read) or _verify(tx, vault, row, read)


def revoke_access_token(tx: Transaction, client: Client, token: str) -> bool:
    """End one token of this client (RFC 7009); whether there was one. Another client's is left alone."""
    if len(token) > MAX_LENGTH or not token.isascii():
        return False
    return bool(
        tx.run(
            "DELETE FROM access_tokens WHERE hash = :hash AND client_id = :client", hash=_hash(token), client=client.id
        )
    )


def revoke_access_tokens_from(tx: Transaction, authorization_id: str) -> int:
    """End every token that came from one authorization (its code was used twice); how many there were."""
    return tx.run("DELETE FROM access_tokens WHERE authorization_id = :id", id=authorization_id)


def access_tokens_of_user(tx: Transaction, tenant_id: str, sub: str) -> list[dict[str, Any]]:
    """Which apps hold tokens of ours that speak for a person, for what and until when (ms); never the tokens."""
    rows = tx.all(
        """SELECT client_id, kind, scopes, created_at, expires_at, revoked_at FROM access_tokens
           WHERE tenant_id = :tenant AND sub = :sub ORDER BY created_at""",
        tenant=tenant_id,
        sub=sub,
    )
    return [dict(row) for row in rows]


def revoke_access_tokens_of_user(tx: Transaction, tenant_id: str, sub: str) -> int:
    """End every token that speaks for a person; how many there were."""
    return tx.run("DELETE FROM access_tokens WHERE tenant_id = :tenant AND sub = :sub", tenant=tenant_id, sub=sub)


def _verify(tx: Transaction, vault: Vault, row: Row, read: Read) -> Caller | None:
    if not _is_intact(tx, vault, row):
        return None
    client = client_from(row, "c_")
    scopes = frozenset(from_text(row["scopes"])).intersection(client.scopes)
    caller = Caller(
        client, row["kind"], row["sub"], scopes, row["authorization_id"], row["created_at"], row["expires_at"]
    )
    return _verified.put(read, caller)


def _is_intact(tx: Transaction, vault: Vault, row: Row) -> bool:
    owner = owner_of(row["tenant_id"])
    key = vault.unwrap(tx, owner, row["k_epoch"], row["k_tenant_key_id"], row["k_wrapped"])
    return intact(key, "access_tokens", row["client_id"], _fields(row), row["seal"]) and intact(
        key, "clients", row["client_id"], sealed_fields(row, "c_"), row["c_seal"]
    )


_verified: Verified[Caller] = Verified(4_096)


def _fields(row: Row) -> list[Field]:
    return [
        bytes(row["hash"]),
        row["tenant_id"],
        row["client_id"],
        row["kind"],
        row["sub"],
        row["authorization_id"],
        row["scopes"],
        row["created_at"],
        row["expires_at"],
    ]


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
