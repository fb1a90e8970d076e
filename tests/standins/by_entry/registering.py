"""Registers an app there, once it says all that the provider wants to know."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from providers.exchange import Request, Response
from tests.standins.by_entry.refusing import Refused, as_json, read_body

if TYPE_CHECKING:
    from tests.standins.by_entry.provider import Provider

CLIENT_ID = "client:1"  # a colon, so that a Basic header without form-encoding shows
CLIENT_SECRET = "s3cret/+ % long enough for a key"


def register(provider: Provider, request: Request) -> Response:
    """The one app that this provider knows."""
    entry = provider.entry
    if request.headers.get("Authorization"):
        raise Refused("nobody has credentials before there is an app")
    if entry.registration.protocol == "mastodon":
        fields = read_body(request, "form")
        provider.has(fields, {"redirect_uris": provider.redirect_uri})
        scopes = fields.get("scopes", "")
    else:
        asked = json.loads(request.body or b"{}")
        if asked.get("redirect_uris") != [provider.redirect_uri] or asked.get("response_types") != ["code"]:
            raise Refused("the app says another callback, or asks for something else than codes")
        if asked.get("token_endpoint_auth_method") not in entry.token.authentication:
            raise Refused("the app would authenticate in a way that is not taken there")
        fields, scopes = asked, asked.get("scope", "")
    if not fields.get("client_name"):
        raise Refused("the app has no name")
    if not set(filter(None, scopes.split(entry.scope_separator))) <= set(entry.scopes):
        raise Refused("the app asks for scopes that are not known there")
    return as_json(201, {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET})
