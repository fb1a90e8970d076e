"""Which claims of the account the app gets in the ID token: those that its scopes name and the policy allows."""

from __future__ import annotations

from functools import partial
from typing import Any

from connector.connections import Connection
from connector.consent import Direction
from connector.flows import choices
from connector.flows.person_claims import SCOPES, may_learn
from connector.flows.release import release
from connector.flows.signup_link.arrival import Landing
from connector.ledger import Kind as EntryKind
from connector.model.tags import Choice, Source
from connector.people import User
from connector.policy import Decision

_LONGEST = 2048


def allowed(landing: Landing, user: User, connection: Connection) -> dict[str, Any]:
    """The claims, each by a decision to take it in and to use it. What is handed over is in the ledger."""
    known = landing.arrival.account.claims
    found: dict[str, Any] = {}

    def choice(group: str) -> Choice:
        return choices.standing(landing.gateway, landing.tx, connection, Direction.IMPORT, group)

    for scope in landing.arrival.authorization.request.scopes:
        claims = SCOPES.get(scope)
        if claims is None:
            continue
        named = {name: known[name] for name in claims.names if _is_plain(known.get(name))}
        if not named:
            continue
        decision = may_learn(landing.gateway, user, connection, claims, choice=choice, at=landing.tx.now())
        if decision.allowed:  # it leaves when the transaction that holds the entry is committed
            found |= release(
                decision,
                record=partial(
                    _note, landing, user, connection, decision, category=claims.category.value, count=len(named)
                ),
                opened=named.copy,
            )
    return found


def _note(
    landing: Landing, user: User, connection: Connection, decision: Decision, *, category: str, count: int
) -> None:
    landing.note(
        user,
        EntryKind.RELEASE,
        {
            "use": "use",
            "recipient": "us",
            "purpose": "account",
            "clause": decision.clause,
            "policy_version": decision.version,
            "categories": [category],
            "sources": [Source.IMPORTED.value],
            "count": count,
            "connection": connection.id,
        },
    )


def _is_plain(value: object) -> bool:
    """Text, number or flag of a sensible size: nothing that a provider sends goes on unlooked-at."""
    if isinstance(value, str):
        return 0 < len(value) <= _LONGEST
    return isinstance(value, bool | int)
