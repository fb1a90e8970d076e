"""Whose terms a value comes under besides our own: its provider's, by the scopes that its connection was asked for."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from connector.connections import Connection
from connector.model.tags import Category
from connector.policy import OWN, Policy
from providers import catalogue


def terms_of(policy: Policy, connection: Connection, category: Category) -> str:
    """The name of the terms; `OWN` where there are none. A scope that was taken back binds what it brought."""
    return terms_under(policy, connection.provider, (*connection.granted_scopes, *connection.declined_scopes), category)


def terms_under(policy: Policy, provider: str, scopes: Iterable[str], category: Category) -> str:
    """The same from a provider and scopes. Terms that any version knows count: where one does not, it has its own."""
    return _found(policy, provider, tuple(scopes), category)


@lru_cache(maxsize=1024)
def _found(policy: Policy, provider: str, scopes: tuple[str, ...], category: Category) -> str:
    known = catalogue.entry(provider).scopes
    bringing = [scope for scope in scopes if scope in known and category.value in known[scope].imports]
    for version in policy.versions:
        terms = version.terms_for(provider, bringing)
        if terms != OWN:
            return terms
    return OWN
