"""Every blueprint of the door, by name: what is not in this list is not served."""

from __future__ import annotations

from flask import Blueprint

from connector.http import callback, deletions, documents, health, signals
from connector.http.api import (
    changes,
    connections,
    consents,
    contacts,
    deliveries,
    disclosures,
    imports,
    inbox,
    portal,
    profile,
    providers,
    receipts,
    revocations,
    users,
)
from connector.http.oauth import authorize, introspect, jwks, metadata, par, revoke, token, userinfo
from connector.http.pages import portal_actions, portal_inbox, portal_policy, portal_views

BLUEPRINTS: tuple[Blueprint, ...] = (
    health.blueprint,
    documents.blueprint,
    metadata.blueprint,
    jwks.blueprint,
    authorize.blueprint,
    par.blueprint,
    callback.blueprint,
    token.blueprint,
    revoke.blueprint,
    introspect.blueprint,
    userinfo.blueprint,
    providers.blueprint,
    connections.blueprint,
    imports.blueprint,
    profile.blueprint,
    contacts.blueprint,
    changes.blueprint,
    consents.blueprint,
    deliveries.blueprint,
    revocations.blueprint,
    receipts.blueprint,
    disclosures.blueprint,
    inbox.blueprint,
    users.blueprint,
    portal.blueprint,
    signals.blueprint,
    deletions.blueprint,
    portal_views.blueprint,
    portal_actions.blueprint,
    portal_inbox.blueprint,
    portal_policy.blueprint,
)
