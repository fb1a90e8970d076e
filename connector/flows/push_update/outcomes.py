"""How a delivery ends or waits: the row, and the ledger."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from connector import records, work
from connector.connections import Connection
from connector.flows.gateway import Gateway
from connector.flows.observed import Observed
from connector.ledger import Entry, append
from connector.ledger import Kind as EntryKind
from connector.records import Delivery
from connector.storage import Transaction
from connector.work import Claimed

TABLE = "deliveries"

_log = structlog.get_logger("push")


@dataclass(slots=True)
class Sending:
    """A claimed delivery in this process. `connection` is None until it was read."""

    gateway: Gateway
    claimed: Claimed
    row: Delivery
    observed: Observed
    connection: Connection | None = None
    intended: bool = False


def settle(sending: Sending, state: str, outcome: Mapping[str, Any]) -> None:
    """It is over. `outcome` is what the app and the person are shown: words, pointers and clauses, no values."""
    with sending.gateway.store.transaction() as tx:
        claimed = sending.claimed
        if not work.settle(
            tx, TABLE, claimed.id, claimed.fence, state, outcome=json.dumps(dict(outcome)), finished_at=tx.now()
        ):
            # Revoked or taken over meanwhile. Who took over settles it; what was called off is told what happened.
            records.note_late_outcome(tx, claimed.id, outcome)
            _log.warning("push.lost", delivery=claimed.id)
        _entries(sending, tx, str(outcome["result"]), len(outcome.get("written", ())))
    _log.info("push.ended", delivery=sending.claimed.id, state=state, result=outcome["result"])


def later(sending: Sending, delay_ms: int, reason: str, *, took_effect: str) -> None:
    """It is tried again. `took_effect`: no (nothing happened there) or unknown (then the mark of sending stays)."""
    with sending.gateway.store.transaction() as tx:
        claimed = sending.claimed
        if took_effect == "no":
            records.mark_sent(tx, claimed.id, claimed.fence, sent=False)
        waiting = json.dumps({"result": "waiting", "reason": reason})
        work.retry(tx, TABLE, claimed.id, claimed.fence, delay_ms, outcome=waiting)
        _entries(sending, tx, "unknown" if took_effect == "unknown" else "not_sent", 0, reason=reason)
    _log.info("push.later", delivery=sending.claimed.id, reason=reason, delay_ms=delay_ms)


def _entries(sending: Sending, tx: Transaction, result: str, written: int, *, reason: str | None = None) -> None:
    """Every intent has its outcome, and every request its line."""
    connection = sending.connection
    if connection is None:
        return
    sending.observed.record(tx, connection, {"delivery": sending.row.id, "action": "push"})
    if not sending.intended:
        return
    facts: dict[str, Any] = {
        "connection": connection.id,
        "delivery": sending.row.id,
        "field_group": sending.row.field_group,
        "outcome": result,
        "reason": reason,
        "attempt": sending.claimed.attempts,
        "count": written,
    }
    append(tx, Entry(EntryKind.PUSH_OUTCOME, connection.tenant_id, connection.pseudonym, facts))
