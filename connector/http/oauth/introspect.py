"""`POST /oauth/introspect` (RFC 7662): what one of the client's own access tokens is good for."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from connector.clients import Caller, access_token_of
from connector.http.authentication import authenticated_client
from connector.http.context import gateway
from connector.http.oauth.errors import OAuthError
from connector.http.operations import FLAG, INTEGER, TEXT, an_object, operation
from connector.http.request import FORM, form

blueprint = Blueprint("oauth_introspect", __name__)


@blueprint.post("/oauth/introspect")
@operation(
    "What an access token is good for",
    "OAuth",
    security="clients",
    body=an_object({"token": TEXT}, {"token_type_hint": TEXT}),
    body_type=FORM,
    answers={
        200: an_object(
            {"active": FLAG},
            {
                "scope": TEXT,
                "client_id": TEXT,
                "sub": TEXT,
                "token_type": TEXT,
                "exp": INTEGER,
                "iat": INTEGER,
                "iss": TEXT,
            },
        )
    },
)
def introspect() -> dict[str, Any]:
    """`active: false` and nothing else for whatever is not this tenant's live token: why is not said."""
    fields = form()
    client = authenticated_client(fields)
    if "token" not in fields:
        raise OAuthError("invalid_request", "The parameter token is missing.", code="missing_parameter")
    with gateway().store.read() as tx:
        found = access_token_of(tx, gateway().vault, fields["token"])
    if found is None or found.tenant_id != client.tenant_id:
        return {"active": False}
    return _shown(found, gateway().settings.server.public_url)


def _shown(found: Caller, issuer: str) -> dict[str, Any]:
    return {
        "active": True,
        "scope": " ".join(sorted(found.scopes)),
        "client_id": found.client.id,
        "sub": found.sub or found.client.id,
        "token_type": "Bearer",
        "exp": found.expires_at // 1000,
        "iat": found.created_at // 1000,
        "iss": issuer,
    }
