"""What runs out by itself: connections that nothing but their person can bring back say so, before anybody asks."""

from __future__ import annotations

import structlog

from connector import connections
from connector.connections import Connection, LostClaim, SealBroken
from connector.flows.gateway import Gateway
from connector.ledger import Entry, append
from connector.ledger.kinds import Fact
from connector.model.states import ConnectionState
from connector.storage import Transaction

BATCH = 100

_log = structlog.get_logger("run_out")


def step(gateway: Gateway) -> int:
    """One round; how many connections now need their person."""
    with gateway.store.transaction() as tx:
        try:
            over = connections.run_out(tx, gateway.vault, limit=BATCH)
        except SealBroken as problem:  # the row is in the log; the others are found once it is mended or removed
            _log.error("run_out.stopped", detail=problem.detail)
            return 0
        for connection in over:
            _ask_the_person(gateway, tx, connection)
        return len(over)


def _ask_the_person(gateway: Gateway, tx: Transaction, connection: Connection) -> None:
    passed = connection.reauth_by is not None and connection.reauth_by <= tx.now()
    reason = "data_access_over" if passed else "expired"
    try:
        moved = connections.move(
            tx,
            gateway.vault,
            connection,
            ConnectionState.NEEDS_REAUTH,
            take_over=True,
            columns={"reason": reason, "refresh_at": None},
        )
    except LostClaim:  # somebody signed in again, or revoked, between reading and locking
        return
    facts: dict[str, Fact] = {
        "connection": moved.id,
        "generation": moved.generation,
        "reason": reason,
        "new": moved.state.value,
    }
    append(tx, Entry("connection_moved", moved.tenant_id, moved.pseudonym, facts))
