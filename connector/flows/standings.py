"""How things stand with a person and each of their connections, read once for many decisions about their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from connector import connections, consent
from connector.connections import Connection
from connector.consent import Direction
from connector.flows.choices import choice_now
from connector.flows.gateway import Gateway
from connector.flows.provider_terms import terms_of
from connector.model.errors import NotFound
from connector.model.tags import Account, Category, Choice, Link, Notice, Purpose, Standing, Tags, Use
from connector.people import User, find_user, trusted
from connector.policy import OWN, Decision
from connector.records import SealedValue
from connector.storage import Transaction
from providers.capabilities import field_group

IMPORT_WORDS: Mapping[Category, str] = {
    Category.PROFILE: "profile",
    Category.CONTACT: "profile",
    Category.PEOPLE: "contacts",
}


@dataclass(frozen=True, slots=True)
class Ground:
    """What decisions about a person's values stand on. Good for this use only.

    `choices`: (connection, direction, field group) → the choice that counts. `at`: the moment, ms.
    """

    user: User
    connections: Mapping[str, Connection]
    choices: Mapping[tuple[str, str, str], Choice]
    at: int

    def choice(self, connection_id: str, direction: Direction, field_group: str) -> Choice:
        """The choice that counts now; none where nobody was asked."""
        return self.choices.get((connection_id, direction.value, field_group), Choice.NONE)

    def link(self, connection_id: str) -> Link:
        """Whether a connection still links anything."""
        found = self.connections.get(connection_id)
        return Link.CONNECTED if found is not None and not found.ended else Link.REVOKED

    def pushed_to(self, group: str) -> list[Connection]:
        """The live connections for which the person switched a field group on."""
        return [
            one
            for one in self.connections.values()
            if not one.ended and self.choice(one.id, Direction.PUSH, group) is Choice.GIVEN
        ]


def ground_of(gateway: Gateway, tx: Transaction, tenant_id: str, sub: str) -> Ground:
    """What stands with a person now. Raises NotFound for nobody, and for a deleted account."""
    found = find_user(tx, gateway.vault, tenant_id, sub)
    if found is None or found.account is not Account.OPEN:
        raise NotFound("user")
    user = trusted(tx, gateway.vault, found)
    held = connections.of_user(tx, gateway.vault, tenant_id, sub)
    chosen = consent.of_user(tx, gateway.vault, tenant_id, sub)
    at, mine = tx.now(), {one.id: one for one in held}
    return Ground(
        user,
        mine,
        {
            (one.connection_id, one.direction.value, one.field_group): choice_now(
                gateway, one, mine.get(one.connection_id), at
            )
            for one in chosen
        },
        at,
    )


def decision_on(gateway: Gateway, ground: Ground, use: Use, stored: SealedValue) -> Decision:
    """May this be done with this value of this person, now?"""
    return gateway.policy.decide(
        use,
        careful(stored.tags, ground.user),
        standing_of_value(ground, use, stored),
        ground.at,
        ground.user.last_visit_at,
        _terms(gateway, ground, stored),
    )


def standing_of_value(ground: Ground, use: Use, stored: SealedValue) -> Standing:
    """How things stand with one value: by its own connection, or by where the person sends it."""
    account = ground.user.account
    source = stored.imported_from
    if source is not None:
        word = IMPORT_WORDS.get(stored.tags.category, "profile")
        return Standing(account, ground.link(source), ground.choice(source, Direction.IMPORT, word), Notice.NONE)
    if use.purpose is Purpose.SYNC and ground.pushed_to(field_group(stored.pointer) or ""):
        return Standing(account, Link.CONNECTED, Choice.GIVEN, Notice.NONE)
    return Standing(account, Link.NONE, Choice.NONE, Notice.NONE)


def _terms(gateway: Gateway, ground: Ground, stored: SealedValue) -> str:
    """The terms of the provider that a value came from."""
    connection = ground.connections.get(stored.imported_from or "")
    return OWN if connection is None else terms_of(gateway.policy, connection, stored.tags.category)


def careful(tags: Tags, user: User) -> Tags:
    """The tags under what is known of the person's age by now: the more careful of the two."""
    return tags if user.age.rank <= tags.age.rank else replace(tags, age=user.age)
