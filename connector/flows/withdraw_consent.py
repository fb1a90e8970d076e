"""A choice is taken back: from that moment it permits nothing, and what waited on it comes to nothing."""

from __future__ import annotations

from typing import Any

from connector import connections, consent, records
from connector.clients import Client
from connector.consent import Consent, Direction
from connector.flows.consent_evidence import enter_choice
from connector.flows.gateway import Gateway
from connector.flows.standings import ground_of
from connector.model.errors import Conflict, NotFound
from connector.model.tags import Choice
from connector.records import Change
from connector.storage import Transaction

_CARDS = {"profile": "self", "contacts": "contact"}  # what an import of each kind brought; claims are not kept


def withdraw_consent(gateway: Gateway, client: Client, sub: str, consent_id: str) -> Consent:
    """The app says that the person takes a choice back. Idempotent.

    Raises:
        NotFound: no such consent of this person, or not for this client. Conflict: it was never given.
    """
    with gateway.store.transaction() as tx:
        ground_of(gateway, tx, client.tenant_id, sub)
        found = consent.find(tx, gateway.vault, client.tenant_id, consent_id)
        if found is None or found.sub != sub or not client.may_use(found.integration_id):
            raise NotFound("consent")
        return withdraw_in(gateway, tx, found, by="app", method="api", client_id=client.id)


def withdraw_in(
    gateway: Gateway, tx: Transaction, given: Consent, *, by: str, method: str, client_id: str | None = None
) -> Consent:
    """The same inside a transaction, for the person's own pages too. `by`: subject or app."""
    # The connection's lock is what sending and importing take as well: after this commit, neither goes on.
    connection = connections.find_for_update(tx, gateway.vault, given.connection_id)
    current = consent.find(tx, gateway.vault, given.tenant_id, given.id) or given
    if current.choice is Choice.WITHDRAWN:
        return current
    if current.choice not in {Choice.GIVEN, Choice.STALE}:
        raise Conflict("not_given", "This choice was not given, so there is nothing to withdraw.")
    ended = consent.withdraw(tx, gateway.vault, current, by=by, method=method)
    if ended.direction is Direction.PUSH:
        outcome = {"result": "void", "reason": "switched_off", "clause": "3a"}
        records.void_deliveries(tx, ended.connection_id, ended.field_group, outcome)
    elif ended.field_group in _CARDS:
        _close_feed(tx, ended)
    facts: dict[str, Any] = {"client": client_id, "event": "withdrawn", "method": method, "by": by}
    enter_choice(gateway, tx, connection, ended, facts)
    return ended


def _close_feed(tx: Transaction, ended: Consent) -> None:
    """The feed says which cards are no longer open."""
    cards = records.of_person(tx, ended.tenant_id, ended.sub, kind=_CARDS[ended.field_group])
    closed = [card for card in cards if card.connection_id == ended.connection_id]
    records.note_changes(
        tx, [Change(card.tenant_id, card.sub, card.id, "", card.connection_id, "closed", "") for card in closed]
    )
