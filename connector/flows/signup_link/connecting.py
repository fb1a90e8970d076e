"""The connection of a sign-in: a new one, or the one that lives with new tokens. Nothing it has is lost by them."""

from __future__ import annotations

import random

from connector import connections, tokens
from connector.connections import Connection, Landed, NewConnection
from connector.flows.first_tokens import store_first
from connector.flows.signup_link.arrival import Arrival, Landing
from connector.ledger import Kind as EntryKind
from connector.model.ids import new_id
from connector.people import Identity, User
from providers.secret import Secret

_draw = random.SystemRandom().random


def connect(landing: Landing, user: User, identity: Identity) -> Connection:
    """The identity's live connection with the new tokens, or a new one."""
    held = connections.of_identity(landing.tx, landing.gateway.vault, identity.id)
    landed = _landed(landing.arrival)
    if held is None:
        connection = _establish(landing, user, identity, landed)
    else:
        connection, landed = _reland(landing, user, held, landed)
    store_first(landing.tx, landing.gateway.vault, connection, landed)
    return connection


def _landed(arrival: Arrival) -> Landed:
    facts = arrival.whole.entry.refresh
    landed = connections.landed_from(
        arrival.grant,
        asked=arrival.authorization.progress.scopes,
        sent_at=arrival.sent_at,
        refresh_model=facts.model,
        access_ttl_s=facts.access_ttl_s,
        refresh_idle_ttl_s=facts.refresh_idle_ttl_s,
        draw=_draw(),
    )
    connections.tell_odd_lifetime(landed, arrival.whole.integration.id)
    return landed


def _establish(landing: Landing, user: User, identity: Identity, landed: Landed) -> Connection:
    arrival = landing.arrival
    new = NewConnection(
        id=new_id("con"),
        tenant_id=user.tenant_id,
        sub=user.sub,
        pseudonym=user.pseudonym or "",
        identity_id=identity.id,
        integration_id=arrival.whole.integration.id,
        provider=arrival.whole.entry.name,
        issuer=arrival.account.issuer,
    )
    connection = connections.establish(landing.tx, landing.gateway.vault, new, landed, now=landing.tx.now())
    landing.note(
        user,
        EntryKind.CONNECTION_CREATED,
        {
            "connection": connection.id,
            "identity": identity.id,
            "generation": connection.generation,
            "imports": list(arrival.authorization.progress.imports),
        },
    )
    return connection


def _reland(landing: Landing, user: User, held: Connection, landed: Landed) -> tuple[Connection, Landed]:
    """New tokens for the connection that lives: nothing it has is lost by them."""
    tx, vault = landing.tx, landing.gateway.vault
    whole = connections.keep_what_is_wider(
        landed, held_refresh=_held_refresh(landing, held, landed), held_scopes=held.granted_scopes
    )
    connection = connections.reland(tx, vault, held, whole, now=tx.now(), authorized=True)
    landing.note(
        user,
        EntryKind.CONNECTION_REAUTHORIZED,
        {
            "connection": connection.id,
            "identity": connection.identity_id,
            "generation": connection.generation,
            "widened": not set(whole.granted_scopes) <= set(held.granted_scopes),
            "flow": landing.arrival.authorization.kind.value,
        },
    )
    return connection, whole


def _held_refresh(landing: Landing, held: Connection, landed: Landed) -> Secret | None:
    """The refresh token that is there, where the new answer brought none."""
    if landed.refresh is not None:
        return None
    found = tokens.held(landing.tx, held.tenant_id, held.id)
    if found is None or found.row["token_refresh"] is None:
        return None
    key = tokens.token_key(landing.tx, landing.gateway.vault, found)
    return tokens.opened_grant(key, found, held.granted_scopes).refresh_token
