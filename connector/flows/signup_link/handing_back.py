"""A grant that must not stay: its tokens are sealed and its revocation queued, where no live connection shares it."""

from __future__ import annotations

from connector import connections, people, tokens
from connector.authorizations import Authorization
from connector.flows.gateway import Gateway
from connector.flows.integrations import Integrated
from connector.model.ids import new_id, new_secret
from connector.people import NewIdentity
from connector.storage import Transaction
from providers.capabilities import Grant, Revokes
from vault import Owner

DEADLINE_S = 24 * 3600


def hand_back(
    gateway: Gateway,
    tx: Transaction,
    authorization: Authorization,
    whole: Integrated,
    grant: Grant,
    *,
    named: NewIdentity | None,
    reason: str,
) -> bool:
    """Queue the revocation of a grant that came to nothing. False where it must stay, or the provider has no way.

    The tokens lie as an orphan under a key of their own, with an id that no connection has; whoever carries out the
    revocation destroys it. `named` None: whose account it is was never learned.
    """
    if not isinstance(whole.adapter, Revokes) or not _ends_nothing_else(gateway, tx, whole, named, reason):
        return False
    stand_in = new_id("con")
    key = gateway.vault.create_key(tx, Owner(authorization.tenant_id, "connection_tokens", stand_in))
    tokens.put_orphan(
        tx,
        key,
        tokens.TokenOwner(authorization.tenant_id, stand_in, whole.entry.name),
        access=grant.access_token,
        refresh=grant.refresh_token,
        generation=1,
        reason=reason,
    )
    now = tx.now()
    tx.run(
        """INSERT INTO revocations (id, tenant_id, sub, connection_id, integration_id, asked_by, reason, state, next_at,
             deadline_at, data_key_due_at, data_key_destroyed_at, code, created_at)
           VALUES (:id, :tenant, '', :stand_in, :integration, 'system', :reason, 'queued', :now,
             :deadline, :now, :now, :code, :now)""",
        id=new_id("rvk"),
        tenant=authorization.tenant_id,
        stand_in=stand_in,
        integration=whole.integration.id,
        reason=reason,
        now=now,
        deadline=now + DEADLINE_S * 1000,
        code=new_secret(),
    )
    return True


def _ends_nothing_else(
    gateway: Gateway, tx: Transaction, whole: Integrated, named: NewIdentity | None, reason: str
) -> bool:
    """Whether revoking ends nothing that somebody still uses. A child's grant ends in any case."""
    if reason == "under_age" or whole.entry.revocation_scope == "token":
        return True
    if named is None:
        return False
    identity = people.find_identity(tx, gateway.vault, whole.integration.tenant_id, named)
    return identity is None or connections.of_identity(tx, gateway.vault, identity.id) is None
