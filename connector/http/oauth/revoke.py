"""`POST /oauth/revoke` (RFC 7009): end one of our own access tokens. Connections end through the API, not here."""

from __future__ import annotations

from flask import Blueprint, Response

from connector.clients import revoke_access_token
from connector.http.authentication import authenticated_client
from connector.http.context import gateway
from connector.http.oauth.errors import OAuthError
from connector.http.operations import TEXT, an_object, operation
from connector.http.request import FORM, form

blueprint = Blueprint("oauth_revoke", __name__)


@blueprint.post("/oauth/revoke")
@operation(
    "End an access token",
    "OAuth",
    security="clients",
    body=an_object({"token": TEXT}, {"token_type_hint": TEXT}),
    body_type=FORM,
    answers={200: None},
)
def revoke() -> Response:
    """200 for a token that was ended, and for one that never was or is another client's (RFC 7009 section 2.2)."""
    fields = form()
    client = authenticated_client(fields)
    if "token" not in fields:
        raise OAuthError("invalid_request", "The parameter token is missing.", code="missing_parameter")
    with gateway().store.transaction() as tx:
        revoke_access_token(tx, client, fields["token"])
    return Response(status=200)
