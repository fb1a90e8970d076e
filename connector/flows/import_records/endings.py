"""How an import ends, or waits: the row, the ledger, and when the next one is due."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from connector import connections, work
from connector.clients import integration_with_id
from connector.connections import Connection
from connector.flows.gateway import Gateway
from connector.flows.import_records.scheduling import next_import_at
from connector.flows.observed import Observed
from connector.ledger import Entry, append
from connector.ledger import Kind as EntryKind
from connector.records import Import
from connector.storage import Transaction
from connector.work import Claimed

_log = structlog.get_logger("import")


class LostWork(Exception):
    """Somebody else holds this work now; nothing more may be written for it."""


@dataclass(slots=True)
class Ending:
    """What ending an import needs. `connection` is None until it was read; `begun`: this attempt has its intent."""

    gateway: Gateway
    claimed: Claimed
    row: Import
    observed: Observed
    connection: Connection | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    begun: bool = False


def end(ending: Ending, state: str, *, error: str | None) -> None:
    """It is over: done, failed, refused or void. Says so in the ledger, and when the next one is due."""
    with ending.gateway.store.transaction() as tx:
        end_in(ending, tx, state, error=error)


def end_in(ending: Ending, tx: Transaction, state: str, *, error: str | None) -> None:
    """The same inside a transaction that does more."""
    if not work.settle(
        tx, "imports", ending.claimed.id, ending.claimed.fence, state, error=error, finished_at=tx.now()
    ):
        _log.info("import.lost", import_id=ending.claimed.id)
        _lost(ending, tx)
        return
    connection = ending.connection
    if connection is None:
        return
    _observed(ending, tx, connection)
    _outcome(ending, tx, connection, state, error)
    if state != "void":
        integration = integration_with_id(tx, ending.gateway.vault, connection.integration_id)
        connections.schedule_import(tx, connection.id, next_import_at(tx, integration))
    _log.info("import.ended", import_id=ending.row.id, state=state, error=error)


def later(ending: Ending, delay_ms: int, *, error: str) -> None:
    """It is tried again after `delay_ms`; what is stored stays."""
    with ending.gateway.store.transaction() as tx:
        kept = work.retry(tx, "imports", ending.claimed.id, ending.claimed.fence, delay_ms, error=error)
        if kept and ending.connection is not None:
            _observed(ending, tx, ending.connection)
            if ending.begun:
                _outcome(ending, tx, ending.connection, "later", error)
    _log.info("import.later", import_id=ending.row.id, error=error, delay_ms=delay_ms)


def lost(ending: Ending) -> None:
    """Somebody else holds the work, or it was called off: what was asked of the provider is entered all the same."""
    with ending.gateway.store.transaction() as tx:
        _lost(ending, tx)
    _log.info("import.lost", import_id=ending.claimed.id)


def _lost(ending: Ending, tx: Transaction) -> None:
    if ending.connection is not None:
        _observed(ending, tx, ending.connection)
        if ending.begun:
            _outcome(ending, tx, ending.connection, "void", "lost")


def _observed(ending: Ending, tx: Transaction, connection: Connection) -> None:
    ending.observed.record(tx, connection, {"import": ending.row.id, "action": "import"})


def _outcome(ending: Ending, tx: Transaction, connection: Connection, outcome: str, reason: str | None) -> None:
    facts: dict[str, Any] = {
        "connection": connection.id,
        "import": ending.row.id,
        "number": ending.row.number,
        "outcome": outcome,
        "reason": reason,
        "attempt": ending.claimed.attempts,
        **(ending.counts or ending.row.counts),
    }
    append(tx, Entry(EntryKind.IMPORT, connection.tenant_id, connection.pseudonym, facts))
