"""`client_credentials` (RFC 6749 section 4.4): a token for the JSON API, with scopes granted to the client."""

from __future__ import annotations

from connector.clients import API_SCOPES, issue_access_token
from connector.clients.access_tokens import LIFETIME_S
from connector.http.oauth.errors import OAuthError
from connector.http.oauth.token_request import TokenAnswer, TokenRequest


def grant(request: TokenRequest) -> TokenAnswer:
    """A token with the scopes asked for, or with all that the client has for itself.

    Raises:
        OAuthError: invalid_scope for a scope that was not granted to the client, or is for people.
    """
    own = tuple(scope for scope in request.client.scopes if scope in API_SCOPES)
    asked = request.scopes()
    scopes = own if asked is None else asked
    if not scopes or set(scopes) - set(own):
        raise OAuthError("invalid_scope", f"This client has for itself: {' '.join(own) or 'nothing'}.")
    parts = request.gateway
    with parts.store.transaction() as tx:
        token = issue_access_token(tx, parts.vault, request.client, kind="client", scopes=scopes)
    return {
        "access_token": token.reveal(),
        "token_type": "Bearer",
        "expires_in": LIFETIME_S,
        "scope": " ".join(scopes),
    }
