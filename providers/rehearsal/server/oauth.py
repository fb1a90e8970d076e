"""The OAuth 2.0 and OpenID Connect side: authorize, token, revoke, introspect, userinfo, discovery, keys."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_plus, urlencode, urlsplit

from flask import Blueprint, Response, current_app, g, jsonify, redirect, request
from joserfc import jwt
from joserfc.jwk import Key

from providers.rehearsal.server.config import SCOPES
from providers.rehearsal.server.pages import authorize_page, plain_page, summary
from providers.rehearsal.server.people import claims
from providers.rehearsal.server.state import Grant, Refused, State

oauth = Blueprint("oauth", __name__)

_CARRIED = (
    "client_id",
    "redirect_uri",
    "response_type",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "scope",
)
_CHALLENGE_LENGTH = 43  # base64url of SHA-256, unpadded


def state() -> State:
    """This app's state."""
    found: State = current_app.extensions["rehearsal"]
    return found


def issuer() -> str:
    """The issuer: as configured, else where this request came to."""
    return state().config.issuer or request.host_url.rstrip("/")


@oauth.get("/.well-known/openid-configuration")
@oauth.get("/.well-known/oauth-authorization-server")
def discovery() -> Response:
    """OpenID Connect Discovery 1.0 section 3, RFC 8414 section 3."""
    base = issuer()
    return jsonify(
        issuer=base,
        authorization_endpoint=f"{base}/authorize",
        token_endpoint=f"{base}/token",
        revocation_endpoint=f"{base}/revoke",
        introspection_endpoint=f"{base}/introspect",
        userinfo_endpoint=f"{base}/userinfo",
        jwks_uri=f"{base}/jwks",
        scopes_supported=list(SCOPES),
        response_types_supported=["code"],
        response_modes_supported=["query"],
        grant_types_supported=["authorization_code", "refresh_token"],
        subject_types_supported=["public"],
        id_token_signing_alg_values_supported=["RS256"],
        token_endpoint_auth_methods_supported=["client_secret_basic", "client_secret_post"],
        revocation_endpoint_auth_methods_supported=["client_secret_basic", "client_secret_post"],
        introspection_endpoint_auth_methods_supported=["client_secret_basic", "client_secret_post"],
        code_challenge_methods_supported=["S256"],
        claims_supported=["sub", "name", "given_name", "family_name", "nickname", "birthdate", "locale", "email"],
        authorization_response_iss_parameter_supported=True,
        prompt_values_supported=["none", "login", "consent", "select_account"],
    )


@oauth.get("/jwks")
def jwks() -> Response:
    """The public keys (RFC 7517 section 5)."""
    return jsonify(state().keys.as_dict(private=False))


@oauth.route("/authorize", methods=["GET", "POST"])
def authorize() -> Response:
    """The authorization endpoint. GET shows the page, POST of its form decides."""
    given = {name: value for name, value in request.values.items() if name in _CARRIED}
    broken = _unusable_client(given)
    if broken:
        return Response(plain_page("This request cannot be used", broken), HTTPStatus.BAD_REQUEST)
    error = _wrong_request(given)
    if error:
        return _back(given, {"error": error[0], "error_description": error[1]})
    if request.method == "POST":
        return _decided(given)
    if state().config.auto_approve:
        hint = request.args.get("login_hint", "")
        return _approved(given, state().person_named(hint or next(iter(state().profiles))), _asked(given))
    if request.args.get("prompt") == "none":
        return _back(given, {"error": "login_required", "error_description": "Nobody stays signed in here."})
    page = authorize_page(
        action="/authorize",
        client_id=given["client_id"],
        hidden=given,
        people=[summary(profile.fields) for profile in state().profiles.values()],
        scopes=_asked(given),
        login_hint=request.args.get("login_hint", ""),
    )
    return _page(page)


def _page(html: str) -> Response:
    return Response(
        html,
        headers={
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        },
    )


def _unusable_client(given: Mapping[str, str]) -> str:
    """Why nobody can be sent back: RFC 6749 section 4.1.2.1 forbids a redirect then. "" where all is well."""
    client = state().client(given.get("client_id", ""))
    if client is None:
        return "No app with this client id is registered here."
    uri = given.get("redirect_uri", "")
    if client.redirect_uris and uri not in client.redirect_uris:
        return "The redirect URI is not one of those that this app has registered."
    if urlsplit(uri).scheme not in ("http", "https") or urlsplit(uri).fragment:
        return "The redirect URI must be an http or https address without a fragment."
    return ""


def _wrong_request(given: Mapping[str, str]) -> tuple[str, str] | None:
    if given.get("response_type") != "code":
        return "unsupported_response_type", "Only response_type=code is spoken here."
    if given.get("code_challenge_method") != "S256" or len(given.get("code_challenge", "")) != _CHALLENGE_LENGTH:
        return "invalid_request", "PKCE with S256 is required."
    unknown = [scope for scope in given.get("scope", "").split() if scope not in SCOPES]
    return ("invalid_scope", "A scope is not known here.") if unknown else None


def _asked(given: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(given.get("scope", "").split()))


def _decided(given: Mapping[str, str]) -> Response:
    if request.form.get("decision") != "approve":
        return _back(given, {"error": "access_denied", "error_description": "The person refused."})
    typed = request.form.get("other", "").strip()
    person = state().person_named(typed) if typed else request.form.get("person", "")
    if person not in state().profiles:
        return Response(
            plain_page("Who are you?", "Go back, and choose a person or type a name."), HTTPStatus.BAD_REQUEST
        )
    granted = set(request.form.getlist("granted")) | {"openid"}
    return _approved(given, person, tuple(scope for scope in _asked(given) if scope in granted))


def _approved(given: Mapping[str, str], person: str, scopes: tuple[str, ...]) -> Response:
    now = state().now()
    grant = Grant("g_" + secrets.token_hex(8), given["client_id"], person, scopes, now // 1000, given.get("nonce", ""))
    code = state().new_code(grant, given["redirect_uri"], given["code_challenge"])
    state().oracle.note("approved", client=grant.client_id, person=person, grant=grant.id, scope=" ".join(scopes))
    return _back(given, {"code": code})


def _back(given: Mapping[str, str], answer: dict[str, str]) -> Response:
    """Back to the app, with its state and our issuer (RFC 9207)."""
    answer["iss"] = issuer()
    if "state" in given:
        answer["state"] = given["state"]
    uri = given["redirect_uri"]
    sent = redirect(f"{uri}{'&' if '?' in uri else '?'}{urlencode(answer)}", HTTPStatus.SEE_OTHER)
    return Response(status=sent.status_code, headers={"Location": sent.location, "Referrer-Policy": "no-referrer"})


@oauth.post("/token")
def token() -> Response:
    """The token endpoint (RFC 6749 section 3.2)."""
    client_id = authenticate()
    g.about["grant_type"] = request.form.get("grant_type", "")
    if g.about["grant_type"] == "authorization_code":
        form = request.form
        grant = state().take_code(
            form.get("code", ""), client_id, form.get("redirect_uri", ""), form.get("code_verifier", "")
        )
        keeps = state().config.always_refresh or "offline_access" in grant.scopes
        return _tokens(grant, state().new_refresh(grant) if keeps else None, with_id="openid" in grant.scopes)
    if g.about["grant_type"] == "refresh_token":
        grant, replacement = state().use_refresh(request.form.get("refresh_token", ""), client_id)
        return _tokens(grant, replacement, with_id=False)
    raise Refused("unsupported_grant_type", "Only authorization_code and refresh_token are spoken here.")


def _tokens(grant: Grant, refresh: str | None, *, with_id: bool) -> Response:
    g.about |= {"person": grant.person, "grant": grant.id}
    access = state().new_access(grant)
    answer: dict[str, Any] = {
        "access_token": access,
        "token_type": "Bearer",
        "expires_in": state().config.access_token_s,
        "scope": " ".join(grant.scopes),
    }
    if refresh is not None:
        answer["refresh_token"] = refresh
    if with_id:
        answer["id_token"] = _id_token(grant, access)
    response = jsonify(answer)
    response.headers["Cache-Control"] = "no-store"
    return response


def _id_token(grant: Grant, access: str) -> str:
    """OpenID Connect Core section 2, with at_hash of section 3.1.3.6."""
    now = state().now() // 1000
    half = hashlib.sha256(access.encode()).digest()[:16]
    said = {
        "iss": issuer(),
        "aud": grant.client_id,
        "iat": now,
        "exp": now + 300,
        "auth_time": grant.auth_time,
        "at_hash": base64.urlsafe_b64encode(half).rstrip(b"=").decode(),
        **claims(state().profiles[grant.person].fields, grant.scopes),
    }
    if grant.nonce:
        said["nonce"] = grant.nonce
    key: Key = state().keys.keys[0]
    return jwt.encode({"alg": "RS256", "kid": key.kid}, said, key, algorithms=["RS256"])


@oauth.post("/revoke")
def revoke() -> Response:
    """RFC 7009: 200 also for what is not known here."""
    client_id = authenticate()
    sent = request.form.get("token", "")
    held = state().refresh.get(sent) or state().access.get(sent)
    if held is not None:
        g.about |= {"person": held.grant.person, "grant": held.grant.id}
    state().revoke_token(sent, client_id)
    return Response(status=HTTPStatus.OK)


@oauth.post("/introspect")
def introspect() -> Response:
    """RFC 7662."""
    client_id = authenticate()
    sent = request.form.get("token", "")
    held = state().live_access(sent) or state().live_refresh(sent)
    if held is None or held.grant.client_id != client_id:
        return jsonify(active=False)
    answer: dict[str, Any] = {
        "active": True,
        "client_id": client_id,
        "sub": held.grant.person,
        "scope": " ".join(held.grant.scopes),
        "iss": issuer(),
    }
    expires_at = getattr(held, "expires_at", None)
    if expires_at is not None:
        answer |= {"exp": expires_at // 1000, "token_type": "Bearer"}
    return jsonify(answer)


@oauth.route("/userinfo", methods=["GET", "POST"])
def userinfo() -> Response:
    """OpenID Connect Core section 5.3."""
    grant = bearer_grant()
    return jsonify(claims(state().profiles[grant.person].fields, grant.scopes))


def authenticate() -> str:
    """The client id of a client that proved its secret (RFC 6749 section 2.3.1). Raises Refused(invalid_client)."""
    basic = request.headers.get("Authorization", "")
    client_id, secret = request.form.get("client_id", ""), request.form.get("client_secret", "")
    if basic.startswith("Basic "):
        client_id, secret = _basic(basic)
    client = state().client(client_id)
    if client is None or not secrets.compare_digest(client.secret.encode(), secret.encode()):
        raise Refused(
            "invalid_client", "The client is not known here, or its secret is wrong.", HTTPStatus.UNAUTHORIZED
        )
    g.about["client"] = client_id
    return client_id


def _basic(header: str) -> tuple[str, str]:
    try:
        user, _, password = base64.b64decode(header[6:], validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return unquote_plus(user), unquote_plus(password)


def bearer_grant(scope: str = "") -> Grant:
    """The grant of the bearer token sent, where it reaches `scope` (RFC 6750 section 3.1). Raises Refused."""
    header = request.headers.get("Authorization", "")
    held = state().live_access(header[7:]) if header.startswith("Bearer ") else None
    if held is None:
        raise Refused("invalid_token", "The access token has ended or is not known here.", HTTPStatus.UNAUTHORIZED)
    g.about |= {"client": held.grant.client_id, "person": held.grant.person, "grant": held.grant.id}
    if scope and scope not in held.grant.scopes:
        raise Refused("insufficient_scope", f"This needs the scope {scope}.", HTTPStatus.FORBIDDEN)
    return held.grant
