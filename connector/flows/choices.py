"""Which choice counts now. One that was given under a version that opened less is stale: it has to be asked again."""

from __future__ import annotations

from collections.abc import Mapping

from connector import consent
from connector.connections import Connection
from connector.consent import Consent, Direction
from connector.flows.gateway import Gateway
from connector.flows.person_claims import GROUPS
from connector.flows.provider_terms import terms_of
from connector.model.tags import Category, Choice
from connector.policy.carried import carried_sha256, widened
from connector.storage import Transaction

IMPORTS: Mapping[str, frozenset[Category]] = {
    "profile": frozenset({Category.PROFILE, Category.CONTACT}),
    "contacts": frozenset({Category.PEOPLE}),
    **{group: frozenset({claims.category}) for group, claims in GROUPS.items()},
}
OF_PROFILE = frozenset({"name", "work", "about", "picture"})


def categories_of(direction: Direction, group: str) -> frozenset[Category]:
    """What a choice is about."""
    if direction is Direction.PUSH:
        return frozenset({Category.PROFILE if group in OF_PROFILE else Category.CONTACT})
    return IMPORTS.get(group, frozenset())


def choice_now(gateway: Gateway, given: Consent, connection: Connection | None, at: int) -> Choice:
    """The choice that counts at a moment (ms). Given under a version that nobody knows any more: stale."""
    version = gateway.policy.in_effect(at)
    if given.choice is not Choice.GIVEN or version is None or version.name == given.policy_version:
        return given.choice
    older = gateway.policy.known(given.policy_version)
    if older is None:
        return Choice.STALE
    if older.effective_at >= version.effective_at:
        return Choice.GIVEN
    for category in categories_of(given.direction, given.field_group):
        terms = "" if connection is None else terms_of(gateway.policy, connection, category)
        if widened(older, version, given.direction.value, frozenset({category}), terms):
            return Choice.STALE
    return Choice.GIVEN


def standing(gateway: Gateway, tx: Transaction, connection: Connection, direction: Direction, group: str) -> Choice:
    """The choice on one connection that counts now; none where nobody was asked."""
    for given in consent.of_connection(tx, gateway.vault, connection.id):
        if given.direction is direction and given.field_group == group:
            return choice_now(gateway, given, connection, tx.now())
    return Choice.NONE


def opened_by(gateway: Gateway, direction: str, categories: tuple[Category, ...], at: int) -> list[str]:
    """What this choice opens, cell by cell, under our own rules and under each provider's terms, as hashes.

    A consent's fingerprint is over this: a version that opens the same leaves it as it is.
    """
    version = gateway.policy.in_effect(at)
    if version is None:
        return []
    names = ("", *(overlay.name for overlay in version.book.overlays))
    kinds = frozenset(categories)
    return [f"{name or 'own'} {carried_sha256(version, direction, kinds, name)}" for name in names]
