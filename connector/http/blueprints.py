"""Every blueprint of the door, by name: what is not in this list is not served."""

from __future__ import annotations

from flask import Blueprint

from connector.http import callback, documents, health
from connector.http.api import connections, providers
from connector.http.oauth import authorize, introspect, jwks, metadata, par, revoke, token, userinfo

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
)
