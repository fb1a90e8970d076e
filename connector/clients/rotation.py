"""Client secrets: 256 random bits, kept as a hash, several live at once so that they can be rotated."""

from __future__ import annotations

import hashlib
import hmac

from connector.clients.tenant_key import intact, tenant_key
from connector.model.errors import BadInput, NotFound
from connector.model.ids import new_id, new_secret
from connector.storage import Row, Transaction
from providers.secret import Secret
from vault import DataKey, Field, Vault

PREFIX = "gwcs_"  # lets secret scanners recognise one
MAX_LIVE = 5


def add_secret(tx: Transaction, key: DataKey, client_id: str) -> Secret:
    """A further secret for the client, valid until it is rotated out."""
    secret = Secret(new_secret(PREFIX))
    values = {
        "id": new_id("sec"),
        "client_id": client_id,
        "hash": hash_of(secret),
        "created_at": tx.now(),
        "expires_at": None,
    }
    tx.run(
        "INSERT INTO client_secrets (id, client_id, hash, created_at, expires_at, seal)"
        " VALUES (:id, :client_id, :hash, :created_at, :expires_at, :seal)",
        **values,
        seal=key.seal_row("client_secrets", _fields(values)),
    )
    return secret


def rotate_secret(tx: Transaction, vault: Vault, client_id: str, *, keep_previous_s: int = 0) -> Secret:
    """A new secret; those before it end at once, or `keep_previous_s` seconds from now.

    Raises:
        NotFound: there is no such client.
        BadInput: the client authenticates with a key, or too many secrets are live already.
    """
    client = tx.one("SELECT tenant_id, authentication FROM clients WHERE id = :id AND removed_at IS NULL", id=client_id)
    if client is None:
        raise NotFound("client", code="unknown_client")
    if client["authentication"] != "client_secret_basic":
        raise BadInput("no_secret", "This client authenticates with its own key; it has no secret to rotate.")
    key = tenant_key(tx, vault, client["tenant_id"])
    until = tx.now() + keep_previous_s * 1000
    live = _live(tx, client_id, tx.now())
    if keep_previous_s and len(live) >= MAX_LIVE:
        raise BadInput("too_many_secrets", f"{MAX_LIVE} secrets are live; rotate without keeping the previous ones.")
    for row in live:
        _end(tx, key, row, until, keep=keep_previous_s > 0)
    return add_secret(tx, key, client_id)


def is_secret_of(tx: Transaction, key: DataKey, client_id: str, presented: Secret) -> bool:
    """Whether the secret is one of the client's live ones. Every live one is compared, in constant time."""
    digest = hash_of(presented)
    found = False
    for row in _live(tx, client_id, tx.now()):
        same = hmac.compare_digest(bytes(row["hash"]), digest)
        found |= same and intact(key, "client_secrets", row["id"], _fields(row), row["seal"])
    return found


def hash_of(secret: Secret) -> bytes:
    """SHA-256. Enough for 256 random bits: there is nothing to guess from a dictionary."""
    return hashlib.sha256(secret.reveal().encode("utf-8", "surrogatepass")).digest()


def _live(tx: Transaction, client_id: str, now: int) -> list[Row]:
    return tx.all(
        "SELECT id, client_id, hash, created_at, expires_at, seal FROM client_secrets"
        " WHERE client_id = :client AND (expires_at IS NULL OR expires_at > :now) ORDER BY created_at, id",
        client=client_id,
        now=now,
    )


def _end(tx: Transaction, key: DataKey, row: Row, until: int, *, keep: bool) -> None:
    if not keep or not intact(key, "client_secrets", row["id"], _fields(row), row["seal"]):
        tx.run("DELETE FROM client_secrets WHERE id = :id", id=row["id"])
        return
    earlier = until if row["expires_at"] is None else min(until, row["expires_at"])
    values = {column: row[column] for column in ("id", "client_id", "hash", "created_at")} | {"expires_at": earlier}
    tx.run(
        "UPDATE client_secrets SET expires_at = :until, seal = :seal WHERE id = :id",
        id=row["id"],
        until=earlier,
        seal=key.seal_row("client_secrets", _fields(values)),
    )


def _fields(row: Row) -> list[Field]:
    return [row["id"], row["client_id"], bytes(row["hash"]), row["created_at"], row["expires_at"]]
