"""Which categories may come in now: granted by the provider, named in the notice, agreed to, allowed by the policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from connector import consent
from connector.connections import Connection
from connector.consent import Consent, Direction
from connector.flows.choices import choice_now
from connector.flows.gateway import Gateway
from connector.flows.integrations import Integrated
from connector.flows.provider_terms import terms_of
from connector.model.tags import Category, Choice, Link, Notice, Source, Standing, Tags, Use
from connector.people import User
from connector.policy import Decision
from connector.storage import Transaction
from providers.capabilities import ReadsContacts, ReadsProfile
from vault import KeySourceError, VaultError

KINDS: Mapping[str, frozenset[Category]] = {
    "profile": frozenset({Category.PROFILE, Category.CONTACT}),
    "contacts": frozenset({Category.PEOPLE}),
}
_COLLECT = Use.of("collect", "us", "service")
_KEEP = Use.of("keep", "us", "service")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of import that may run: its categories, and the record of the choice that allows it."""

    categories: frozenset[Category]
    consent_id: str
    policy_version: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What may come in, and what the policy refused of it."""

    kinds: Mapping[str, Kind]
    refused: tuple[tuple[Category, Decision], ...]


def plan(gateway: Gateway, tx: Transaction, connection: Connection, whole: Integrated, user: User) -> Plan:
    """Decide now, from what stands now. Taken again with every page."""
    chosen = {
        each.field_group: replace(each, choice=choice_now(gateway, each, connection, tx.now()))
        for each in consent.of_connection(tx, gateway.vault, connection.id)
        if each.direction is Direction.IMPORT
    }
    granted = _granted(connection, whole)
    kinds: dict[str, Kind] = {}
    refused: list[tuple[Category, Decision]] = []
    for name, categories in KINDS.items():
        if name not in whole.integration.imports or not _able(name, whole):
            continue
        choice = chosen.get(name)
        noticed = categories & granted & _noticed(gateway, tx, choice)
        allowed: set[Category] = set()
        version = ""
        for category in sorted(noticed if choice is not None else ()):
            decision = _decision(gateway, tx, category, choice, user, terms_of(gateway.policy, connection, category))
            version = decision.version
            if decision.allowed:
                allowed.add(category)
            else:
                refused.append((category, decision))
        if allowed and choice is not None:
            kinds[name] = Kind(frozenset(allowed), choice.id, version)
    return Plan(kinds, tuple(refused))


def tags_of(category: Category, user: User) -> Tags:
    """The tags that an imported value gets: always private, whatever it is at the provider."""
    return Tags(category, Source.IMPORTED, age=user.age)


def _decision(  # noqa: PLR0917  what, by whose choice, under whose terms
    gateway: Gateway, tx: Transaction, category: Category, choice: Consent | None, user: User, terms: str
) -> Decision:
    """The decision to collect, or, where only keeping is refused, that one."""
    given = Choice.NONE if choice is None else choice.choice
    standing = Standing(user.account, Link.CONNECTED, given, Notice.NONE)
    tags = tags_of(category, user)
    collect = gateway.policy.decide(_COLLECT, tags, standing, tx.now(), user.last_visit_at, terms)
    if not collect.allowed:
        return collect
    keep = gateway.policy.decide(_KEEP, tags, standing, tx.now(), user.last_visit_at, terms)
    return collect if keep.allowed else keep


def _granted(connection: Connection, whole: Integrated) -> frozenset[Category]:
    """What the granted scopes open, by the catalogue. An unknown scope opens nothing."""
    return frozenset(Category(word) for word in whole.entry.opens(*connection.granted_scopes))


def _noticed(gateway: Gateway, tx: Transaction, choice: Consent | None) -> frozenset[Category]:
    """What the notice named, by the record of the consent itself."""
    if choice is None:
        return frozenset()
    try:
        record = consent.record_of(tx, gateway.vault, choice)
    except KeySourceError:  # it says nothing of the record; the import is tried again
        raise
    except VaultError:
        return frozenset()
    words = {word for process in record.get("process", ()) for word in process.get("categories", ())}
    return frozenset(Category(word) for word in words)


def _able(kind: str, whole: Integrated) -> bool:
    return isinstance(whole.adapter, ReadsProfile if kind == "profile" else ReadsContacts)
