"""Who asks for an import: the app, or the time."""

from __future__ import annotations

from connector import connections, records
from connector.clients import Client, Integration, integration_with_id
from connector.connections import Connection
from connector.flows.fresh_token import refuse_ended
from connector.flows.gateway import Gateway
from connector.flows.release import refused
from connector.model.errors import Conflict, NotFound
from connector.model.tags import Account, Category, Choice, Link, Notice, Source, Standing, Tags, Use
from connector.records import Import
from connector.storage import Transaction
from connector.storage.errors import UniqueViolation

BATCH = 100


def queue(gateway: Gateway, client: Client, connection_id: str, *, asked_by: str = "app") -> Import:
    """Ask for an import now; one that waits or runs already is answered instead.

    Raises:
        NotFound: no such connection for this client. Gone, Conflict: it is revoked, or needs the person.
        Conflict: the integration imports nothing (`nothing_to_import`).
    """
    try:
        return _queue(gateway, client, connection_id, asked_by)
    except UniqueViolation:  # somebody else asked at the same moment: theirs is there now
        return _queue(gateway, client, connection_id, asked_by)


def runs(
    gateway: Gateway,
    client: Client,
    connection_id: str,
    *,
    number: int | None = None,
    below: int | None = None,
    limit: int = 50,
) -> list[Import]:
    """Imports of a connection, newest first. Raises NotFound for a connection that is not this client's."""
    with gateway.store.read() as tx:
        connection = _visible(gateway, tx, client, connection_id)
        return records.imports_of(tx, connection.id, number=number, below=below, limit=limit)


def queue_due(gateway: Gateway) -> bool:
    """One look at what the schedule says. True where something was queued."""
    with gateway.store.read() as tx:
        due = connections.due_imports(tx, limit=BATCH)
    for row in due:
        try:
            with gateway.store.transaction() as tx:
                integration = integration_with_id(tx, gateway.vault, row["integration_id"])
                if integration is not None and integration.imports and integration.sync_every_s:
                    records.queue_import(tx, row["tenant_id"], row["id"], "schedule")
                connections.schedule_import(tx, row["id"], next_import_at(tx, integration))
        except UniqueViolation:
            continue  # asked for at this very moment: the next look finds it
    return bool(due)


def next_import_at(tx: Transaction, integration: Integration | None) -> int | None:
    """When the next one is due after one now; None where there is no schedule."""
    every_s = None if integration is None else integration.sync_every_s
    return tx.now() + every_s * 1000 if every_s else None


def _queue(gateway: Gateway, client: Client, connection_id: str, asked_by: str) -> Import:
    with gateway.store.transaction() as tx:
        connection = _visible(gateway, tx, client, connection_id)
        refuse_ended(connection, tx.now())
        integration = integration_with_id(tx, gateway.vault, connection.integration_id)
        if integration is None or not integration.imports:
            raise Conflict("nothing_to_import", "This integration imports nothing; the operator sets what it imports.")
        _refuse_unconfirmed(gateway, tx, connection)
        tx.after_commit(gateway.wakeup.notify)
        return records.queue_import(tx, connection.tenant_id, connection.id, asked_by)


def _refuse_unconfirmed(gateway: Gateway, tx: Transaction, connection: Connection) -> None:
    """Nothing comes in through a connection that was moved in, until its person has seen the notice."""
    if connections.is_unconfirmed(tx, gateway.vault, connection.id):
        standing = Standing(Account.OPEN, Link.CONNECTED, Choice.NONE, Notice.NONE)
        tags = Tags(Category.PROFILE, Source.IMPORTED)
        raise refused(gateway.policy.decide(Use.of("collect", "us", "service"), tags, standing, tx.now()))


def _visible(gateway: Gateway, tx: Transaction, client: Client, connection_id: str) -> Connection:
    connection = connections.find(tx, gateway.vault, client.tenant_id, connection_id)
    if connection is None or not client.may_use(connection.integration_id):
        raise NotFound("connection", code="unknown_connection")
    return connection
