"""Google as its documentation describes it, for as much as the adapter speaks.

Sources: developers.google.com: OpenID Connect, web server OAuth, People API v1 (people.get, people.connections.list).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, jsonify, redirect, request
from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT_ID = "407408718192.apps.googleusercontent.com"
CLIENT_SECRET = "GOCSPX-stand-in"
CONTACTS = "https://www.googleapis.com/auth/contacts.readonly"
BIRTHDAY = "https://www.googleapis.com/auth/user.birthday.read"
PRIMARY = {"primary": True, "source": {"type": "CONTACT", "id": "1"}}


@dataclass
class Grant:
    scopes: list[str]
    nonce: str = ""
    alive: bool = True


@dataclass
class State:
    claims: dict[str, Any]
    contacts: list[dict[str, Any]]
    changed: list[dict[str, Any]] = field(default_factory=list)
    unticked: list[str] = field(default_factory=list)
    page_size: int = 2
    sync_tokens: dict[str, bool] = field(default_factory=dict)  # token → still good
    codes: dict[str, dict[str, Any]] = field(default_factory=dict)
    access: dict[str, Grant] = field(default_factory=dict)
    refresh: dict[str, Grant] = field(default_factory=dict)
    queries: list[dict[str, str]] = field(default_factory=list)
    consented: bool = False
    error: tuple[int, str, str] | None = None  # status, status word, reason: the People API's next answer


def person(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "resourceName": f"people/c{number}",
        "etag": "%EgUBAj0DNy4aBAECBQc=",
        "metadata": {"sources": [{"type": "CONTACT", "id": str(number), "etag": "#x"}], "objectType": "PERSON"},
        "names": [
            {
                "metadata": PRIMARY,
                "displayName": f"Friend {number}",
                "displayNameLastFirst": f"{number}, Friend",
                "unstructuredName": f"Friend {number}",
                "givenName": "Friend",
                "familyName": str(number),
            }
        ],
        **fields,
    }


def new_state() -> State:
    return State(
        claims={
            "sub": "110169484474386276334",
            "name": "Ada Lindqvist",
            "given_name": "Ada",
            "family_name": "Lindqvist",
            "picture": "https://lh3.example.net/a/ada",
            "email": "ada@example.org",
            "email_verified": True,
            "hd": "example.org",
        },
        contacts=[
            person(
                1,
                emailAddresses=[
                    {"metadata": PRIMARY, "value": "one@example.net", "type": "home", "formattedType": "Home"},
                    {"metadata": {}, "value": "one@work.example", "type": "work", "formattedType": "Work"},
                ],
                phoneNumbers=[
                    {"metadata": PRIMARY, "value": "070-123", "canonicalForm": "+4670123", "type": "mobile"},
                ],
                addresses=[
                    {
                        "metadata": PRIMARY,
                        "formattedValue": "Storgatan 1\nUppsala",
                        "type": "home",
                        "formattedType": "Home",
                        "streetAddress": "Storgatan 1",
                        "city": "Uppsala",
                        "postalCode": "753 31",
                        "country": "Sweden",
                        "countryCode": "SE",
                    }
                ],
                organizations=[{"metadata": PRIMARY, "name": "Looms", "title": "Weaver", "current": True}],
                urls=[{"metadata": PRIMARY, "value": "https://one.example", "type": "blog", "formattedType": "Blog"}],
            ),
            person(
                2, birthdays=[{"metadata": PRIMARY, "date": {"year": 2019, "month": 5, "day": 17}, "text": "5/17/2019"}]
            ),
            person(3, birthdays=[{"metadata": PRIMARY, "date": {"month": 2, "day": 3}}], auras=[{"value": "blue"}]),
        ],
    )


@cache
def _key() -> RSAKey:
    return RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256", "kid": "stand-in"}, private=True)


def create_app(state: State | None = None) -> Flask:  # noqa: C901, PLR0915  one small route after another
    state = state or new_state()
    app = Flask("google stand-in")
    app.extensions["state"] = state

    def base() -> str:
        return request.host_url.rstrip("/")

    def oauth_error(error: str, status: int = 400, description: str = "…") -> Response:
        response = jsonify(error=error, error_description=description)
        response.status_code = status
        return response

    @app.get("/.well-known/openid-configuration")
    def discovery() -> Response:
        return jsonify(
            issuer=base(),
            authorization_endpoint=f"{base()}/o/oauth2/v2/auth",
            token_endpoint=f"{base()}/token",
            revocation_endpoint=f"{base()}/revoke",
            userinfo_endpoint=f"{base()}/v1/userinfo",
            jwks_uri=f"{base()}/oauth2/v3/certs",
            response_types_supported=["code", "token", "id_token"],
            subject_types_supported=["public"],
            id_token_signing_alg_values_supported=["RS256"],
            token_endpoint_auth_methods_supported=["client_secret_post", "client_secret_basic"],
            code_challenge_methods_supported=["plain", "S256"],
        )

    @app.get("/oauth2/v3/certs")
    def certs() -> Response:
        return jsonify(keys=[_key().as_dict(private=False)])

    @app.get("/o/oauth2/v2/auth")
    def authorize() -> Any:
        given = request.args
        code = "4/0A" + secrets.token_urlsafe(20)
        offline = given.get("access_type") == "offline" and (given.get("prompt") == "consent" or not state.consented)
        state.consented = True
        state.codes[code] = {
            **given,
            "offline": offline,
            "granted": [scope for scope in given["scope"].split() if scope not in state.unticked],
        }
        return redirect(f"{given['redirect_uri']}?{urlencode({'state': given['state'], 'code': code})}")

    @app.post("/token")
    def token() -> Response:
        form, basic = request.form, request.authorization
        pair = (basic.username, basic.password) if basic else (form.get("client_id"), form.get("client_secret"))
        if pair != (CLIENT_ID, CLIENT_SECRET):
            return oauth_error("invalid_client", 401)
        if form.get("grant_type") == "refresh_token":
            grant = state.refresh.get(form.get("refresh_token", ""))
            if grant is None or not grant.alive:
                return oauth_error("invalid_grant", description="Token has been expired or revoked.")
            return jsonify(new_access(grant))
        held = state.codes.pop(form.get("code", ""), None)
        digest = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if held is None or digest.rstrip(b"=").decode() != held["code_challenge"]:
            return oauth_error("invalid_grant", description="Malformed auth code.")
        grant = Grant(held["granted"], held.get("nonce", ""))
        answer = new_access(grant)
        if held["offline"]:
            refresh = "1//0" + secrets.token_urlsafe(20)
            state.refresh[refresh] = grant
            answer["refresh_token"] = refresh
        now = int(time.time())
        said = {"iss": base(), "aud": CLIENT_ID, "azp": CLIENT_ID, "iat": now, "exp": now + 3600, **state.claims}
        said["nonce"] = grant.nonce
        answer["id_token"] = jwt.encode({"alg": "RS256", "kid": "stand-in"}, said, _key())
        return jsonify(answer)

    def new_access(grant: Grant) -> dict[str, Any]:
        text = "ya29." + secrets.token_urlsafe(20)
        state.access[text] = grant
        return {"access_token": text, "expires_in": 3599, "scope": " ".join(grant.scopes), "token_type": "Bearer"}

    @app.post("/revoke")
    def revoke() -> Response:
        text = request.form.get("token", "")
        grant = state.refresh.get(text) or state.access.get(text)
        if grant is None or not grant.alive:
            return oauth_error("invalid_token", description="Token expired or revoked")
        grant.alive = False
        return jsonify({})

    def granted() -> Grant | None:
        grant = state.access.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        return grant if grant and grant.alive else None

    def api_error(status: int, word: str, reason: str) -> Response:
        info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}
        response = jsonify(error={"code": status, "message": "…", "status": word, "details": [info]})
        response.status_code = status
        return response

    @app.get("/v1/userinfo")
    def userinfo() -> Response:
        if granted() is None:
            return oauth_error("invalid_request", 401)
        return jsonify(state.claims)

    @app.get("/v1/people/me")
    def me() -> Response:
        grant = granted()
        if grant is None:
            return api_error(401, "UNAUTHENTICATED", "ACCESS_TOKEN_EXPIRED")
        answer: dict[str, Any] = {"resourceName": f"people/{state.claims['sub']}", "etag": "%Eg"}
        if BIRTHDAY in grant.scopes and "birthdays" in request.args["personFields"]:
            answer["birthdays"] = [{"metadata": PRIMARY, "date": {"year": 1988, "month": 12, "day": 10}}]
        return jsonify(answer)

    @app.get("/v1/people/me/connections")
    def connections() -> Response:
        grant, args = granted(), request.args.to_dict()
        state.queries.append(args)
        if grant is None:
            return api_error(401, "UNAUTHENTICATED", "ACCESS_TOKEN_EXPIRED")
        if state.error:
            return api_error(*state.error)
        if CONTACTS not in grant.scopes:
            return api_error(403, "PERMISSION_DENIED", "ACCESS_TOKEN_SCOPE_INSUFFICIENT")
        sync = args.get("syncToken")
        if sync and not state.sync_tokens.get(sync):
            return api_error(400, "FAILED_PRECONDITION", "EXPIRED_SYNC_TOKEN")
        rows = state.changed if sync else state.contacts
        start = int(args.get("pageToken", "0"))
        answer: dict[str, Any] = {"connections": rows[start : start + state.page_size], "totalItems": len(rows)}
        if start + state.page_size < len(rows):
            answer["nextPageToken"] = str(start + state.page_size)
        else:
            fresh = f"sync-{len(state.sync_tokens)}"
            state.sync_tokens[fresh] = True
            answer["nextSyncToken"] = fresh
        return jsonify(answer)

    return app
