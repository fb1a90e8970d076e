"""Writing flows: each move names the state and generation it believes in, and happens once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import rfc8785

from connector.authorizations.authorization import (
    TABLE,
    Authorization,
    AuthorizationRequest,
    Kind,
    Progress,
    address,
    encode,
    sealed_fields,
    token_hash,
)
from connector.authorizations.rows import from_row
from connector.model.errors import Conflict
from connector.model.ids import new_id
from connector.model.states import AuthorizationState
from connector.storage import Transaction
from vault import DataKey, Owner, Vault

_S = AuthorizationState
MOVES: Mapping[AuthorizationState, frozenset[AuthorizationState]] = {
    _S.PUSHED: frozenset({_S.CHOOSING, _S.FAILED}),
    _S.CHOOSING: frozenset({_S.CHOOSING, _S.AT_PROVIDER, _S.FAILED}),
    _S.AT_PROVIDER: frozenset({_S.AT_PROVIDER, _S.HELD, _S.FAILED}),
    _S.HELD: frozenset({_S.REDEEMING, _S.FAILED}),
    _S.REDEEMING: frozenset({_S.DONE, _S.FAILED}),
}
_COLUMNS = (
    "integration_id",
    "state",
    "request_uri_hash",
    "browser_hash",
    "state_hash",
    "code_hash",
    "generation",
    "redeemer",
    "intent_at",
    "expires_at",
)


class MovedOn(Conflict):
    """The flow is no longer where the caller saw it: somebody was faster, or it ended."""

    def __init__(self, authorization_id: str) -> None:
        super().__init__(
            "flow_moved_on", "This sign-in went on elsewhere. Start it again from the app.", detail=authorization_id
        )


def start(
    tx: Transaction,
    vault: Vault,
    *,
    tenant_id: str,
    client_id: str,
    integration_id: str | None,
    kind: Kind,
    request: AuthorizationRequest,
    request_uri: str | None = None,
    lifetime_s: int,
) -> Authorization:
    """A flow begins: pushed where there is a `request_uri`, else on its way to our page."""
    now = tx.now()
    row: dict[str, Any] = {
        "id": new_id("azn"),
        "tenant_id": tenant_id,
        "client_id": client_id,
        "integration_id": integration_id,
        "kind": kind.value,
        "state": (_S.CHOOSING if request_uri is None else _S.PUSHED).value,
        "request_uri_hash": None if request_uri is None else token_hash(request_uri),
        "browser_hash": None,
        "state_hash": None,
        "code_hash": None,
        "generation": 1,
        "redeemer": None,
        "intent_at": None,
        "created_at": now,
        "expires_at": now + lifetime_s * 1000,
    }
    key = vault.create_key(tx, Owner(tenant_id, "flow", row["id"]))
    document = encode(request, Progress())
    tx.run(
        f"""INSERT INTO authorizations ({", ".join(row)}, sealed, seal)
            VALUES ({", ".join(":" + column for column in row)}, :sealed, :seal)""",
        **row,
        **_seals(key, row, document),
    )
    return from_row(row, document)


def arrive(
    tx: Transaction, vault: Vault, authorization: Authorization, *, browser: str, lifetime_s: int
) -> Authorization:
    """A browser came with the request: from here on only this browser goes on. Raises MovedOn for a second one."""
    return move(
        tx,
        vault,
        authorization,
        _S.CHOOSING,
        browser_hash=token_hash(browser),
        expires_at=tx.now() + lifetime_s * 1000,
    )


def move(
    tx: Transaction,
    vault: Vault,
    authorization: Authorization,
    state: AuthorizationState,
    *,
    progress: Progress | None = None,
    **columns: bytes | str | int | None,
) -> Authorization:
    """Bring a flow to `state`, with its progress and other columns, and seal it again under the next generation.

    Raises:
        MovedOn: state or generation moved on.
        ValueError: the move is not in the table of moves.
    """
    if state not in MOVES.get(authorization.state, frozenset()):
        raise ValueError(f"a flow does not go from {authorization.state} to {state}")
    stored = tx.one("SELECT * FROM authorizations WHERE id = :id", id=authorization.id)
    if stored is None or _moved(stored, authorization):
        raise MovedOn(authorization.id)
    row = {**stored, **columns, "state": state.value, "generation": authorization.generation + 1}
    document = encode(authorization.request, progress or authorization.progress)
    assignments = ", ".join(f"{column} = :{column}" for column in _COLUMNS)
    changed = tx.run(
        f"""UPDATE authorizations SET {assignments}, sealed = :sealed, seal = :seal
            WHERE id = :id AND state = :was_state AND generation = :was_generation""",
        id=authorization.id,
        was_state=authorization.state.value,
        was_generation=authorization.generation,
        **{column: row[column] for column in _COLUMNS},
        **_seals(vault.key(tx, authorization.owner), row, document),
    )
    if changed != 1:
        raise MovedOn(authorization.id)
    return from_row(row, document)


def end(
    tx: Transaction,
    vault: Vault,
    authorization: Authorization,
    *,
    failure: str | None = None,
    sub: str | None = None,
    connection_id: str | None = None,
    keep_key: bool = False,
) -> None:
    """The flow is over: what it held is gone, and its key destroyed. `failure` is a machine word without personal data.

    Args:
        keep_key: leave the key to whoever holds a token sealed under it, until that is revoked.

    Raises:
        MovedOn: state or generation moved on.
    """
    state = _S.DONE if failure is None else _S.FAILED
    if state not in MOVES.get(authorization.state, frozenset()):
        raise ValueError(f"a flow does not go from {authorization.state} to {state}")
    changed = tx.run(
        """UPDATE authorizations
           SET state = :state, failure = COALESCE(:failure, failure), sub = :sub, connection_id = :connection,
               ended_at = :now, sealed = :nothing, seal = :nothing, state_hash = NULL, request_uri_hash = NULL
           WHERE id = :id AND state = :was_state AND generation = :was_generation""",
        state=state.value,
        failure=failure,
        sub=sub,
        connection=connection_id,
        now=tx.now(),
        nothing=b"",
        id=authorization.id,
        was_state=authorization.state.value,
        was_generation=authorization.generation,
    )
    if changed != 1:
        raise MovedOn(authorization.id)
    if not keep_key:
        vault.destroy(tx, authorization.owner)


def mark_reused(tx: Transaction, authorization_id: str) -> None:
    """The code came a second time. Where its redemption is still under way, that one yields no token of ours either."""
    tx.run(
        "UPDATE authorizations SET failure = 'code_reused' WHERE id = :id AND state IN ('redeeming', 'done')",
        id=authorization_id,
    )


def was_reused(tx: Transaction, authorization_id: str) -> bool:
    """Whether the code came a second time while it was being redeemed."""
    lock = "FOR UPDATE" if tx.dialect == "postgresql" else ""
    row = tx.one(f"SELECT failure FROM authorizations WHERE id = :id {lock}", id=authorization_id)
    return row is not None and row["failure"] == "code_reused"


def _moved(stored: Mapping[str, Any], seen: Authorization) -> bool:
    return bool(stored["state"] != seen.state.value or stored["generation"] != seen.generation)


def _seals(key: DataKey, row: Mapping[str, Any], document: dict[str, Any]) -> dict[str, bytes]:
    place = address(row["tenant_id"], row["id"])
    sealed = key.seal(place, rfc8785.dumps(document), generation=row["generation"])
    return {"sealed": sealed, "seal": key.seal_row(TABLE, sealed_fields(row))}
