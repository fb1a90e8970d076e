"""A person's choices as records, as far as a client may see them."""

from __future__ import annotations

from typing import Any

from connector import consent
from connector.clients import Client
from connector.consent import Consent
from connector.flows.gateway import Gateway
from connector.flows.standings import ground_of


def consents_of(gateway: Gateway, client: Client, sub: str) -> list[tuple[Consent, dict[str, Any]]]:
    """Each choice with its record (ISO/IEC TS 27560), oldest first. Raises NotFound for nobody."""
    with gateway.store.read() as tx:
        ground_of(gateway, tx, client.tenant_id, sub)
        return [
            (found, consent.record_of(tx, gateway.vault, found))
            for found in consent.of_user(tx, gateway.vault, client.tenant_id, sub)
            if client.may_use(found.integration_id)
        ]


def consent_of(gateway: Gateway, client: Client, found: Consent) -> dict[str, Any]:
    """The record of one choice."""
    with gateway.store.read() as tx:
        return consent.record_of(tx, gateway.vault, found) if client.may_use(found.integration_id) else {}
