"""Token exchange (RFC 8693): a connection's id in, the provider's fresh access token out.

The subject token is no secret by itself: what counts are the client's own credentials and what was granted to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connector.clients import Client
from connector.flows.fresh_token import fresh_token
from connector.http.api.connections import token_document, wanted_token
from connector.http.context import gateway
from connector.http.oauth.errors import OAuthError
from connector.model.errors import Conflict, Forbidden, Gone, NotFound, RefusedByPolicy

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  the name of a type, RFC 8693 section 3
SCOPE = "tokens:exchange"


def subject_token_type() -> str:
    """The type of subject token that is taken: a connection of this issuer."""
    return f"{gateway().settings.server.public_url.rstrip('/')}/token-type/connection"


def exchange(client: Client, fields: Mapping[str, str]) -> dict[str, Any]:
    """The answer of RFC 8693 section 2.2.1. Never a refresh token.

    Raises:
        OAuthError: invalid_request with a code (revoked, needs_reauth, refused, unknown_connection), invalid_target,
            unauthorized_client.
        BadInput: invalid_scope, or a parameter that makes no sense.
        TryLater: the provider is down.
    """
    if SCOPE not in client.scopes:
        raise OAuthError("unauthorized_client", f"This client was not granted {SCOPE}.")
    if fields.get("subject_token_type") != subject_token_type():
        raise OAuthError("invalid_request", f"subject_token_type is {subject_token_type()}.")
    if fields.get("requested_token_type", ACCESS_TOKEN) != ACCESS_TOKEN:
        raise OAuthError("invalid_request", f"requested_token_type is {ACCESS_TOKEN}; no other leaves the vault.")
    if {"resource", "audience"} & fields.keys():
        raise OAuthError("invalid_target", "The token is for the connection's own provider; leave out the target.")
    if "actor_token" in fields:
        raise OAuthError("invalid_request", "Delegation is not offered; leave out actor_token.")
    connection_id = fields.get("subject_token", "")
    if not connection_id:
        raise OAuthError("invalid_request", "subject_token is the id of a connection.")
    try:
        handed = fresh_token(gateway(), client, wanted_token(client, connection_id, fields))
    except (Gone, Conflict, NotFound, RefusedByPolicy) as cause:
        raise OAuthError.of("invalid_request", cause) from cause
    except Forbidden as cause:
        raise OAuthError.of("invalid_target", cause) from cause
    return {**token_document(handed), "issued_token_type": ACCESS_TOKEN}
