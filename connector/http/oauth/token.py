"""`POST /oauth/token`: authenticate the client, then hand over to the grant (RFC 6749 section 3.2)."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from connector.http.authentication import authenticated_client
from connector.http.context import gateway
from connector.http.oauth.errors import OAuthError
from connector.http.oauth.grants import GRANTS
from connector.http.oauth.token_request import TokenRequest
from connector.http.operations import INTEGER, TEXT, an_object, operation
from connector.http.request import FORM, form

blueprint = Blueprint("oauth_token", __name__)

_ANSWER = an_object(
    {"access_token": TEXT, "token_type": TEXT},
    {
        "expires_in": INTEGER,
        "scope": TEXT,
        "id_token": TEXT,
        "connection": TEXT,
        "issued_token_type": TEXT,
    },
)
_BODY = an_object(
    {"grant_type": TEXT},
    {
        "scope": TEXT,
        "code": TEXT,
        "code_verifier": TEXT,
        "redirect_uri": TEXT,
        "link_user": TEXT,
        "subject_token": TEXT,
        "subject_token_type": TEXT,
        "requested_token_type": TEXT,
        "purpose": TEXT,
        "min_ttl": INTEGER,
    },
)


@blueprint.post("/oauth/token")
@operation("Get a token", "OAuth", security="clients", body=_BODY, body_type=FORM, answers={200: _ANSWER})
def token() -> Response:
    """The answer of the grant that was asked for; never stored by anyone on the way."""
    fields = form()
    client = authenticated_client(fields)
    request = TokenRequest(gateway(), client, fields)
    grant = GRANTS.get(request.required("grant_type"))
    if grant is None:
        raise OAuthError("unsupported_grant_type", f"Known grant types: {' '.join(sorted(GRANTS))}.")
    answer = jsonify(dict(grant(request)))
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Pragma"] = "no-cache"
    return answer
