"""The gateway's metadata: OpenID Connect Discovery 1.0 and RFC 8414, one document at two addresses."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from connector.clients import SCOPES, SIGNING_ALGORITHMS
from connector.http.context import gateway
from connector.http.oauth.grants import GRANTS
from connector.http.operations import operation

blueprint = Blueprint("oauth_metadata", __name__)

CACHED = "public, max-age=300"
CLIENT_AUTHENTICATION = ["client_secret_basic", "client_secret_post", "private_key_jwt"]
CLAIMS = ["sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "idp", "connection"]
PROFILE_CLAIMS = [
    "name",
    "given_name",
    "family_name",
    "nickname",
    "picture",
    "locale",
    "birthdate",
    "email",
    "email_verified",
]


@blueprint.get("/.well-known/openid-configuration")
@blueprint.get("/.well-known/oauth-authorization-server")
@operation("What this authorization server does", "OAuth", answers={200: {"type": "object"}})
def metadata() -> Response:
    """The document. Every address is built from `server.public_url`, never from the Host header."""
    answer = jsonify(document(gateway().settings.server.public_url))
    answer.headers["Cache-Control"] = CACHED
    return answer


def document(issuer: str) -> dict[str, Any]:
    """The metadata of an issuer."""
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "pushed_authorization_request_endpoint": f"{issuer}/oauth/par",
        "token_endpoint": f"{issuer}/oauth/token",
        "revocation_endpoint": f"{issuer}/oauth/revoke",
        "introspection_endpoint": f"{issuer}/oauth/introspect",
        "userinfo_endpoint": f"{issuer}/oauth/userinfo",
        "jwks_uri": f"{issuer}/oauth/jwks",
        "service_documentation": f"{issuer}/docs",
        "scopes_supported": list(SCOPES),
        "claims_supported": CLAIMS + PROFILE_CLAIMS,
        "claim_types_supported": ["normal"],
        "claims_parameter_supported": False,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": sorted(GRANTS),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none", "consent", "login", "select_account"],
        **_authentication("token_endpoint"),
        **_authentication("revocation_endpoint"),
        **_authentication("introspection_endpoint"),
        "authorization_response_iss_parameter_supported": True,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "require_request_uri_registration": False,
        "require_pushed_authorization_requests": False,
    }


def _authentication(endpoint: str) -> dict[str, Any]:
    return {
        f"{endpoint}_auth_methods_supported": CLIENT_AUTHENTICATION,
        f"{endpoint}_auth_signing_alg_values_supported": list(SIGNING_ALGORITHMS),
    }
