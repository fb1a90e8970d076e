"""A small web app, as its developer would write it: Flask, Authlib's stock client, and the gateway's JSON API.

What is particular to this gateway is one thing: the authorization request is pushed (RFC 9126), because it offers to
send phone numbers on. A plain sign-up is Authlib's `authorize_redirect` and nothing more.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.flask_client import OAuth
from flask import Flask, redirect, render_template, request, session, url_for
from werkzeug import Response

from connector.demo.actors import WebApp, Worker
from connector.demo.stage import PURPOSES, Stage

SEE_OTHER = 303
SHOWN = 12


def create_example_app(stage: Stage) -> Flask:
    """The app over a stage. Its sessions live in a signed cookie, and hold ids only."""
    app = Flask("connector.demo", template_folder="templates")
    app.secret_key = secrets.token_bytes(32)
    app.config.update(SESSION_COOKIE_NAME=f"example_{urlsplit(stage.app).port}", SESSION_COOKIE_SAMESITE="Lax")
    app.jinja_env.filters["in_words"] = in_words
    oauth = OAuth(app)
    oauth.register(  # type: ignore[no-untyped-call]  # Authlib's types leave it open
        "gateway",
        client_id=stage.web[0],
        client_secret=stage.web[1],
        server_metadata_url=f"{stage.gateway}/.well-known/openid-configuration",
        client_kwargs={"scope": "openid profile email contacts", "code_challenge_method": "S256"},
    )
    _sign_in_routes(app, oauth, stage)
    _account_routes(app, WebApp(stage, stage.web), Worker(stage, stage.worker))
    return app


def _sign_in_routes(app: Flask, oauth: OAuth, stage: Stage) -> None:
    @app.get("/sign-up")
    def sign_up() -> Response:
        return redirect(_pushed(oauth.gateway, stage), SEE_OTHER)

    @app.get("/callback")
    def callback() -> Response | tuple[str, int]:
        try:
            token = oauth.gateway.authorize_access_token()
        except OAuthError as error:
            return render_template("index.html", user=None, told=error.description or error.error), 400
        claims = token["userinfo"]
        session.clear()
        session["user"] = {name: claims.get(name) for name in ("sub", "name", "email", "idp", "connection")}
        return redirect(url_for("index"), SEE_OTHER)

    @app.post("/sign-out")
    def sign_out() -> Response:
        session.clear()
        return redirect(url_for("index"), SEE_OTHER)


def _pushed(client: Any, stage: Stage) -> str:
    """Authlib's own request, pushed with what a browser may not say, and the address to send the browser to."""
    begun = client.create_authorization_url(stage.callback)
    client.save_authorize_data(redirect_uri=stage.callback, **begun)
    asked = dict(parse_qsl(urlsplit(begun["url"]).query))
    pushed = requests.post(
        f"{stage.gateway}/oauth/par", data={**asked, "offer_push": "phones"}, auth=stage.web, timeout=10
    )
    pushed.raise_for_status()
    known = {"client_id": stage.web[0], "request_uri": pushed.json()["request_uri"]}
    return f"{stage.gateway}/oauth/authorize?{urlencode(known)}"


def _account_routes(app: Flask, backend: WebApp, worker: Worker) -> None:
    @app.get("/")
    def index() -> str:
        user = session.get("user")
        told = session.pop("told", "")
        if user is None:
            return render_template("index.html", user=None, told=told)
        purpose = request.args.get("purpose", PURPOSES[0])
        return render_template(
            "index.html", user=user, told=told, purpose=purpose, purposes=PURPOSES, **_read(backend, user, purpose)
        )

    @app.post("/phone")
    def phone() -> Response:
        user = session["user"]
        change = {"phones": {"p1": {"number": request.form.get("number", "").strip()}}}
        answer = backend.call("PATCH", f"/v1/users/{user['sub']}/profile", change)
        return _told("Saved. Where you ticked the box, it is on its way." if answer.ok else _why(answer))

    @app.post("/token")
    def token() -> Response:
        purpose = request.form.get("purpose", "service")
        answer = worker.exchange(session["user"]["connection"], purpose=purpose)
        if not answer.ok:
            return _told(f"The worker got no token for {purpose}. {_why(answer)}")
        return _told(f"The worker got a token for {purpose}, good for {answer.json()['expires_in']} s.")

    @app.post("/import")
    def import_now() -> Response:
        answer = backend.call("POST", f"/v1/connections/{session['user']['connection']}/imports")
        return _told("The import is queued; look again in a moment." if answer.ok else _why(answer))

    @app.post("/portal")
    def portal() -> Response:
        answer = backend.call(
            "POST", f"/v1/users/{session['user']['sub']}/portal", {"return_url": f"{backend.stage.app}/"}
        )
        return redirect(answer.json()["url"], SEE_OTHER) if answer.ok else _told(_why(answer))

    @app.post("/revoke")
    def revoke() -> Response:
        answer = backend.call("DELETE", f"/v1/connections/{session['user']['connection']}")
        return _told("Revoked. Tokens end now; Rehearsal is being told." if answer.ok else _why(answer))


def _read(backend: WebApp, user: dict[str, Any], purpose: str) -> dict[str, Any]:
    """What the gateway lets this app see for this purpose."""
    where = f"/v1/users/{user['sub']}"
    profile = backend.call("GET", f"{where}/profile", purpose=purpose)
    contacts = backend.call("GET", f"{where}/contacts", purpose=purpose)
    deliveries = backend.call("GET", f"{where}/deliveries")
    connection = backend.call("GET", f"/v1/connections/{user['connection']}")
    return {
        "values": profile.json().get("values", []) if profile.ok else [],
        "withheld": profile.json().get("withheld", []) if profile.ok else [],
        "refusal": "" if profile.ok else _why(profile),
        "contacts": (contacts.json().get("items", []) if contacts.ok else [])[:SHOWN],
        "deliveries": (deliveries.json().get("items", []) if deliveries.ok else [])[:SHOWN],
        "state": connection.json().get("state_in_words", "") if connection.ok else "",
    }


def in_words(value: Any) -> str:
    """A JSContact value for a table: the part that a person would read aloud."""
    if not isinstance(value, dict):
        return str(value)
    for name in ("full", "address", "number", "name", "note", "uri", "language"):
        if value.get(name) and isinstance(value[name], str):
            return str(value[name])
    parts = [part["value"] for part in value.get("components", ()) if part.get("kind") != "separator"]
    if parts:
        return " ".join(parts)
    date = value.get("date", {})
    return "-".join(f"{date[part]:02}" for part in ("year", "month", "day") if part in date) or "…"


def _told(words: str) -> Response:
    session["told"] = words
    return redirect(url_for("index"), SEE_OTHER)


def _why(answer: requests.Response) -> str:
    try:
        return told_by(answer.json())
    except ValueError:
        return f"The gateway answered {answer.status_code}."


def told_by(error: Mapping[str, Any]) -> str:
    """The gateway's own sentence, and the clause where the sentence does not name it."""
    words = str(error.get("detail") or error.get("error_description") or error.get("title", ""))
    clause = f"clause {error['clause']}" if error.get("clause") else ""
    return words if not clause or f"{clause}:" in words else f"{words} ({clause})"
