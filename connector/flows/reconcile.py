"""Attempts that were cut off get their outcome: unknown. The next attempt at the same work finds out what happened.

A worker writes the intent, sends, and writes the outcome. Where it died in between, nobody else can know whether its
request arrived; that is said in the ledger, once the work is in other hands, waits, or is over.
"""

from __future__ import annotations

from typing import Any

import structlog

from connector import ledger, work
from connector.flows.gateway import Gateway
from connector.ledger import OUTCOME_OF, Entry, Intent
from connector.storage import Transaction

BATCH = 100
_TABLES = {"push_intent": "deliveries", "import_started": "imports", "revocation_intent": "revocations"}
_PLACES = ("connection", "integration", "delivery", "import", "revocation", "field_group", "number", "attempt")

_log = structlog.get_logger("reconcile")


def step(gateway: Gateway) -> int:
    """One round; how many attempts got their outcome."""
    with gateway.store.read() as tx:
        found = ledger.open_intents(tx, BATCH)
    done = 0
    for intent in found:
        with gateway.store.transaction() as tx:
            done += _reconciled(tx, intent)
    return done


def _reconciled(tx: Transaction, intent: Intent) -> bool:
    if work.is_held(tx, _TABLES[intent.kind], intent.work, intent.attempt) or not ledger.take(tx, intent):
        return False
    entry = ledger.get(tx, intent.entry_id)
    if entry is None:
        return False
    allowed = {name: entry.facts[name] for name in _PLACES if entry.facts.get(name) is not None}
    facts: dict[str, Any] = {**allowed, "outcome": "unknown", "reason": "interrupted"}
    ledger.append(tx, Entry(OUTCOME_OF[intent.kind], entry.tenant_id, entry.pseudonym, facts))
    _log.warning("reconcile.interrupted", kind=intent.kind, work=intent.work, attempt=intent.attempt)
    return True
