"""Which claims about a person an app may learn: named by a scope, agreed to by the person, allowed by the policy.

The ID token and userinfo ask here, so that the two cannot say different things.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from connector.connections import Connection
from connector.flows.gateway import Gateway
from connector.flows.provider_terms import terms_of
from connector.model.tags import Category, Choice, Link, Notice, Source, Standing, Tags, Use
from connector.people import User
from connector.policy import Decision

_USES = (Use.of("collect", "us", "account"), Use.of("use", "us", "account"))


@dataclass(frozen=True, slots=True)
class ScopeClaims:
    """What a scope of OpenID Connect stands for (Core 1.0 section 5.4).

    Attributes:
        group: the field group of the consent to it: what the notice says that the app learns by the sign-in itself.
        category: the policy's category of these claims.
        names: the claims.
    """

    group: str
    category: Category
    names: tuple[str, ...]


SCOPES: Mapping[str, ScopeClaims] = {
    "profile": ScopeClaims(
        "claims_profile",
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
    "email": ScopeClaims("claims_email", Category.CONTACT, ("email", "email_verified")),
}
GROUPS: Mapping[str, ScopeClaims] = {each.group: each for each in SCOPES.values()}


def may_learn(
    gateway: Gateway,
    user: User,
    connection: Connection,
    claims: ScopeClaims,
    *,
    choice: Callable[[str], Choice],
    at: int,
) -> Decision:
    """May the app learn these claims of this account? The decision that refuses, else the one to use them.

    Args:
        choice: the choice on record about an import of this connection, by field group.
        at: the moment of use, ms since the epoch.
    """
    link = Link.REVOKED if connection.ended else Link.CONNECTED
    standing = Standing(user.account, link, _bearing(choice, claims), Notice.NONE)
    tags = Tags(claims.category, Source.IMPORTED, age=user.age)
    terms = terms_of(gateway.policy, connection, claims.category)
    decisions = [gateway.policy.decide(use, tags, standing, at, user.last_visit_at, terms) for use in _USES]
    return next((each for each in decisions if not each.allowed), decisions[-1])


def _bearing(choice: Callable[[str], Choice], claims: ScopeClaims) -> Choice:
    """Who took the import of their profile back took this back with it."""
    told, imported = choice(claims.group), choice("profile")
    return told if imported is Choice.NONE else max(told, imported, key=lambda word: word.rank)
