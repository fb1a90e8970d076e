"""`authorization_code` (RFC 6749 section 4.1.3) with PKCE (RFC 7636), and `link_user` where the flow links."""

from __future__ import annotations

from connector.flows.signup_link import Redemption, redeem
from connector.http.oauth.token_request import TokenAnswer, TokenRequest
from providers.secret import Secret


def grant(request: TokenRequest) -> TokenAnswer:
    """Tokens for a code.

    Raises:
        OAuthError: a parameter is missing.
        GrantRefused: `invalid_grant`; its `code` says why.
    """
    redemption = Redemption(
        code=Secret(request.required("code")),
        redirect_uri=request.required("redirect_uri"),
        code_verifier=Secret(request.required("code_verifier")),
        link_user=request.fields.get("link_user"),
    )
    signed_in = redeem(request.gateway, request.client, redemption)
    return {
        "access_token": signed_in.access_token.reveal(),
        "token_type": "Bearer",
        "expires_in": signed_in.expires_in,
        "scope": " ".join(signed_in.scope),
        "id_token": signed_in.id_token.reveal(),
        "connection": signed_in.connection_id,
    }
