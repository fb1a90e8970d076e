"""Requests that are made once however often they are sent: what was answered is kept for a day, sealed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from connector.clients.clients import Client
from connector.clients.tenant_key import owner_of, tenant_key
from connector.model.errors import BadInput, Conflict
from connector.storage import Row, Transaction
from vault import Address, Vault

KEPT_S = 24 * 3600
ABANDONED_AFTER_S = 300  # a process that was killed while it worked answers never
MAX_KEY = 255


class OtherRequest(BadInput):
    """The key was used for another request."""

    status = 422


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer given before: its status, and its bytes as the door packed them."""

    status: int
    answer: bytes


def begin_request(
    tx: Transaction, vault: Vault, client: Client, key: str, request: bytes, *, about: str | None = None
) -> Kept | None:
    """Take the key for this request, or hand out what it was answered before; None: go on, then `keep_answer`.

    `request` is all that makes the request what it is; only a keyed hash of it is stored. `about` is the user or the
    connection that it is about, for `forget_answers`.

    Raises:
        BadInput: the key is empty, too long or not printable ASCII.
        OtherRequest: the key was used with another request.
        Conflict: the first request is still running.
    """
    if not 0 < len(key) <= MAX_KEY or not key.isascii() or not key.isprintable():
        raise BadInput("bad_idempotency_key", f"Idempotency-Key needs 1 to {MAX_KEY} printable ASCII characters.")
    now = tx.now()
    digest = tenant_key(tx, vault, client.tenant_id).mac("idempotency", client.id.encode(), request)
    tx.run(
        "DELETE FROM idempotency_keys WHERE client_id = :client AND key = :key AND (expires_at <= :now"
        " OR (status IS NULL AND created_at <= :abandoned))",
        client=client.id,
        key=key,
        now=now,
        abandoned=now - ABANDONED_AFTER_S * 1000,
    )
    taken = tx.run(
        "INSERT INTO idempotency_keys (client_id, key, about, request_hash, status, answer, key_epoch, created_at,"
        " expires_at) VALUES (:client, :key, :about, :digest, NULL, NULL, NULL, :now, :until)"
        " ON CONFLICT (client_id, key) DO NOTHING",
        client=client.id,
        key=key,
        about=about,
        digest=digest,
        now=now,
        until=now + KEPT_S * 1000,
    )
    return None if taken else _answered(tx, vault, client, key, digest)


def keep_answer(tx: Transaction, vault: Vault, client: Client, key: str, kept: Kept) -> None:
    """Keep what the request was answered, for a day from its beginning."""
    sealing = tenant_key(tx, vault, client.tenant_id)
    tx.run(
        "UPDATE idempotency_keys SET status = :status, answer = :answer, key_epoch = :epoch"
        " WHERE client_id = :client AND key = :key",
        client=client.id,
        key=key,
        status=kept.status,
        answer=sealing.seal(_address(client.tenant_id, client.id, key), kept.answer, generation=kept.status),
        epoch=sealing.epoch,
    )


def forget_request(tx: Transaction, client: Client, key: str) -> None:
    """Free the key of a request that failed, so that it may be sent again."""
    tx.run("DELETE FROM idempotency_keys WHERE client_id = :client AND key = :key", client=client.id, key=key)


def answers_about(tx: Transaction, about: Sequence[str]) -> list[dict[str, Any]]:
    """Which answers about a user or a connection are kept for an app's repeated request, and until when (ms)."""
    found: list[dict[str, Any]] = []
    for one in about:
        rows = tx.all(
            "SELECT client_id, about, status, created_at, expires_at FROM idempotency_keys WHERE about = :about",
            about=one,
        )
        found += [dict(row) for row in rows]
    return found


def forget_answers(tx: Transaction, about: str) -> int:
    """Forget what was answered about a user or a connection; how many. A request that still runs keeps nothing."""
    return tx.run("DELETE FROM idempotency_keys WHERE about = :about", about=about)


def _answered(tx: Transaction, vault: Vault, client: Client, key: str, digest: bytes) -> Kept:
    row = tx.one(
        "SELECT request_hash, status, answer, key_epoch FROM idempotency_keys WHERE client_id = :client AND key = :key",
        client=client.id,
        key=key,
    )
    if row is None or (row["status"] is None and bytes(row["request_hash"]) == digest):
        raise Conflict(
            "request_running", "The first request with this Idempotency-Key is still running; try again later."
        )
    if bytes(row["request_hash"]) != digest:
        raise OtherRequest(
            "idempotency_key_reused",
            "This Idempotency-Key was used with another request; use a new key for a new request.",
        )
    return _opened(tx, vault, client, key, row)


def _opened(tx: Transaction, vault: Vault, client: Client, key: str, row: Row) -> Kept:
    sealing = vault.key(tx, owner_of(client.tenant_id), row["key_epoch"])
    address = _address(client.tenant_id, client.id, key)
    return Kept(row["status"], sealing.open(address, bytes(row["answer"]), generation=row["status"]))


def _address(tenant_id: str, client_id: str, key: str) -> Address:
    named = hashlib.sha256(key.encode()).hexdigest()
    return Address(tenant_id, "tenant", tenant_id, "", f"idempotency_keys.answer/{client_id}/{named}")
