"""A person's choices as records, as far as a client may see them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import structlog

from connector import consent, ledger
from connector.clients import Client
from connector.consent import Consent
from connector.flows.gateway import Gateway
from connector.flows.standings import ground_of
from connector.storage import Transaction
from vault import RowSealBroken

_log = structlog.get_logger("consents")
_DAMAGED = "Its history does not hold together any more, so it is not shown; the operator finds it in the log."


@dataclass(frozen=True, slots=True)
class Shown:
    """A choice with its record (ISO/IEC TS 27560) and the ids of its receipts, oldest first."""

    consent: Consent
    record: dict[str, Any]
    receipts: tuple[str, ...]


def consents_of(gateway: Gateway, client: Client, sub: str) -> list[Shown]:
    """Each choice as it counts now, oldest first. Raises NotFound for nobody."""
    with gateway.store.read() as tx:
        ground = ground_of(gateway, tx, client.tenant_id, sub)
        kept = [
            replace(found, choice=ground.choice(found.connection_id, found.direction, found.field_group))
            for found in consent.of_user(tx, gateway.vault, client.tenant_id, sub)
        ]
        receipts = _receipts(tx, client.tenant_id, sub)
        return [
            Shown(found, _record(gateway, tx, found), receipts.get(found.id, ()))
            for found in kept
            if client.may_use(found.integration_id)
        ]


def consent_of(gateway: Gateway, client: Client, found: Consent) -> Shown:
    """One choice. What this client may not see has no record."""
    with gateway.store.read() as tx:
        if not client.may_use(found.integration_id):
            return Shown(found, {}, ())
        receipts = _receipts(tx, found.tenant_id, found.sub)
        return Shown(found, _record(gateway, tx, found), receipts.get(found.id, ()))


def _record(gateway: Gateway, tx: Transaction, found: Consent) -> dict[str, Any]:
    try:
        record = consent.record_of(tx, gateway.vault, found)
    except RowSealBroken:
        _log.error("consents.history_broken", consent=found.id)
        return {"id": found.id, "damaged": _DAMAGED}
    return {**record, "jsonld": consent.as_jsonld(record)}


def _receipts(tx: Transaction, tenant_id: str, sub: str) -> dict[str, tuple[str, ...]]:
    """The receipts of each choice: its `about` is the choice and the number of the event."""
    found: dict[str, tuple[str, ...]] = {}
    for kept in sorted(ledger.of_person(tx, tenant_id, sub), key=lambda one: one.ledger_entry_id):
        if kept.kind == "consent":
            consent_id = kept.about.partition("/")[0]
            found[consent_id] = (*found.get(consent_id, ()), kept.id)
    return found
