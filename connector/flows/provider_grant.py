"""Our own workers' way to a provider: the connection, its tokens fresh enough for a few calls, and the adapter."""

from __future__ import annotations

from dataclasses import dataclass

from connector import connections, people, tokens
from connector.connections import Connection
from connector.flows import refresh
from connector.flows.fresh_token import needs_reauth, refuse_ended
from connector.flows.gateway import Gateway
from connector.flows.integrations import Integrated, integrated
from connector.model.errors import NotFound, TryLater
from providers.capabilities import Grant

ENOUGH_S = 120
ENOUGH_SHARE = 0.5
TOO_SOON_MS = 60_000


@dataclass(frozen=True, slots=True)
class ProviderGrant:
    """What a call to the provider needs. Good for this piece of work only; never stored."""

    connection: Connection
    grant: Grant
    whole: Integrated
    account: str  # the person's account with us: open or deleted
    age: str
    last_visit_at: int


def grant_for(gateway: Gateway, tenant_id: str, connection_id: str) -> ProviderGrant:
    """The grant of a live connection, refreshed where it would end during the work.

    Raises:
        NotFound, Gone (revoked), Conflict (needs_reauth), TryLater: as `fresh_token`.
    """
    found = _read(gateway, tenant_id, connection_id)
    if _ends_soon(gateway, found.connection) and found.connection.can_refresh:
        refresh.refresh_now(gateway, found.connection)
        found = _read(gateway, tenant_id, connection_id)
    expires_at = found.connection.expires_at
    if expires_at is not None and expires_at <= gateway.clock.now():
        raise needs_reauth("expired")
    return found


def renewed_after_refusal(gateway: Gateway, refused: ProviderGrant) -> ProviderGrant:
    """After the provider answered 401: one refresh, and only if the tokens are still those that were refused.

    Raises:
        TryLater: those came a moment ago. Else as `grant_for`.
    """
    current = _read(gateway, refused.connection.tenant_id, refused.connection.id)
    if current.connection.generation != refused.connection.generation:
        return current
    if not current.connection.can_refresh:
        raise needs_reauth("refused_by_provider")
    since_ms = gateway.clock.now() - (current.connection.refreshed_at or 0)
    if since_ms < TOO_SOON_MS:  # a token that is refused right after it came will not get better by another
        raise TryLater(
            "The provider refuses its own fresh token; ask again.",
            retry_after_s=-(-(TOO_SOON_MS - since_ms) // 1000),
            code="provider_unavailable",
        )
    refresh.refresh_now(gateway, current.connection)
    return _read(gateway, refused.connection.tenant_id, refused.connection.id)


def _read(gateway: Gateway, tenant_id: str, connection_id: str) -> ProviderGrant:
    with gateway.store.read() as tx:
        held = tokens.held(tx, tenant_id, connection_id)
        if held is None:
            raise NotFound("connection", code="unknown_connection")
        connection = connections.checked(held.row, tokens.seal_key(tx, gateway.vault, held))
        refuse_ended(connection, tx.now())
        account = people.account_claims(tx, gateway.vault, connection.identity_id)
        key = tokens.token_key(tx, gateway.vault, held)
        return ProviderGrant(
            connection=connection,
            grant=tokens.opened_grant(key, held, connection.granted_scopes, account, now=tx.now()),
            whole=integrated(gateway, tx, tenant_id, connection.integration_id),
            account=held.row["account"],
            age=held.row["age"],
            last_visit_at=held.row["last_visit_at"],
        )


def _ends_soon(gateway: Gateway, connection: Connection) -> bool:
    if connection.expires_at is None:
        return False
    needed_s = min(ENOUGH_S, ENOUGH_SHARE * (connection.lifetime_s or ENOUGH_S))
    return connection.expires_at - gateway.clock.now() < needed_s * 1000
