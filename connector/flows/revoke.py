"""Revoked means revoked: here at once, at the provider until confirmed or truthfully not, in the vault by its keys.

    one transaction: no more handouts, queued work void, consents withdrawn, feed told, revocation written down, receipt
    then: the provider is told, with retries, unless a live connection shares the grant
    then: the token key is destroyed; the imported data's key at the end of the window, or at once

Who revokes twice gets the same revocation. Nothing here waits for the provider while the person waits.
"""

from __future__ import annotations

from dataclasses import dataclass

from connector import connections, consent
from connector.connections import Connection, Revocation
from connector.flows import evidence
from connector.flows.gateway import Gateway
from connector.flows.revoke_keys import destroy_data, destroy_due_keys
from connector.flows.revoke_telling import tell_providers
from connector.ledger import newest
from connector.model.errors import NotFound
from connector.model.states import ConnectionState, Ended
from connector.records import ending
from connector.storage import Transaction

__all__ = [
    "Revoked",
    "destroy_data",
    "destroy_due_keys",
    "retire",
    "revoke",
    "revoke_in",
    "tell_providers",
    "window_ms",
]

BATCH = 20
_WHO = {
    Ended.PERSON: "subject",
    Ended.APP: "app",
    Ended.OPERATOR: "operator",
    Ended.PROVIDER: "provider",
    Ended.DELETION: "subject",
}
_OVER = frozenset({ConnectionState.REVOKED, ConnectionState.SHREDDED})


@dataclass(frozen=True, slots=True)
class Revoked:
    """What the caller learns: the revocation and its newest receipt."""

    revocation: Revocation
    receipt_id: str


def revoke(
    gateway: Gateway,
    tenant_id: str,
    connection_id: str,
    *,
    by: Ended,
    reason: connections.RevocationReason = "revoked",
    erase_now: bool = False,
) -> Revoked:
    """End a connection. Idempotent; a second call may bring the erasure forward.

    Args:
        by: who asked.
        erase_now: destroy the imported data's key at once instead of at the end of the export window.

    Raises:
        NotFound: no such connection in this tenant.
    """
    with gateway.store.transaction() as tx:
        connection = connections.find_for_update(tx, gateway.vault, connection_id)
        if connection is None or connection.tenant_id != tenant_id:
            raise NotFound("connection", code="unknown_connection")
        return revoke_in(gateway, tx, connection, by=by, reason=reason, erase_now=erase_now)


def revoke_in(
    gateway: Gateway,
    tx: Transaction,
    connection: Connection,
    *,
    by: Ended,
    reason: connections.RevocationReason = "revoked",
    erase_now: bool = False,
) -> Revoked:
    """The same inside a transaction that does more (deletion of a person)."""
    if connection.state in _OVER:
        return _again(gateway, tx, connection, erase_now=erase_now)
    now = tx.now()
    refreshing = connection.state is ConnectionState.REFRESHING
    ended = connections.move(
        tx,
        gateway.vault,
        connection,
        ConnectionState.REVOKED,
        take_over=True,
        columns={"revoked_at": now, "ended_by": by.value, "reason": reason, "refresh_at": None, "import_at": None},
    )
    ending.void_work(tx, ended.id)
    ending.close_feed(tx, ended.tenant_id, ended.sub, ended.id)
    for given in consent.of_connection(tx, gateway.vault, ended.id):
        consent.withdraw(tx, gateway.vault, given, by=_WHO[by], method="revocation")
    asked = connections.ask_revocation(
        tx,
        ended,
        asked_by=by.value,
        reason=reason,
        data_key_due_at=now if erase_now else now + window_ms(gateway),
        not_before=(connection.lease_until or now) if refreshing else now,
    )
    receipt_id = evidence.note_revocation(gateway, tx, asked, ended, kind="revoked")
    tx.after_commit(gateway.wakeup.notify)
    return Revoked(asked, receipt_id)


def retire(gateway: Gateway) -> int:
    """One round of connections that lay dead for longer than they are kept; how many were ended for good."""
    kept = gateway.settings.policy.retention
    ended = 0
    with gateway.store.transaction() as tx:
        now = tx.now()
        for state, age in (
            (ConnectionState.REVOKED_BY_PROVIDER, kept.revoked_by_provider),
            (ConnectionState.NEEDS_REAUTH, kept.needs_reauth),
        ):
            before = now - int(age.total_seconds() * 1000)
            for connection in connections.lying_in(tx, gateway.vault, state, since_before=before, limit=BATCH):
                revoke_in(gateway, tx, connection, by=Ended.OPERATOR, reason="abandoned", erase_now=True)
                ended += 1
    return ended


def window_ms(gateway: Gateway) -> int:
    """How long the person may still export what was imported, in ms."""
    return int(gateway.settings.policy.export_window.total_seconds() * 1000)


def _again(gateway: Gateway, tx: Transaction, connection: Connection, *, erase_now: bool) -> Revoked:
    found = connections.revocation_of(tx, connection.id)
    if found is None:
        raise NotFound("revocation", detail=f"{connection.id} ended without one")
    if erase_now:
        connections.bring_forward(tx, found)
        tx.after_commit(gateway.wakeup.notify)
    kept = newest(tx, found.id)
    return Revoked(found, "" if kept is None else kept.id)
