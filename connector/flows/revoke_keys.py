"""The keys of what was imported go: at the end of the window, or at once. Then only a tombstone is left, or nothing."""

from __future__ import annotations

from connector import connections, people
from connector.connections import Revocation
from connector.flows import evidence
from connector.flows.gateway import Gateway
from connector.model.states import ConnectionState
from connector.records import ending
from connector.storage import Transaction
from vault import Owner

BATCH = 20


def destroy_due_keys(gateway: Gateway) -> int:
    """One round of imported data whose window is over; how many connections lost their data."""
    with gateway.store.read() as tx:  # a look first: whoever has nothing to do does not ask for SQLite's writer
        if not connections.due_for_erasure(tx, limit=1):
            return 0
    with gateway.store.transaction() as tx:
        due = connections.due_for_erasure(tx, limit=BATCH)
        for revocation in due:
            destroy_data(gateway, tx, revocation)
    if due:
        gateway.store.scrub()
    return len(due)


def destroy_data(gateway: Gateway, tx: Transaction, asked: Revocation) -> None:
    """What was imported goes, and its key first: the rows with it, the receipt after it."""
    owner = Owner(asked.tenant_id, "connection_data", asked.connection_id)
    count = gateway.vault.destroy(tx, owner)
    ending.forget_connection(tx, asked.connection_id)
    connections.mark_data_key_destroyed(tx, asked.id)
    connection = connections.find_for_update(tx, gateway.vault, asked.connection_id)
    done = connections.revocation(tx, asked.id)
    if connection is None or done is None:
        return
    evidence.note_erasure(gateway, tx, done, connection, keys=count)
    entomb(gateway, tx, done)


def entomb(gateway: Gateway, tx: Transaction, done: Revocation) -> None:
    """Both keys are gone: only the tombstone remains, and not even that of a person who was erased."""
    if done.token_key_destroyed_at is None or done.data_key_destroyed_at is None:
        return
    connection = connections.find_for_update(tx, gateway.vault, done.connection_id)
    if connection is None or connection.state is not ConnectionState.REVOKED:
        return
    if connection.pseudonym is None:
        connections.forget(tx, connection.id)
        if connections.newest_of_identity(tx, gateway.vault, connection.identity_id) is None:
            people.forget_identity(tx, connection.identity_id)
    else:
        connections.move(tx, gateway.vault, connection, ConnectionState.SHREDDED)
