"""Attempts that were cut off get their outcome: unknown. The next attempt at the same work finds out what happened.

A worker writes the intent, sends, and writes the outcome. Where it died in between, nobody else can know whether its
request arrived; that is said in the ledger, once the work is in other hands, waits, or is over. A refresh is the same,
its claim being the work.
"""

from __future__ import annotations

from typing import Any

import structlog

from connector import connections, ledger, work
from connector.flows.gateway import Gateway
from connector.ledger import OUTCOME_OF, Entry, Intent
from connector.storage import Transaction

BATCH = 1_000  # of those, nearly all are under way
_TABLES = {"push_intent": "deliveries", "import_started": "imports", "revocation_intent": "revocations"}
_PLACES = (
    "connection",
    "integration",
    "generation",
    "delivery",
    "import",
    "revocation",
    "field_group",
    "number",
    "attempt",
)

_log = structlog.get_logger("reconcile")


def step(gateway: Gateway) -> int:
    """One round; how many attempts got their outcome."""
    with gateway.store.read() as tx:
        found = [one for one in ledger.open_intents(tx, BATCH) if not _is_held(tx, one)]
    done = 0
    for intent in found:
        with gateway.store.transaction() as tx:
            done += _reconciled(tx, intent)
    return done


def _reconciled(tx: Transaction, intent: Intent) -> bool:
    if _is_held(tx, intent) or not ledger.take(tx, intent):
        return False
    entry = ledger.get(tx, intent.entry_id)
    if entry is None:
        return False
    allowed = {name: entry.facts[name] for name in _PLACES if entry.facts.get(name) is not None}
    facts: dict[str, Any] = {**allowed, "outcome": "unknown", "reason": "interrupted"}
    ledger.append(tx, Entry(OUTCOME_OF[intent.kind], entry.tenant_id, entry.pseudonym, facts))
    _log.warning("reconcile.interrupted", kind=intent.kind, work=intent.work, attempt=intent.attempt)
    return True


def _is_held(tx: Transaction, intent: Intent) -> bool:
    """Whether somebody is at it, or will find it left behind and take it over."""
    table = _TABLES.get(intent.kind)
    if table is None:
        return connections.is_claimed(tx, intent.work, intent.attempt)
    return work.is_held(tx, table, intent.work, intent.attempt)
