"""What would leave, exactly, and what would not and why. Nothing is sent and no token is opened for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connector import records
from connector.clients import Client
from connector.connections import Connection
from connector.flows.edit_profile import by_group, given_tags, key_finder, may_push
from connector.flows.gateway import Gateway
from connector.flows.integrations import Integrated, integrated
from connector.flows.read_records import read_typed_in
from connector.flows.release import release
from connector.flows.standings import Ground, ground_of
from connector.ledger import Entry, append
from connector.ledger import Kind as EntryKind
from connector.policy import Decision
from connector.records import Edit, open_value
from connector.storage import Transaction
from providers.capabilities import Grant, ProfileChange, WritesProfile
from providers.errors import ProviderError
from providers.secret import Secret

_NO_TOKEN = Secret("")


@dataclass(frozen=True, slots=True)
class NotSent:
    """What would not leave: the group, its pointers, why in words, and the clause where the policy refused."""

    field_group: str
    pointers: tuple[str, ...]
    reason: str
    clause: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """For one connection: the exact requests, and what is not sent."""

    connection: Connection
    provider: str
    deep_link: str
    requests: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    not_sent: tuple[NotSent, ...] = ()


def preview(gateway: Gateway, client: Client, sub: str, patch: Mapping[str, Any]) -> list[Preview]:
    """What a patch would send, for each live connection that this client may see.

    Raises:
        NotFound: no such user. BadInput: as `edit_profile`.
    """
    with gateway.store.transaction() as tx:
        ground = ground_of(gateway, tx, client.tenant_id, sub)
        key_of = key_finder(gateway, tx)
        stored = records.given_values(tx, client.tenant_id, sub)
        edit = records.merged({value.pointer: open_value(key_of(value), value) for value in stored}, patch)
        found = [
            _of_connection(gateway, tx, ground, whole, connection, edit)
            for connection, whole in _live(gateway, tx, client, ground)
        ]
        _note(tx, ground, client, len(edit.pointers))
    return found


def preview_group(gateway: Gateway, tenant_id: str, sub: str, connection_id: str, group: str) -> Preview | None:
    """What switching a group on would send at the next change: the request for what is typed in by now.

    For the person's own pages, before they choose; so their choice is not asked. None where there is nothing typed in.
    """
    with gateway.store.read() as tx:
        ground = ground_of(gateway, tx, tenant_id, sub)
        connection = ground.connections.get(connection_id)
        if connection is None or connection.ended:
            return None
        whole = integrated(gateway, tx, tenant_id, connection.integration_id)
    values = read_typed_in(gateway, tenant_id, sub)
    listed = by_group(tuple(values)).get(group)
    if not listed:
        return None
    return _requests(whole, connection, {group: {pointer: values[pointer] for pointer in listed}}, [])


def writable_groups(connection: Connection, whole: Integrated) -> frozenset[str]:
    """The groups that this connection's grant lets us write."""
    if not isinstance(whole.adapter, WritesProfile):
        return frozenset()
    return whole.adapter.writable(whole.registration, Grant(_NO_TOKEN, scopes=connection.granted_scopes))


def why_not(whole: Integrated) -> str:
    """Why a group cannot be written there, in words."""
    entry = whole.entry
    words = f"{entry.title} does not take this with what was granted; the person can grant more."
    condition = entry.conditions.get("write_back")
    return entry.lacks.get("write_back") or (f"{words} {condition}" if condition else words)


def _live(gateway: Gateway, tx: Transaction, client: Client, ground: Ground) -> list[tuple[Connection, Integrated]]:
    return [
        (one, integrated(gateway, tx, client.tenant_id, one.integration_id))
        for one in ground.connections.values()
        if not one.ended and client.may_use(one.integration_id)
    ]


def _of_connection(  # noqa: PLR0917  where, for whom, what
    gateway: Gateway, tx: Transaction, ground: Ground, whole: Integrated, connection: Connection, edit: Edit
) -> Preview:
    allowed: dict[str, dict[str, Any]] = {}
    not_sent: list[NotSent] = []
    for group, pointers in by_group(edit.pointers).items():
        ours = records.written_before(tx, connection.id, group)
        listed = [pointer for pointer in pointers if pointer in edit.changed or pointer in ours]
        if not listed:
            not_sent.append(NotSent(group, tuple(pointers), "It was never sent there, so there is nothing to clear."))
            continue
        decision = may_push(gateway, ground, connection, group, given_tags(ground, listed[0]))
        if not decision.allowed:
            not_sent.append(NotSent(group, tuple(listed), decision.explanation, decision.clause))
        else:
            allowed[group] = _released(decision, edit, listed)
    return _requests(whole, connection, allowed, not_sent)


def _released(decision: Decision, edit: Edit, pointers: list[str]) -> dict[str, Any]:
    return release(
        decision,
        record=lambda: None,  # one entry for the whole preview is written in the transaction around it
        opened=lambda: {pointer: edit.changed.get(pointer) for pointer in pointers},
    )


def _requests(
    whole: Integrated, connection: Connection, groups: Mapping[str, Mapping[str, Any]], not_sent: list[NotSent]
) -> Preview:
    reached = writable_groups(connection, whole)
    requests: list[Mapping[str, Any]] = []
    refused = list(not_sent)
    for group, values in groups.items():
        if group not in reached or not isinstance(whole.adapter, WritesProfile):
            refused.append(NotSent(group, tuple(values), why_not(whole)))
            continue
        try:
            requests += whole.adapter.preview(whole.registration, ProfileChange(values))
        except ProviderError as problem:
            refused.append(NotSent(group, tuple(values), problem.hint))
    return Preview(connection, whole.entry.title, whole.entry.deep_link, tuple(requests), tuple(refused))


def _note(tx: Transaction, ground: Ground, client: Client, count: int) -> None:
    """A preview shows the app what the person typed a moment ago; who asked is entered."""
    facts: dict[str, Any] = {
        "client": client.id,
        "use": "preview",
        "recipient": "us",
        "purpose": "sync",
        "sources": ["given"],
        "count": count,
    }
    append(tx, Entry(EntryKind.RELEASE, ground.user.tenant_id, ground.user.pseudonym, facts))
