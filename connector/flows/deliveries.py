"""What a person's changes came to at their other accounts, as far as a client may see it."""

from __future__ import annotations

from connector import records
from connector.clients import Client
from connector.flows.gateway import Gateway
from connector.flows.standings import ground_of
from connector.records import Delivery


def deliveries_of(
    gateway: Gateway, client: Client, sub: str, *, before: tuple[int, str] | None, limit: int
) -> list[Delivery]:
    """A page of a person's deliveries, newest first. Raises NotFound for nobody."""
    found: list[Delivery] = []
    with gateway.store.read() as tx:
        ground = ground_of(gateway, tx, client.tenant_id, sub)
        seen = {one.id for one in ground.connections.values() if client.may_use(one.integration_id)}
        while len(found) < limit:
            batch = records.deliveries_of_user(tx, client.tenant_id, sub, before=before, limit=limit)
            found += [one for one in batch if one.connection_id in seen]
            if len(batch) < limit:
                break
            before = (batch[-1].created_at, batch[-1].id)
    return found[:limit]
