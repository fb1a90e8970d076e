"""The person typed something: it becomes `given`, older values lie dormant, and deliveries are written down with it.

One transaction holds the change and its deliveries. Nothing leaves here; what is sent is decided when it is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from connector import records
from connector.clients import Client
from connector.connections import Connection
from connector.consent import Direction
from connector.flows.gateway import Gateway
from connector.flows.release import decided
from connector.flows.standings import Ground, careful, ground_of
from connector.ledger import Entry, append
from connector.ledger import Kind as EntryKind
from connector.model.tags import Age, Choice, Link, Notice, Source, Standing, Tags, Use
from connector.policy import Decision
from connector.records import Edit, NewValue, Origin, SealedValue
from connector.records.deliveries import Delivery
from connector.storage import Transaction
from providers.capabilities import field_group
from vault import DataKey

_COLLECT = Use.of("collect", "us", "service")
PUSH = Use.of("push", "provider", "sync")
_KEEP_COPY = Use.of("keep", "us", "protect")


@dataclass(frozen=True, slots=True)
class Edited:
    """What an edit came to: the pointers, and what was queued to leave."""

    edit: Edit
    deliveries: tuple[Delivery, ...]


def edit_profile(gateway: Gateway, client: Client, sub: str, patch: Mapping[str, Any]) -> Edited:
    """Merge a patch (RFC 7396) into what the person typed in, as they did it in an app. Raises as `edit_for`."""
    return edit_for(gateway, client.tenant_id, sub, patch, client_id=client.id)


def edit_for(
    gateway: Gateway, tenant_id: str, sub: str, patch: Mapping[str, Any], *, client_id: str | None = None
) -> Edited:
    """The same, through whichever door. `client_id`: the app's.

    Raises:
        NotFound: no such user. BadInput: something in the patch is not what its place takes; nothing was changed.
        RefusedByPolicy: as the clause says.
    """
    with gateway.store.transaction() as tx:
        ground = ground_of(gateway, tx, tenant_id, sub)
        user = ground.user
        edit = records.edit_given(
            tx,
            sub,
            gateway.vault.key(tx, user.owner),
            key_finder(gateway, tx),
            patch,
            lambda pointer: _stamped(gateway, ground, pointer),
            lambda tags: _kept_until(gateway, ground, tags),
        )
        if not edit.pointers:
            return Edited(edit, ())
        _note(tx, ground, client_id, edit)
        deliveries = tuple(
            records.queue_delivery(tx, tenant_id, sub, connection.id, group, pointers)
            for group, pointers in by_group(edit.pointers).items()
            for connection in ground.pushed_to(group)
        )
        tx.after_commit(gateway.wakeup.notify)
    return Edited(edit, deliveries)


def key_finder(gateway: Gateway, tx: Transaction) -> Callable[[SealedValue], DataKey]:
    """The keys of stored values, each fetched once."""
    found: dict[tuple[str, str, int], DataKey] = {}

    def key_of(stored: SealedValue) -> DataKey:
        named = (stored.owner.kind, stored.owner.id, stored.key_epoch)
        if named not in found:
            found[named] = gateway.vault.key(tx, stored.owner, stored.key_epoch)
        return found[named]

    return key_of


def by_group(pointers: tuple[str, ...]) -> dict[str, list[str]]:
    """Pointers by the field group that a person can switch on; those that belong to none leave nowhere."""
    groups: dict[str, list[str]] = {}
    for pointer in pointers:
        group = field_group(pointer)
        if group is not None:
            groups.setdefault(group, []).append(pointer)
    return groups


def given_tags(ground: Ground, pointer: str) -> Tags:
    """The tags of what the person types at a pointer."""
    return careful(Tags(records.category_of(pointer), Source.GIVEN), ground.user)


def may_push(gateway: Gateway, ground: Ground, connection: Connection, group: str, tags: Tags) -> Decision:
    """Whether a value with these tags may go to a connection, by the person's choice for the group as it stands."""
    standing = Standing(
        ground.user.account,
        ground.link(connection.id),
        ground.choice(connection.id, Direction.PUSH, group),
        Notice.NONE,
    )
    return gateway.policy.decide(PUSH, careful(tags, ground.user), standing, ground.at, ground.user.last_visit_at)


def _stamped(gateway: Gateway, ground: Ground, pointer: str) -> NewValue:
    tags = given_tags(ground, pointer)
    standing = Standing(ground.user.account, Link.NONE, Choice.NONE, Notice.NONE)
    decision = decided(gateway.policy, _COLLECT, tags, standing, at=ground.at, bound_at=ground.user.last_visit_at)
    limited = tags.age is not Age.OK  # a child's values, with a parent's consent, are held for a limited time
    until = ground.at + _retention_ms(gateway, tags) if limited else None
    return NewValue(pointer, None, tags, Origin(decision.version), until)


def _kept_until(gateway: Gateway, ground: Ground, tags: Tags) -> int | None:
    standing = Standing(ground.user.account, Link.NONE, Choice.NONE, Notice.NONE)
    decision = gateway.policy.decide(
        _KEEP_COPY, careful(tags, ground.user), standing, ground.at, ground.user.last_visit_at
    )
    return ground.at + _retention_ms(gateway, tags) if decision.allowed else None


def _retention_ms(gateway: Gateway, tags: Tags) -> int:
    kept = gateway.settings.policy.retention
    longest = getattr(kept, tags.category.value)
    return int((longest if tags.age is Age.OK else min(longest, kept.child)).total_seconds() * 1000)


def _note(tx: Transaction, ground: Ground, client_id: str | None, edit: Edit) -> None:
    """Which parts of a card changed, without the keys that the person chose for their entries."""
    heads = {(pointer.split("/")[1], pointer.count("/") > 1) for pointer in edit.pointers}
    facts: dict[str, Any] = {
        "client": client_id,
        "action": "edit",
        "categories": sorted({records.category_of(pointer).value for pointer in edit.pointers}),
        "sources": [Source.GIVEN.value],
        "pointers": sorted(f"/{head}/*" if keyed else f"/{head}" for head, keyed in heads),
        "count": len(edit.pointers),
    }
    append(tx, Entry(EntryKind.RECORDS_CHANGED, ground.user.tenant_id, ground.user.pseudonym, facts))
