"""Which claims of the account the app gets in the ID token: those that its scopes name and the policy allows."""

from __future__ import annotations

from typing import Any

from connector import consent
from connector.connections import Connection
from connector.consent import Direction
from connector.flows.signup_link.arrival import Landing
from connector.ledger import Kind as EntryKind
from connector.model.tags import Account, Category, Choice, Link, Notice, Source, Standing, Tags, Use
from connector.people import User

# OpenID Connect Core section 5.4, with the policy's category of each.
_OF_SCOPE = {
    "profile": (
        Category.PROFILE,
        (
            "name",
            "family_name",
            "given_name",
            "middle_name",
            "nickname",
            "preferred_username",
            "profile",
            "picture",
            "website",
            "gender",
            "birthdate",
            "zoneinfo",
            "locale",
            "updated_at",
        ),
    ),
    "email": (Category.CONTACT, ("email", "email_verified")),
}
_LONGEST = 2048


def allowed(landing: Landing, user: User, connection: Connection) -> dict[str, Any]:
    """The claims, each by a decision to take it in and to use it. What is handed over is in the ledger."""
    known = landing.arrival.account.claims
    found: dict[str, Any] = {}
    categories: list[str] = []
    for scope in landing.arrival.authorization.request.scopes:
        category, names = _OF_SCOPE.get(scope, (Category.PROFILE, ()))
        named = {name: known[name] for name in names if _is_plain(known.get(name))}
        if named and _may(landing, user, connection, category):
            found |= named
            categories.append(category.value)
    if categories:
        landing.note(
            user,
            EntryKind.RELEASE,
            {
                "use": "use",
                "recipient": "us",
                "purpose": "account",
                "categories": categories,
                "sources": [Source.IMPORTED.value],
                "count": len(found),
                "connection": connection.id,
            },
        )
    return found


def _may(landing: Landing, user: User, connection: Connection, category: Category) -> bool:
    tx, gateway = landing.tx, landing.gateway
    choice = consent.standing(tx, gateway.vault, connection.id, Direction.IMPORT, "profile")
    # The notice names what the app learns by the sign-in itself; only a withdrawal closes that again.
    standing = Standing(Account.OPEN, Link.CONNECTED, Choice.GIVEN if choice is Choice.NONE else choice, Notice.CLEAR)
    tags = Tags(category, Source.IMPORTED, age=user.age)
    uses = (Use.of("collect", "us", "account"), Use.of("use", "us", "account"))
    return all(gateway.policy.decide(use, tags, standing, tx.now(), user.last_visit_at).allowed for use in uses)


def _is_plain(value: object) -> bool:
    """Text, number or flag of a sensible size: nothing that a provider sends goes on unlooked-at."""
    if isinstance(value, str):
        return 0 < len(value) <= _LONGEST
    return isinstance(value, bool | int)
