"""The states of things that live longer than a request, and the moves between them.

The connection's table is the only place that says which move is legal; the database holds the same list as a check.
"""

from __future__ import annotations

from enum import StrEnum


class ConnectionState(StrEnum):
    """Where a connection's grant stands."""

    ACTIVE = "active"  # tokens can be handed out
    REFRESHING = "refreshing"  # a claim holds the refresh; the current token is still served while it lives
    EXPIRED = "expired"  # the access token is over and no refresh succeeded yet
    NEEDS_REAUTH = "needs_reauth"  # only the person can bring it back
    REVOKED_BY_PROVIDER = "revoked_by_provider"  # the provider said so; the person may connect again
    REVOKED = "revoked"  # the person, app or operator ended it; never comes back
    SHREDDED = "shredded"  # keys destroyed; only the tombstone remains


class Ended(StrEnum):
    """Who ended a connection."""

    PERSON = "person"
    APP = "app"
    OPERATOR = "operator"
    PROVIDER = "provider"
    DELETION = "deletion"


ENDED_STATES = frozenset({ConnectionState.REVOKED_BY_PROVIDER, ConnectionState.REVOKED, ConnectionState.SHREDDED})
LIVE_STATES = frozenset(set(ConnectionState) - ENDED_STATES)

_S = ConnectionState
MOVES: dict[ConnectionState, frozenset[ConnectionState]] = {
    _S.ACTIVE: frozenset({_S.ACTIVE, _S.REFRESHING, _S.EXPIRED, _S.NEEDS_REAUTH, _S.REVOKED_BY_PROVIDER, _S.REVOKED}),
    _S.REFRESHING: frozenset(
        {_S.ACTIVE, _S.REFRESHING, _S.EXPIRED, _S.NEEDS_REAUTH, _S.REVOKED_BY_PROVIDER, _S.REVOKED}
    ),
    _S.EXPIRED: frozenset({_S.ACTIVE, _S.REFRESHING, _S.NEEDS_REAUTH, _S.REVOKED_BY_PROVIDER, _S.REVOKED}),
    _S.NEEDS_REAUTH: frozenset({_S.ACTIVE, _S.REVOKED_BY_PROVIDER, _S.REVOKED, _S.SHREDDED}),
    _S.REVOKED_BY_PROVIDER: frozenset({_S.REVOKED, _S.SHREDDED}),
    _S.REVOKED: frozenset({_S.SHREDDED}),
    _S.SHREDDED: frozenset(),
}


def may_move(old: ConnectionState, new: ConnectionState) -> bool:
    """Whether a connection may go from `old` to `new`."""
    return new in MOVES[old]


class AuthorizationState(StrEnum):
    """Where a sign-up, sign-in or linking flow stands. Each move happens once."""

    PUSHED = "pushed"  # request stored, browser not seen yet
    CHOOSING = "choosing"  # the person is on our page
    AT_PROVIDER = "at_provider"  # the browser went to the provider with our state
    HELD = "held"  # the provider's code is sealed here; our code went to the app
    REDEEMING = "redeeming"  # the app redeemed; the provider's code is being exchanged
    DONE = "done"
    FAILED = "failed"


class WorkState(StrEnum):
    """Where a piece of outward work stands (import, delivery, revocation)."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    DONE = "done"
    FAILED = "failed"
    CONFLICT = "conflict"
    REFUSED = "refused"
    VOID = "void"
    DEAD = "dead"
