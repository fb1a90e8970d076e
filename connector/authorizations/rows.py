"""Finding flows. What is found is opened and its seal checked; what was tampered with is as if it never was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import structlog

from connector.authorizations.authorization import TABLE, Authorization, Ended, Kind, address, decode, sealed_fields
from connector.authorizations.authorization import token_hash as _hash
from connector.model.states import AuthorizationState
from connector.storage import Transaction
from vault import KeySourceError, Owner, Vault, VaultError

_ENDED = (AuthorizationState.DONE.value, AuthorizationState.FAILED.value)
_log = structlog.get_logger(__name__)


def by_id(tx: Transaction, vault: Vault, authorization_id: str) -> Authorization | None:
    """The flow under way with this id; None where there is none, or it ended."""
    return _live(tx, vault, tx.one("SELECT * FROM authorizations WHERE id = :id", id=authorization_id))


def by_request_uri(tx: Transaction, vault: Vault, request_uri: str) -> Authorization | None:
    """The pushed request behind a `request_uri` (RFC 9126 section 2.2)."""
    row = tx.one("SELECT * FROM authorizations WHERE request_uri_hash = :hash", hash=_hash(request_uri))
    return _live(tx, vault, row)


def by_state(tx: Transaction, vault: Vault, state: str) -> Authorization | None:
    """The flow that sent the browser to a provider with this state."""
    row = tx.one("SELECT * FROM authorizations WHERE state_hash = :hash", hash=_hash(state))
    return _live(tx, vault, row)


def by_code(tx: Transaction, vault: Vault, code: str) -> Authorization | Ended | None:
    """The flow that this code of ours belongs to, ended or not; None for a code that never was."""
    row = tx.one("SELECT * FROM authorizations WHERE code_hash = :hash", hash=_hash(code))
    if row is not None and row["state"] in _ENDED:
        state = AuthorizationState(row["state"])
        return Ended(row["id"], row["tenant_id"], row["client_id"], state, row["failure"])
    return _live(tx, vault, row)


def overdue(tx: Transaction, vault: Vault, *, before: int, redeeming_before: int, limit: int) -> list[Authorization]:
    """Flows that nobody finished: over `before` (ms), or redeeming since long ago without landing."""
    rows = tx.all(
        f"""SELECT * FROM authorizations
            WHERE (state IN ('pushed', 'choosing', 'at_provider', 'held') AND expires_at <= :before)
               OR (state = 'redeeming' AND intent_at <= :redeeming_before)
            ORDER BY expires_at LIMIT :limit {tx.skip_locked}""",
        before=before,
        redeeming_before=redeeming_before,
        limit=limit,
    )
    opened = [_live(tx, vault, row) for row in rows]
    return [each for each in opened if each is not None]


def forget_ended(tx: Transaction, *, before: int, limit: int) -> int:
    """Drop what is left of flows that ended before (ms); how many."""
    return tx.run(
        """DELETE FROM authorizations WHERE id IN (
             SELECT id FROM authorizations WHERE state IN ('done', 'failed') AND ended_at <= :before LIMIT :limit)""",
        before=before,
        limit=limit,
    )


def of_person(tx: Transaction, tenant_id: str, sub: str) -> list[dict[str, Any]]:
    """What is still known of flows that ended for a person: which, how, and when (ms). Nothing sealed is opened."""
    rows = tx.all(
        """SELECT id, client_id, integration_id, kind, state, connection_id, failure, created_at, ended_at
           FROM authorizations WHERE tenant_id = :tenant AND sub = :sub ORDER BY created_at, id""",
        tenant=tenant_id,
        sub=sub,
    )
    return [dict(row) for row in rows]


def forget_person(tx: Transaction, vault: Vault, tenant_id: str, sub: str) -> int:
    """Drop every flow that ended for a person, and its key; how many."""
    rows = tx.all(
        "DELETE FROM authorizations WHERE tenant_id = :tenant AND sub = :sub RETURNING id", tenant=tenant_id, sub=sub
    )
    for row in rows:
        vault.destroy(tx, Owner(tenant_id, "flow", row["id"]))
    return len(rows)


def from_row(row: Mapping[str, Any], document: Mapping[str, Any]) -> Authorization:
    """The value of a row and of its opened column."""
    request, progress = decode(document)
    return Authorization(
        id=row["id"],
        tenant_id=row["tenant_id"],
        client_id=row["client_id"],
        integration_id=row["integration_id"],
        kind=Kind(row["kind"]),
        state=AuthorizationState(row["state"]),
        generation=row["generation"],
        browser_hash=None if row["browser_hash"] is None else bytes(row["browser_hash"]),
        redeemer=row["redeemer"],
        intent_at=row["intent_at"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        request=request,
        progress=progress,
    )


def _live(tx: Transaction, vault: Vault, row: Mapping[str, Any] | None) -> Authorization | None:
    if row is None or row["state"] in _ENDED:
        return None
    try:
        key = vault.key(tx, Owner(row["tenant_id"], "flow", row["id"]))
        key.check_row(TABLE, sealed_fields(row), row["seal"])
        opened = key.open(address(row["tenant_id"], row["id"]), row["sealed"], generation=row["generation"])
    except KeySourceError:
        raise  # the key service is out: nothing is wrong with the row
    except VaultError as error:
        _log.warning("vault.row_seal_broken", table=TABLE, id=row["id"], reason=type(error).__name__)
        return None
    return from_row(row, json.loads(opened))
