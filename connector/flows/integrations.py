"""An integration with all that talking to its provider needs: facts, adapter, registration."""

from __future__ import annotations

from dataclasses import dataclass

from connector import clients
from connector.clients import Integration, find_integration
from connector.flows.gateway import Gateway
from connector.model.errors import NotFound
from connector.storage import Transaction
from providers import catalogue
from providers.capabilities import Adapter, Registration
from providers.catalogue import Entry as CatalogueEntry


@dataclass(frozen=True, slots=True)
class Integrated:
    """A tenant's integration, its catalogue entry, its adapter, and the registration the adapter sees."""

    integration: Integration
    entry: CatalogueEntry
    adapter: Adapter
    registration: Registration


def integrated(gateway: Gateway, tx: Transaction, tenant_id: str, integration_id: str) -> Integrated:
    """The integration, seal checked and secret opened. Raises NotFound."""
    integration = find_integration(tx, gateway.vault, tenant_id, integration_id)
    if integration is None:
        raise NotFound("integration")
    return Integrated(
        integration,
        catalogue.entry(integration.provider),
        catalogue.adapter(integration.provider),
        registration_of(gateway, integration),
    )


def registration_of(gateway: Gateway, integration: Integration) -> Registration:
    """The tenant's own registration at the provider, with the callback URL that is unique to it."""
    return clients.registration_of(integration, gateway.settings)


def callback_url(gateway: Gateway, integration_id: str) -> str:
    """Where the provider sends the browser back: one URL per integration, from settings, never from a Host header."""
    return f"{gateway.settings.server.public_url.rstrip('/')}/callback/{integration_id}"
