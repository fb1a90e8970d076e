"""A connection as a value, and the fields that its seal vouches for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connector.model.states import ENDED_STATES, ConnectionState
from vault import Owner
from vault.rowseal import Field

TABLE = "connections"


@dataclass(frozen=True, slots=True)
class Connection:
    """One row of `connections`, read and checked. Times in ms since the epoch; see the schema for each column."""

    id: str
    tenant_id: str
    sub: str
    pseudonym: str | None
    identity_id: str
    integration_id: str
    provider: str
    issuer: str
    state: ConnectionState
    state_since: int
    reason: str | None
    granted_scopes: tuple[str, ...]
    declined_scopes: tuple[str, ...]
    generation: int
    token_epoch: int
    data_epoch: int
    expires_at: int | None
    lifetime_s: int | None
    can_refresh: bool
    refresh_at: int | None
    refresh_expires_at: int | None
    reauth_by: int | None
    fence: int
    lease_owner: str | None
    lease_until: int | None
    intent_at: int | None
    next_attempt_at: int
    attempts: int
    created_at: int
    authorized_at: int
    refreshed_at: int | None
    revoked_at: int | None
    ended_by: str | None
    import_at: int | None

    @property
    def ended(self) -> bool:
        """Whether the grant is over for good, as far as this connection goes."""
        return self.state in ENDED_STATES

    @property
    def token_owner(self) -> Owner:
        """Whose key the tokens are under."""
        return Owner(self.tenant_id, "connection_tokens", self.id)

    @property
    def data_owner(self) -> Owner:
        """Whose key the imported values are under."""
        return Owner(self.tenant_id, "connection_data", self.id)


@dataclass(frozen=True, slots=True)
class NewConnection:
    """What a connection is before its tokens land. `id` is made by the caller, so that keys and rows agree on it."""

    id: str
    tenant_id: str
    sub: str
    pseudonym: str
    identity_id: str
    integration_id: str
    provider: str
    issuer: str


def from_row(row: Mapping[str, Any]) -> Connection:
    """The value of a row; the seal is the caller's to check."""
    return Connection(
        id=row["id"],
        tenant_id=row["tenant_id"],
        sub=row["sub"],
        pseudonym=row["pseudonym"],
        identity_id=row["identity_id"],
        integration_id=row["integration_id"],
        provider=row["provider"],
        issuer=row["issuer"],
        state=ConnectionState(row["state"]),
        state_since=row["state_since"],
        reason=row["reason"],
        granted_scopes=tuple(json.loads(row["granted_scopes"])),
        declined_scopes=tuple(json.loads(row["declined_scopes"])),
        generation=row["generation"],
        token_epoch=row["token_epoch"],
        data_epoch=row["data_epoch"],
        expires_at=row["expires_at"],
        lifetime_s=row["lifetime_s"],
        can_refresh=bool(row["can_refresh"]),
        refresh_at=row["refresh_at"],
        refresh_expires_at=row["refresh_expires_at"],
        reauth_by=row["reauth_by"],
        fence=row["fence"],
        lease_owner=row["lease_owner"],
        lease_until=row["lease_until"],
        intent_at=row["intent_at"],
        next_attempt_at=row["next_attempt_at"],
        attempts=row["attempts"],
        created_at=row["created_at"],
        authorized_at=row["authorized_at"],
        refreshed_at=row["refreshed_at"],
        revoked_at=row["revoked_at"],
        ended_by=row["ended_by"],
        import_at=row["import_at"],
    )


def sealed_fields(row: Mapping[str, Any]) -> list[Field]:
    """What the seal vouches for: everything whose change would serve more, longer, elsewhere or to somebody else."""
    return [
        row["id"],
        row["tenant_id"],
        row["sub"],
        row["identity_id"],
        row["integration_id"],
        row["provider"],
        row["issuer"],
        row["state"],
        row["granted_scopes"],
        row["generation"],
        row["token_epoch"],
        row["data_epoch"],
        row["expires_at"],
        row["lifetime_s"],
        row["can_refresh"],
        row["reauth_by"],
        row["authorized_at"],
        row["revoked_at"],
    ]
