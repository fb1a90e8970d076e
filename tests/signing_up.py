"""A person, a browser, a web app and Rehearsal, all in this process: sign-up step by step, on any database."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import KeySet
from werkzeug.test import TestResponse

from connector.clients import Client, Integration, NewIntegration, add_integration
from connector.egress import Observer
from connector.http import create_app
from connector.storage import Store
from providers.exchange import Exchange, NetworkFailure, Request, Response
from providers.rehearsal.server import Config
from providers.rehearsal.server import create_app as rehearsal_app
from providers.secret import Secret
from tests.clock import ManualClock
from tests.gateways import APP_CALLBACK, House, basic, make_house
from tests.standins.rehearsal_key import shared_key

T = TypeVar("T")
_PORTS = count(20_000)


class InProcess:
    """Egress without sockets: every request goes to one WSGI app. Counts, and fails where it is told to."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.requests: list[Request] = []
        self.before: Callable[[Request], Response | NetworkFailure | None] = lambda _request: None

    def asked(self, path: str) -> list[Request]:
        """The requests to a path, in order."""
        return [request for request in self.requests if urlsplit(request.url).path == path]

    def drive(
        self,
        exchange: Exchange[T],
        *,
        provider: str,
        deadline_s: float | None = None,
        observe: Observer | None = None,
    ) -> T:
        try:
            request = next(exchange)
            while True:
                outcome = self._outcome(request)
                if observe is not None:
                    observe(request, outcome)
                failed = isinstance(outcome, NetworkFailure)
                request = exchange.throw(outcome) if failed else exchange.send(outcome)
        except StopIteration as end:
            result: T = end.value
            return result

    def _outcome(self, request: Request) -> Response | NetworkFailure:
        self.requests.append(request)
        forced = self.before(request)
        if forced is not None:
            return forced
        parts = urlsplit(request.url)
        answer = self.app.test_client().open(
            parts.path,
            method=request.method,
            query_string=parts.query,
            headers=dict(request.headers),
            data=request.body,
            base_url=f"{parts.scheme}://{parts.netloc}",
        )
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Response(answer.status_code, headers, answer.get_data())


@dataclass
class Started:
    """One sign-up, as the app remembers it in its own session."""

    verifier: str
    state: str
    nonce: str
    query: dict[str, str] = field(default_factory=dict)


def fresh_start(**query: str) -> Started:
    """A request as a stock library makes it."""
    verifier = secrets.token_urlsafe(48)
    digest = hashlib.sha256(verifier.encode()).digest()
    started = Started(verifier, secrets.token_urlsafe(16), secrets.token_urlsafe(16))
    started.query = {
        "response_type": "code",
        "redirect_uri": APP_CALLBACK,
        "scope": "openid profile email",
        "state": started.state,
        "nonce": started.nonce,
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "code_challenge_method": "S256",
        **query,
    }
    return started


class Town:
    """Everybody who takes part."""

    def __init__(self, house: House, rehearsal: Flask) -> None:
        self.egress = InProcess(rehearsal)
        gateway = replace(house.gateway, egress=self.egress)  # type: ignore[arg-type]  # it drives exchanges, all that flows ask
        self.house = replace(house, gateway=gateway)
        self.gateway = gateway
        self.rehearsal = rehearsal
        self.app = create_app(gateway)
        self.callback = f"/callback/{house.integration.id}"

    # The person ------------------------------------------------------------------------------------

    def browser(self) -> FlaskClient:
        """A browser of somebody's own."""
        return self.app.test_client(use_cookies=True)

    def at_provider(self, url: str, person: str = "ada", *, decision: str = "approve", refuse: str = "") -> str:
        """Sign in at Rehearsal as a person; where the browser is sent back to. `refuse`: a scope to untick."""
        parts = urlsplit(url)
        asked = dict(parse_qsl(parts.query))
        granted = [scope for scope in asked["scope"].split() if scope != refuse]
        answer = self.rehearsal.test_client().post(
            parts.path,
            base_url=f"{parts.scheme}://{parts.netloc}",
            data={**asked, "other": person, "decision": decision, "granted": granted},
        )
        assert answer.status_code == 303, answer.text
        return answer.headers["Location"]

    # The app ---------------------------------------------------------------------------------------

    def start(self, **query: str) -> Started:
        """A plain request of the web app."""
        return fresh_start(client_id=self.house.web.id, **query)

    def push(self, started: Started, *, client: Client | None = None, secret: Secret | None = None) -> TestResponse:
        """Hand the request in at the PAR endpoint."""
        headers = basic(client or self.house.web, secret or self.house.web_secret)
        fields = {name: value for name, value in started.query.items() if name != "client_id"}
        return self.app.test_client().post("/oauth/par", data=fields, headers=headers)

    def pushed(self, **query: str) -> tuple[Started, dict[str, str]]:
        """A pushed request, and what the browser is sent with."""
        started = self.start(**query)
        answer = self.push(started)
        assert answer.status_code == 201, answer.text
        return started, {"client_id": self.house.web.id, "request_uri": answer.json["request_uri"]}  # type: ignore[index]

    def redeem(self, back: str, started: Started, **fields: str) -> TestResponse:
        """Redeem the code that came back, with the app's own verifier."""
        given = {
            "grant_type": "authorization_code",
            "code": answer_of(back).get("code", ""),
            "redirect_uri": APP_CALLBACK,
            "code_verifier": started.verifier,
            **fields,
        }
        return self.app.test_client().post(
            "/oauth/token", data=given, headers=basic(self.house.web, self.house.web_secret)
        )

    # Whole ways ------------------------------------------------------------------------------------

    def page(self, browser: FlaskClient, query: dict[str, str]) -> TestResponse:
        """Open the authorization endpoint."""
        return browser.get("/oauth/authorize", query_string=query)

    def submit(self, browser: FlaskClient, page: TestResponse, **fields: Any) -> TestResponse:
        """Send the page's form, as the person filled it in."""
        action, token = form_of(page)
        form = {"form_token": token, "action": "go", "age": "yes", **fields}
        return browser.post(action, data=form)

    def to_callback(self, browser: FlaskClient, query: dict[str, str], person: str = "ada", **fields: Any) -> str:
        """From the request to the provider's redirect, which nobody has followed yet."""
        answer = self.page(browser, query)
        if answer.status_code == 200:
            answer = self.submit(browser, answer, **fields)
        assert answer.status_code == 303, answer.text
        return self.at_provider(answer.headers["Location"], person)

    def follow(self, browser: FlaskClient, url: str) -> TestResponse:
        """Open a URL of ours."""
        parts = urlsplit(url)
        return browser.get(parts.path, query_string=parts.query)

    def to_app(self, browser: FlaskClient, query: dict[str, str], person: str = "ada", **fields: Any) -> str:
        """From the request to the app's redirect URI; the whole URL."""
        answer = self.follow(browser, self.to_callback(browser, query, person, **fields))
        assert answer.status_code == 303, answer.text
        return answer.headers["Location"]

    def sign_up(self, person: str = "ada", browser: FlaskClient | None = None, **query: str) -> dict[str, Any]:
        """The whole of it; the token answer with the ID token's claims as `claims`."""
        started = self.start(**query)
        back = self.to_app(browser or self.browser(), started.query, person)
        return self.finished(back, started)

    def finished(self, back: str, started: Started, **fields: str) -> dict[str, Any]:
        """Redeem, and verify the ID token as an app does."""
        answer = self.redeem(back, started, **fields)
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = dict(answer.json or {})
        tokens["claims"] = self.verified(tokens["id_token"], started)
        return tokens

    def verified(self, id_token: str, started: Started) -> dict[str, Any]:
        """The claims, after signature, issuer, audience and nonce were checked."""
        keys = KeySet.import_key_set(self.app.test_client().get("/oauth/jwks").json)  # type: ignore[arg-type]
        claims = jwt.decode(id_token, keys, algorithms=["RS256"]).claims
        assert claims["iss"] == self.gateway.settings.server.public_url
        assert claims["aud"] == self.house.web.id
        assert claims.get("nonce") == started.nonce
        return dict(claims)

    # What is in the house --------------------------------------------------------------------------

    def how_many(self, *tables: str) -> dict[str, int]:
        """How many rows there are."""
        with self.gateway.store.read() as tx:
            return {table: int((tx.one(f"SELECT COUNT(*) AS n FROM {table}") or {})["n"]) for table in tables}

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Every row of a table."""
        with self.gateway.store.read() as tx:
            return [dict(row) for row in tx.all(f"SELECT * FROM {table}")]

    def entries(self, kind: str) -> list[dict[str, Any]]:
        """The facts of the ledger's entries of a kind, oldest first."""
        with self.gateway.store.read() as tx:
            rows = tx.all("SELECT entry FROM ledger_entries WHERE kind = :kind ORDER BY id", kind=kind)
        return [json.loads(row["entry"])["facts"] for row in rows]

    def exchanges(self) -> int:
        """How many codes went to the provider's token endpoint."""
        return len(self.egress.asked("/token"))


def make_town(tmp_path: Path, store: Store, clock: ManualClock, *, config: Config | None = None, **more: Any) -> Town:
    """A house and Rehearsal, on one clock."""
    config = config or Config()
    config.now, config.new_key = clock.now, shared_key
    issuer = f"http://127.0.0.1:{next(_PORTS)}"  # one of its own: adapters remember the keys of an issuer
    return Town(make_house(tmp_path, store, clock, rehearsal_url=issuer, **more), rehearsal_app(config))


def let_write(house: House) -> Integration:
    """One more integration at Rehearsal, which asks for the scope that writes, as an operator makes it with --scope."""
    known = house.integration
    new = NewIntegration(
        house.tenant.id,
        "rehearsal",
        name="writing",
        client_id=known.client_id,
        client_secret=known.client_secret,
        issuer=known.issuer,
        imports=known.imports,
        scopes=("openid", "profile", "email", "contacts", "profile:write"),
    )
    with house.gateway.store.transaction() as tx:
        return add_integration(tx, house.gateway.vault, new, development=True)


def form_of(page: TestResponse) -> tuple[str, str]:
    """Where the page's form goes, and its token."""
    action = re.search(r'<form method="post" action="([^"]+)"', page.text)
    token = re.search(r'name="form_token" value="([^"]+)"', page.text)
    assert action is not None, page.text
    assert token is not None, page.text
    return action.group(1), token.group(1)


def answer_of(url: str) -> dict[str, str]:
    """The parameters of an authorization response."""
    return dict(parse_qsl(urlsplit(url).query))


NOTHING_MADE = {"users": 0, "identities": 0, "connections": 0, "connection_tokens": 0, "consents": 0, "imports": 0}
