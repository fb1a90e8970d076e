"""A worker asks for a provider's access token that lives for a while yet.

    caller and purpose known → one read → policy → fresh enough: ledger, release
                                                  → else refresh, and read again

The fresh path takes no lock and writes nothing to the connection. A token never leaves before its ledger entry is
committed, and never after the connection was revoked.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from connector import connections, people, tokens
from connector.clients import Client
from connector.connections import Connection, SealBroken
from connector.flows import refresh
from connector.flows.gateway import Gateway
from connector.flows.release import decided, refused, release
from connector.ledger import Entry, NoLongerTrue
from connector.model.errors import BadInput, Conflict, Forbidden, Gone, NotFound, TryLater
from connector.model.states import ConnectionState
from connector.model.tags import (
    Account,
    Action,
    Age,
    Category,
    Choice,
    Link,
    Notice,
    Purpose,
    Recipient,
    Source,
    Standing,
    Tags,
    Use,
)
from connector.policy import Decision
from connector.storage import Transaction, Verified
from connector.tokens import Held
from providers.secret import Secret
from vault import DataKey, KeySourceError, VaultError

DEFAULT_MIN_TTL_S = 60
MAX_SHARE_OF_LIFETIME = 0.8
_REVOKED = frozenset({ConnectionState.REVOKED, ConnectionState.REVOKED_BY_PROVIDER, ConnectionState.SHREDDED})
_USES = {purpose: Use(Action.USE, Recipient.US, purpose) for purpose in Purpose}
_TAGS = {age: Tags.credential(age) for age in Age}
_PUSH, _GIVEN = Use(Action.PUSH, Recipient.PROVIDER, Purpose.SYNC), Tags(Category.PROFILE, Source.GIVEN)
_verified: Verified[Connection] = Verified(2_048)
_CONNECTED = Standing(Account.OPEN, Link.CONNECTED, Choice.NONE, Notice.NONE)

_log = structlog.get_logger("fresh_token")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a caller asks for. `min_ttl_s`: how many seconds the token must still live; `scopes`: what it must reach."""

    connection_id: str
    purpose: Purpose
    min_ttl_s: int = DEFAULT_MIN_TTL_S
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Handed:
    """A token that left.

    Attributes:
        expires_in_s: None where the provider named no end.
        stale: it lives shorter than was asked, because the provider could not be reached.
    """

    access_token: Secret
    token_type: str
    expires_in_s: int | None
    scopes: tuple[str, ...]
    clause: str
    stale: bool = False


@dataclass(frozen=True, slots=True)
class _Read:
    """One look at the connection: checked row, sealed tokens, key, time, decision."""

    held: Held
    connection: Connection
    key: DataKey
    now: int
    decision: Decision


def fresh_token(gateway: Gateway, client: Client, wanted: Wanted) -> Handed:
    """The provider's access token of a connection, alive for at least `min_ttl_s`.

    Raises:
        NotFound: no such connection for this client (`unknown_connection`).
        Forbidden: the purpose was not granted to the client.
        RefusedByPolicy: the policy says no; carries the clause.
        Gone: revoked. Conflict: only the person can bring it back (`needs_reauth`).
        BadInput: a scope that was not granted (`invalid_scope`).
        TryLater: the provider is down and the token is over.
    """
    if wanted.purpose not in client.purposes:
        raise Forbidden("purpose_not_granted", f"This client was not granted the purpose {wanted.purpose}.")
    seen = _read(gateway, client, wanted)
    if not _fresh_enough(seen, wanted.min_ttl_s):
        problem = _refreshed(gateway, seen)
        seen = _read(gateway, client, wanted)
        if not _alive(seen):
            raise problem or _over(seen.connection)
    try:
        return _hand_out(gateway, client, wanted, seen)
    except NoLongerTrue:  # revoked or refreshed between the read and the commit: the second look says which
        return _hand_out(gateway, client, wanted, _read(gateway, client, wanted))


def _read(gateway: Gateway, client: Client, wanted: Wanted) -> _Read:
    with _damage_of(wanted.connection_id), gateway.store.read() as tx:
        held = tokens.held(tx, client.tenant_id, wanted.connection_id)
        if held is None or (client.integrations and held.row["integration_id"] not in client.integrations):
            raise NotFound("connection", code="unknown_connection")
        read = held.read
        connection = _verified.get(read) or _verified.put(read, _checked(gateway, tx, held))
        now = tx.now()
        refuse_ended(connection, now)
        standing = (
            _CONNECTED
            if held.row["account"] == Account.OPEN
            else Standing(Account(held.row["account"]), Link.CONNECTED, Choice.NONE, Notice.NONE)
        )
        decision = decided(
            gateway.policy,
            _USES[wanted.purpose],
            _TAGS[Age(held.row["age"])],
            standing,
            at=now,
            bound_at=held.row["last_visit_at"],
        )
        if wanted.purpose is Purpose.SYNC and connections.is_unconfirmed(tx, gateway.vault, connection.id):
            raise refused(gateway.policy.decide(_PUSH, _GIVEN, _CONNECTED, now, held.row["last_visit_at"]))
        missing = [scope for scope in wanted.scopes if scope not in connection.granted_scopes]
        if missing:
            raise BadInput("invalid_scope", "The connection does not hold every scope that was asked for.")
        return _Read(held, connection, tokens.token_key(tx, gateway.vault, held), now, decision)


def _checked(gateway: Gateway, tx: Transaction, held: Held) -> Connection:
    key = tokens.seal_key(tx, gateway.vault, held)
    people.checked_user(tx, gateway.vault, held.person, key)
    return connections.checked(held.row, key)


@contextmanager
def _damage_of(connection_id: str) -> Iterator[None]:
    """What the vault does not open was moved, put back or altered: it is logged, and not served."""
    try:
        yield
    except KeySourceError:  # no damage: who keeps the keys does not answer, or refuses
        raise
    except VaultError as error:
        _log.error("vault.token_unreadable", connection=connection_id, error=type(error).__name__)
        raise SealBroken("connection_tokens", connection_id) from error


def refuse_ended(connection: Connection, now: int) -> None:
    """Raise where the connection hands out nothing: Gone (revoked) or Conflict (needs_reauth)."""
    if connection.state in _REVOKED:
        raise Gone(
            "revoked",
            "This connection was revoked; it hands out nothing any more. Send the person through /oauth/authorize "
            "if they want to connect again.",
        )
    if connection.state is ConnectionState.NEEDS_REAUTH or (connection.reauth_by or now + 1) <= now:
        raise needs_reauth(connection.reason or "data_access_over")


def needs_reauth(reason: str) -> Conflict:
    """The error for what only the person can mend."""
    return Conflict(
        "needs_reauth",
        "Only the person can bring this connection back: push an authorization request with connection=<id> "
        "and send them there.",
        detail=reason,
    )


def _fresh_enough(seen: _Read, min_ttl_s: int) -> bool:
    expires_at = seen.connection.expires_at
    if expires_at is None:
        return True
    lifetime_s = seen.connection.lifetime_s or 0
    needed_s = min(min_ttl_s, int(MAX_SHARE_OF_LIFETIME * lifetime_s))
    return expires_at - seen.now > needed_s * 1000


def _alive(seen: _Read) -> bool:
    expires_at = seen.connection.expires_at
    return expires_at is None or expires_at > seen.now


def _refreshed(gateway: Gateway, seen: _Read) -> TryLater | None:
    """Refresh, or say why not. While the current token lives, a provider that is down is no reason to refuse."""
    if not seen.connection.can_refresh:
        return None
    try:
        refresh.refresh_now(gateway, seen.connection)
    except TryLater as problem:
        return problem
    return None


def _over(connection: Connection) -> Exception:
    if not connection.can_refresh:
        return needs_reauth("expired")
    return TryLater("The token is being refreshed; ask again.", retry_after_s=2, code="refresh_under_way")


def _hand_out(gateway: Gateway, client: Client, wanted: Wanted, seen: _Read) -> Handed:
    connection = seen.connection
    entry = Entry(
        "token_handout",
        connection.tenant_id,
        connection.pseudonym,
        {
            "connection": connection.id,
            "generation": connection.generation,
            "client": client.id,
            "purpose": wanted.purpose.value,
            "clause": seen.decision.clause,
            "policy_version": seen.decision.version,
            "expires_at": connection.expires_at,
        },
    )
    with _damage_of(connection.id):
        token = release(
            seen.decision,
            record=lambda: gateway.handouts.record(entry, (connection.id, connection.generation)),
            opened=lambda: tokens.opened_access(seen.key, seen.held),
        )
    expires_at = connection.expires_at
    return Handed(
        access_token=token,
        token_type=seen.held.row["token_type"],
        expires_in_s=None if expires_at is None else (expires_at - seen.now) // 1000,
        scopes=connection.granted_scopes,
        clause=seen.decision.clause,
        stale=not _fresh_enough(seen, wanted.min_ttl_s),
    )
