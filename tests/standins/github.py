"""GitHub as its documentation describes it, for as much as the adapter speaks.

Sources: docs.github.com: authorizing OAuth apps, troubleshooting, users, emails, oauth-applications, limits.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, jsonify, redirect, request

CLIENT_ID = "Iv1.8a61f9b3a7aba766"
CLIENT_SECRET = "c1e5a0d3f0c94d0f8f3a2b1c4d5e6f708192a3b4"


@dataclass
class State:
    user: dict[str, Any]
    emails: list[dict[str, Any]]
    form_answers: bool = False  # answers of the token endpoint as a form, whatever was asked
    refreshing: bool = False  # a GitHub App with expiring tokens
    limited: bool = False
    codes: dict[str, dict[str, Any]] = field(default_factory=dict)
    tokens: dict[str, list[str]] = field(default_factory=dict)
    refresh: dict[str, list[str]] = field(default_factory=dict)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)


def new_state() -> State:
    return State(
        user={
            "login": "ada",
            "id": 90071992547409931,  # more than a float can hold exactly
            "node_id": "MDQ6VXNlcjE=",
            "avatar_url": "https://avatars.example.net/u/1?v=4",
            "gravatar_id": "",
            "url": "https://api.github.com/users/ada",
            "html_url": "https://github.com/ada",
            "type": "User",
            "site_admin": False,
            "name": "Ada Lindqvist",
            "company": "@analytical",
            "blog": "ada.example.org",
            "location": "Uppsala",
            "email": None,
            "hireable": None,
            "bio": "Likes looms.",
            "twitter_username": "ada",
            "public_repos": 2,
            "followers": 20,
            "created_at": "2008-01-14T04:33:35Z",
            "plan": {"name": "free"},
            "x_brand_new_field": "never seen before",
        },
        emails=[
            {"email": "old@example.org", "primary": False, "verified": True, "visibility": None},
            {"email": "ada@example.org", "primary": True, "verified": True, "visibility": "private"},
            {"email": "unproven@example.org", "primary": False, "verified": False, "visibility": None},
        ],
    )


def create_app(state: State | None = None) -> Flask:  # noqa: C901, PLR0915  one small route after another
    state = state or new_state()
    app = Flask("github stand-in")
    app.extensions["state"] = state

    def problem(status: int, message: str) -> Response:
        response = jsonify(message=message, documentation_url="https://docs.github.com/rest", status=str(status))
        response.status_code = status
        return response

    def token_answer(fields: dict[str, Any]) -> Response:
        """200 in all cases; a form where it was not asked for JSON, or where the state says so."""
        if state.form_answers or request.headers.get("Accept") != "application/json":
            return Response(urlencode(fields), content_type="application/x-www-form-urlencoded; charset=utf-8")
        return jsonify(fields)

    def scopes() -> list[str] | None:
        header = request.headers.get("Authorization", "")
        return state.tokens.get(header.removeprefix("Bearer "))

    @app.before_request
    def limits() -> Response | None:
        if request.path.startswith("/login"):
            return None
        state.agents.add(request.headers.get("User-Agent", ""))
        if state.limited:
            response = problem(403, "API rate limit exceeded")
            response.headers |= {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + 600)}
            response.headers["Date"] = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
            return response
        return None

    @app.get("/login/oauth/authorize")
    def authorize() -> Any:
        given = request.args
        code = secrets.token_hex(10)
        state.codes[code] = {
            "redirect_uri": given["redirect_uri"],
            "challenge": given["code_challenge"],
            "scopes": given["scope"].split(),
        }
        return redirect(f"{given['redirect_uri']}?{urlencode({'code': code, 'state': given['state']})}")

    @app.post("/login/oauth/access_token")
    def access_token() -> Response:
        form = request.form
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return token_answer({"error": "incorrect_client_credentials", "error_description": "…", "error_uri": "…"})
        if form.get("grant_type") == "refresh_token":
            granted = state.refresh.pop(form.get("refresh_token", ""), None)
            if granted is None:
                return token_answer({"error": "bad_refresh_token", "error_description": "…"})
            return token_answer(new_tokens(granted))
        held = state.codes.pop(form.get("code", ""), None)
        digest = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if held is None or digest.rstrip(b"=").decode() != held["challenge"]:
            return token_answer({"error": "bad_verification_code", "error_description": "…", "error_uri": "…"})
        if held["redirect_uri"] != form.get("redirect_uri"):
            return token_answer({"error": "redirect_uri_mismatch", "error_description": "…", "error_uri": "…"})
        return token_answer(new_tokens(held["scopes"]))

    def new_tokens(granted: list[str]) -> dict[str, Any]:
        text = "gho_" + secrets.token_hex(16)
        state.tokens[text] = granted
        fields: dict[str, Any] = {"access_token": text, "scope": ",".join(granted), "token_type": "bearer"}
        if state.refreshing:
            refresh = "ghr_" + secrets.token_hex(16)
            state.refresh[refresh] = granted
            fields |= {"expires_in": 28800, "refresh_token": refresh, "refresh_token_expires_in": 15897600}
        return fields

    @app.route("/user", methods=["GET", "PATCH"])
    def user() -> Response:
        granted = scopes()
        if granted is None:
            return problem(401, "Bad credentials")
        if request.method == "GET":
            return jsonify(state.user)
        if "user" not in granted:
            return problem(404, "Not Found")
        body = request.get_json()
        state.bodies.append(body)
        allowed = {"name", "email", "blog", "twitter_username", "company", "location", "hireable", "bio"}
        if set(body) - allowed or len(str(body.get("bio", ""))) > 160:
            return problem(422, "Validation Failed")
        state.user |= body
        return jsonify(state.user)

    @app.get("/user/emails")
    def emails() -> Response:
        granted = scopes()
        if granted is None:
            return problem(401, "Bad credentials")
        if not {"user", "user:email"} & set(granted):
            return problem(404, "Not Found")
        return jsonify(state.emails)

    @app.delete("/applications/<client_id>/grant")
    def grant(client_id: str) -> Response:
        basic = request.authorization
        if basic is None or (basic.username, basic.password) != (CLIENT_ID, CLIENT_SECRET) or client_id != CLIENT_ID:
            return problem(401, "Bad credentials")
        if request.get_json()["access_token"] not in state.tokens:
            return problem(404, "Not Found")
        state.tokens.clear()  # the grant takes every token of it along
        return Response(status=204)

    return app
