"""Facebook as its documentation describes it (Graph v25.0), for as much as the adapter speaks.

Sources: developers.facebook.com: manual login flow, long-lived tokens, debugging, permissions, User and Page nodes,
error handling, data deletion callback. Every Graph call must carry the proof of the very token it sends.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, jsonify, redirect, request

APP_ID = "1234567890123456"
APP_SECRET = "0123456789abcdef0123456789abcdef"
LONG_S = 5_183_944
SHORT_S = 5_400
DATA_ACCESS_S = 90 * 86_400


@dataclass
class Token:
    user_id: str
    scopes: list[str]
    expires_at: int
    page_id: str = ""
    app_id: str = APP_ID
    dead: int = 0  # subcode of error 190


@dataclass
class State:
    person: dict[str, Any]
    pages: dict[str, dict[str, Any]]
    declined: list[str] = field(default_factory=list)
    installed: bool = True
    codes: dict[str, dict[str, Any]] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    log: list[tuple[str, str]] = field(default_factory=list)
    bodies: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    failures: dict[str, list[tuple[int, Any]]] = field(default_factory=dict)  # "METHOD path" → answers to give first
    token_app_id: str = APP_ID


def graph_error(code: int, *, status: int = 400, subcode: int | None = None, **more: Any) -> tuple[int, Any]:
    error = {"message": "said by the provider", "type": "OAuthException", "code": code, "fbtrace_id": "AbC", **more}
    if subcode is not None:
        error["error_subcode"] = subcode
    return status, {"error": error}


def new_state() -> State:
    return State(
        person={
            "id": "10158000000000001",
            "name": "Ada Berg Lindqvist",
            "first_name": "Ada",
            "middle_name": "Berg",
            "last_name": "Lindqvist",
            "picture": {"data": {"url": "https://scontent.example.net/ada.jpg", "is_silhouette": False}},
            "email": "ada@example.org",
            "birthday": "12/10/1988",
            "age_range": {"min": 21},
            "link": "https://www.facebook.com/app_scoped_user_id/abc/",
            "location": {"id": "110774245616525", "name": "Uppsala, Sweden"},
        },
        pages={
            "2001": {
                "name": "Looms",
                "tasks": ["MANAGE", "CREATE_CONTENT"],
                "fields": {"emails": ["old@looms.example"], "phone": "+4618123", "website": "", "about": "Looms."},
            },
            "2002": {"name": "Read only", "tasks": ["ANALYZE"], "fields": {}},
        },
    )


def signed_request(payload: dict[str, Any], secret: str = APP_SECRET) -> bytes:
    """The form body of a signal, as Facebook makes it."""
    encoded = _b64(json.dumps(payload).encode())
    signature = _b64(hmac.new(secret.encode(), encoded.encode(), hashlib.sha256).digest())
    return urlencode({"signed_request": f"{signature}.{encoded}"}).encode()


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def create_app(state: State | None = None) -> Flask:  # noqa: C901, PLR0915  one small route after another
    state = state or new_state()
    app = Flask("facebook stand-in")
    app.extensions["state"] = state

    @app.before_request
    def fail_first() -> Response | None:
        path = request.path.removeprefix("/v25.0/")
        state.log.append((request.method, path))
        queue = state.failures.get(f"{request.method} {path}")
        if queue:
            status, body = queue.pop(0)
            if isinstance(body, bytes):
                return Response(body, status)
            return Response(json.dumps(body), status, content_type="application/json; charset=UTF-8")
        return None

    def answer(error: tuple[int, Any]) -> Response:
        return Response(json.dumps(error[1]), error[0], content_type="application/json; charset=UTF-8")

    def bearer() -> tuple[str, Token | None, Response | None]:
        text = request.headers.get("Authorization", "").removeprefix("Bearer ")
        expected = hmac.new(APP_SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
        if request.values.get("appsecret_proof") != expected:
            return text, None, answer(graph_error(100))
        token = state.tokens.get(text)
        if text == f"{APP_ID}|{APP_SECRET}":
            return text, None, None
        if token is None or token.expires_at <= time.time():
            return text, None, answer(graph_error(190, subcode=463 if token else 467))
        if not state.installed or token.dead:
            return text, None, answer(graph_error(190, subcode=token.dead or 458))
        return text, token, None

    @app.get("/v25.0/dialog/oauth")
    def dialog() -> Any:
        given = request.args
        code = secrets.token_urlsafe(20)
        state.codes[code] = {
            "redirect_uri": given["redirect_uri"],
            "challenge": given.get("code_challenge"),
            "scopes": [scope for scope in given["scope"].split(",") if scope not in state.declined],
        }
        return redirect(f"{given['redirect_uri']}?{urlencode({'code': code, 'state': given['state']})}#_=_")

    @app.post("/v25.0/oauth/access_token")
    def access_token() -> Any:
        form = request.form
        if (form.get("client_id"), form.get("client_secret")) != (APP_ID, APP_SECRET):
            return answer(graph_error(1))
        if form.get("grant_type") == "fb_exchange_token":
            return exchange(form.get("fb_exchange_token", ""))
        held = state.codes.pop(form.get("code", ""), None)
        if held is None:
            return answer(graph_error(100, subcode=36009))
        if held["redirect_uri"] != form.get("redirect_uri"):
            return answer(graph_error(191))
        if (
            held["challenge"]
            and _b64(hashlib.sha256(form.get("code_verifier", "").encode()).digest()) != held["challenge"]
        ):
            return answer(graph_error(100))
        state.installed = True
        text = "EAAshort" + secrets.token_hex(12)
        state.tokens[text] = Token(
            state.person["id"], held["scopes"], int(time.time()) + SHORT_S, app_id=state.token_app_id
        )
        return jsonify(access_token=text, token_type="bearer", expires_in=SHORT_S)

    def exchange(text: str) -> Any:
        held = state.tokens.get(text)
        if held is None or held.dead or held.expires_at <= time.time():
            return answer(graph_error(190, subcode=463))
        fresh = "EAAlong" + secrets.token_hex(12)
        state.tokens[fresh] = Token(held.user_id, held.scopes, int(time.time()) + LONG_S, app_id=held.app_id)
        return jsonify(access_token=fresh, token_type="bearer", expires_in=LONG_S)

    @app.post("/v25.0/debug_token")
    def debug_token() -> Any:
        text, _, error = bearer()
        if error or request.form.get("method") != "get" or text != f"{APP_ID}|{APP_SECRET}":
            return error or answer(graph_error(100))
        token = state.tokens.get(request.form.get("input_token", ""))
        if token is None:
            return jsonify(
                data={"is_valid": False, "app_id": APP_ID, "error": {"code": 190, "subcode": 467}, "scopes": []}
            )
        return jsonify(
            data={
                "app_id": token.app_id,
                "type": "USER",
                "application": "Stand-in",
                "data_access_expires_at": int(time.time()) + DATA_ACCESS_S,
                "expires_at": token.expires_at,
                "is_valid": not token.dead and state.installed,
                "issued_at": int(time.time()),
                "scopes": token.scopes,
                "granular_scopes": [{"scope": scope} for scope in token.scopes],
                "user_id": token.user_id,
            }
        )

    @app.get("/v25.0/me")
    def me() -> Any:
        _, token, error = bearer()
        if error or token is None:
            return error or answer(graph_error(190))
        wanted = {name.split("{")[0] for name in _split(request.args.get("fields", "id,name"))}
        needs = {"email": "email", "birthday": "user_birthday", "link": "user_link", "location": "user_location"}
        return jsonify(
            {
                name: value
                for name, value in state.person.items()
                if name in wanted and needs.get(name, "public_profile") in token.scopes
            }
        )

    @app.get("/v25.0/me/permissions")
    def permissions() -> Any:
        _, token, error = bearer()
        if error or token is None:
            return error or answer(graph_error(190))
        rows = [{"permission": scope, "status": "granted"} for scope in token.scopes]
        return jsonify(data=[*rows, *({"permission": scope, "status": "declined"} for scope in state.declined)])

    @app.delete("/v25.0/<who>/permissions")
    def deauthorize(who: str) -> Any:
        text, token, error = bearer()
        if error is not None:
            return error
        if token is None and (who != state.person["id"] or text != f"{APP_ID}|{APP_SECRET}"):
            return answer(graph_error(100))
        state.installed = False
        return jsonify(success=True)

    @app.get("/v25.0/me/accounts")
    def accounts() -> Any:
        _, token, error = bearer()
        if error or token is None:
            return error or answer(graph_error(190))
        if "pages_show_list" not in token.scopes:
            return answer(graph_error(200, status=403))
        ids = list(state.pages)
        start = ids.index(request.args["after"]) + 1 if "after" in request.args else 0
        if not ids:
            return jsonify(data=[])
        page_id = ids[start]  # one on a page, so that paging is walked
        text = f"EAApage{page_id}{secrets.token_hex(6)}"
        state.tokens[text] = Token(token.user_id, token.scopes, int(time.time()) + LONG_S, page_id=page_id)
        page = state.pages[page_id]
        answer_ = {
            "data": [{"id": page_id, "name": page["name"], "access_token": text, "tasks": page["tasks"]}],
            "paging": {"cursors": {"before": page_id, "after": page_id}},
        }
        if start + 1 < len(ids):
            answer_["paging"]["next"] = "https://graph.facebook.com/v25.0/me/accounts?access_token=never-follow-this"
        return jsonify(answer_)

    @app.route("/v25.0/<page_id>", methods=["GET", "POST"])
    def page_node(page_id: str) -> Any:
        _, token, error = bearer()
        if error or token is None or page_id not in state.pages:
            return error or answer(graph_error(100))
        if token.page_id != page_id or "pages_manage_metadata" not in token.scopes:
            return answer(graph_error(200, status=403))
        fields = state.pages[page_id]["fields"]
        if request.method == "GET":
            return jsonify({"id": page_id, **{name: value for name, value in fields.items() if value}})
        body = request.get_json()
        state.bodies.append((page_id, body))
        fields |= body
        return jsonify(success=True)

    return app


def _split(fields: str) -> list[str]:
    """Field names at the top level: commas in braces belong to a nested list."""
    names, depth, name = [], 0, ""
    for letter in fields:
        depth += (letter == "{") - (letter == "}")
        if letter == "," and not depth:
            names.append(name)
            name = ""
        else:
            name += letter
    return [*names, name]
