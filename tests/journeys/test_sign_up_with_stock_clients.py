"""Libraries that know nothing of us sign people up with issuer, client id, secret and PKCE: no line is ours."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
import requests
from authlib.integrations.flask_client import OAuth
from flask import Flask, jsonify, redirect, session, url_for

from connector.clients import Client, NewIntegration, add_client, add_integration, integrations
from connector.flows import import_records
from connector.http import create_app
from connector.model.clock import SystemClock
from connector.model.ids import new_id
from connector.storage import Store
from providers.rehearsal.server import Config
from providers.rehearsal.server import create_app as rehearsal_app
from providers.secret import Secret
from tests.gateways import House, make_house, web_client
from tests.services.oidc_provider import OidcProvider
from tests.services.openid_client import OpenidClient
from tests.signing_up import fresh_start

pytestmark = pytest.mark.loopback

Serve = Callable[..., str]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Street:
    """A gateway, Rehearsal and a browser on real sockets and real time."""

    def __init__(self, tmp_path: Path, store: Store, serve: Serve) -> None:
        self.serve = serve
        port = free_port()
        self.issuer = f"http://127.0.0.1:{port}"
        self.rehearsal = serve(rehearsal_app(Config()))
        clock: Any = SystemClock()
        self.house: House = make_house(tmp_path, store, clock, rehearsal_url=self.rehearsal, public_url=self.issuer)
        serve(create_app(self.house.gateway), port)

    def new_client(self, redirect_uri: str, **parts: Any) -> tuple[Client, Secret]:
        gateway = self.house.gateway
        with gateway.store.transaction() as tx:
            new = web_client(self.house.tenant, name=redirect_uri, redirect_uris=(redirect_uri,), **parts)
            client, secret = add_client(tx, gateway.vault, new, development=True)
        assert secret is not None
        return client, secret

    def walk(self, url: str, person: str, *, until: str, browser: requests.Session | None = None) -> str:
        """A person in a browser: follows redirects, fills in both pages; the first URL that starts with `until`."""
        browser = browser or requests.Session()
        answer = browser.get(url, allow_redirects=False, timeout=30)
        for _ in range(16):
            if answer.is_redirect:
                target = urljoin(answer.url, answer.headers["Location"])
                if target.startswith(until):
                    return target
                answer = browser.get(target, allow_redirects=False, timeout=30)
            else:
                assert answer.ok, answer.text
                answer = self._fill(browser, answer, person)
        raise AssertionError(f"never came to {until}")

    def _fill(self, browser: requests.Session, page: requests.Response, person: str) -> requests.Response:
        action = re.search(r'<form method="post" action="([^"]+)"', page.text)
        assert action is not None, page.text
        hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
        fields: list[tuple[str, str]] = [(name, unescape(value)) for name, value in hidden]
        if page.url.startswith(self.issuer):
            fields += [("age", "yes"), ("action", "go")]
        else:
            granted = re.findall(r'name="granted" value="([^"]+)" checked', page.text)
            fields += [("other", person), ("decision", "approve"), *(("granted", scope) for scope in granted)]
        target = urljoin(page.url, unescape(action.group(1)))
        return browser.post(target, data=fields, allow_redirects=False, timeout=30)


@pytest.fixture
def street(tmp_path: Path, open_another: Callable[..., Store], loopback_server: Serve) -> Street:
    return Street(tmp_path, open_another(SystemClock()), loopback_server)


def authlib_app(issuer: str, client: Client, secret: Secret) -> Flask:
    """An app as Authlib's own documentation writes it."""
    app = Flask("stock")
    app.secret_key = "for this test"
    oauth = OAuth(app)
    oauth.register(
        "gateway",
        client_id=client.id,
        client_secret=secret.reveal(),
        server_metadata_url=f"{issuer}/.well-known/openid-configuration",
        client_kwargs={"scope": "openid profile email", "code_challenge_method": "S256"},
    )

    @app.get("/login")
    def login() -> Any:
        return oauth.gateway.authorize_redirect(url_for("callback", _external=True))

    @app.get("/callback")
    def callback() -> Any:
        token = oauth.gateway.authorize_access_token()
        session["user"] = dict(token["userinfo"])
        session["asked"] = dict(oauth.gateway.userinfo(token=token))
        return redirect("/me")

    @app.get("/me")
    def me() -> Any:
        return jsonify(session["user"] | {"asked": session["asked"]})

    return app


def test_authlib_s_flask_client_signs_a_person_up_and_in_again(street: Street) -> None:
    port = free_port()
    home = f"http://127.0.0.1:{port}"
    client, secret = street.new_client(f"{home}/callback")
    gateway = street.house.gateway
    street.serve(authlib_app(street.issuer, client, secret), port)

    seen = []
    for _ in range(2):
        browser = requests.Session()
        back = street.walk(f"{home}/login", "ada", until=f"{home}/callback", browser=browser)
        seen.append(browser.get(back, timeout=30).json())
        while import_records.step(gateway):
            pass
    assert seen[0]["sub"] == seen[1]["sub"]
    assert seen[0]["email"] == "ada@example.org"
    assert seen[0]["iss"] == street.issuer
    assert seen[0]["asked"] == {"sub": seen[0]["sub"]}  # nothing was imported yet
    assert seen[1]["asked"]["email"] == "ada@example.org"
    assert seen[1]["asked"]["name"] == seen[1]["name"]


@pytest.mark.node
@pytest.mark.parametrize("push", [False, True], ids=["plain", "pushed"])
def test_openid_client_signs_a_person_up(
    street: Street, openid_client: Callable[..., OpenidClient], push: bool
) -> None:
    redirect_uri = "http://127.0.0.1:9/callback"
    client, secret = street.new_client(redirect_uri)
    flow = openid_client(
        issuer=street.issuer,
        client_id=client.id,
        client_secret=secret.reveal(),
        redirect_uri=redirect_uri,
        push=push,
        userinfo=True,
    )
    assert flow.refusal is None
    back = street.walk(flow.authorization_url, "ada", until=redirect_uri)
    said = flow.redeem(back)
    assert "error" not in said, said
    assert said["claims"]["idp"] == "rehearsal"
    assert said["claims"]["email"] == "ada@example.org"
    assert said["userinfo"]["sub"] == said["claims"]["sub"]
    assert said["tokens"]["connection"] == said["claims"]["connection"]


@pytest.mark.node
def test_openid_client_links_a_second_account_by_a_pushed_request(
    street: Street, openid_client: Callable[..., OpenidClient]
) -> None:
    redirect_uri = "http://127.0.0.1:9/callback"
    client, secret = street.new_client(redirect_uri)
    known = {
        "issuer": street.issuer,
        "client_id": client.id,
        "client_secret": secret.reveal(),
        "redirect_uri": redirect_uri,
    }
    first = openid_client(**known)
    sub = first.redeem(street.walk(first.authorization_url, "ada", until=redirect_uri))["claims"]["sub"]
    linking = openid_client(**known, push=True, parameters={"link_user": sub}, token_parameters={"link_user": sub})
    linked = linking.redeem(street.walk(linking.authorization_url, "grace", until=redirect_uri))
    assert linked["claims"]["sub"] == sub
    unpushed = openid_client(**known, parameters={"link_user": sub})
    refused = street.walk(unpushed.authorization_url, "x", until=redirect_uri)
    assert dict(parse_qsl(urlsplit(refused).query))["error"] == "invalid_request"


@pytest.mark.node
def test_a_person_signs_up_through_the_certified_provider(
    street: Street, oidc_provider: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = street.house
    coming = new_id("int")  # the provider wants to know our callback before it gives a client id
    registered = oidc_provider.register(f"{street.issuer}/callback/{coming}")
    monkeypatch.setattr(integrations, "new_id", lambda _prefix: coming)
    with house.gateway.store.transaction() as tx:
        new = NewIntegration(
            house.tenant.id,
            "oidc",
            client_id=registered["client_id"],
            client_secret=Secret(registered["client_secret"]),
            issuer=oidc_provider.issuer,
            imports=("profile",),
        )
        add_integration(tx, house.gateway.vault, new, development=True)
    redirect_uri = "http://127.0.0.1:9/callback"
    client, secret = street.new_client(redirect_uri)
    started = fresh_start(client_id=client.id, redirect_uri=redirect_uri, integration=coming)

    browser = requests.Session()
    page = browser.get(f"{street.issuer}/oauth/authorize", params=started.query, timeout=30)
    onward = street._fill(browser, page, "")
    back = oidc_provider.sign_in(onward.headers["Location"], "ada")
    answer = browser.get(back, allow_redirects=False, timeout=30)
    tokens = requests.post(
        f"{street.issuer}/oauth/token",
        data={
            "grant_type": "authorization_code",
            "code": dict(parse_qsl(urlsplit(answer.headers["Location"]).query))["code"],
            "redirect_uri": redirect_uri,
            "code_verifier": started.verifier,
        },
        auth=(client.id, secret.reveal()),
        timeout=30,
    )
    assert tokens.ok, tokens.text
    assert tokens.json()["connection"].startswith("con_")
    with house.gateway.store.read() as tx:
        row = tx.one("SELECT issuer, state FROM connections")
    assert row is not None
    assert (row["issuer"], row["state"]) == (oidc_provider.issuer, "active")
