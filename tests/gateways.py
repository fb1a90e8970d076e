"""A whole gateway for a test: real vault, real policy, one tenant with a web app, a worker and Rehearsal."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from connector import app as gateway_app
from connector.clients import (
    Client,
    Integration,
    NewClient,
    NewIntegration,
    SigningKeys,
    Tenant,
    add_client,
    add_integration,
    add_tenant,
    create_signing_keys,
    generate_signing_keys,
)
from connector.flows.gateway import Gateway
from connector.http import create_app
from connector.policy import Policy, load_policy
from connector.settings import Settings, development, shipped
from connector.storage import Store
from providers.secret import Secret
from tests.clock import ManualClock
from vault import FileKeySource

PUBLIC_URL = "http://127.0.0.1:8080"
REHEARSAL_URL = "http://127.0.0.1:8099"  # where nobody listens, unless a test says otherwise
APP_CALLBACK = "http://127.0.0.1:8070/callback"
APP_RETURN = "http://127.0.0.1:8070/account"
WORKER_SCOPES = ("tokens:exchange", "connections:read")
EVERY_WEB_SCOPE = None  # what a web client gets by default


@dataclass(frozen=True, slots=True)
class House:
    """A gateway and who is registered in it.

    Attributes:
        web, worker: clients of the tenant, with their secrets.
        other: a web client of another tenant, with its secret.
    """

    gateway: Gateway
    tenant: Tenant
    integration: Integration
    web: Client
    web_secret: Secret
    worker: Client
    worker_secret: Secret
    other_tenant: Tenant
    other: Client
    other_secret: Secret
    folder: Path = field(repr=False)


@cache
def signing_keys() -> SigningKeys:
    """Made once for all tests: an RSA key takes a second."""
    return generate_signing_keys()


@cache
def shipped_policy() -> Policy:
    """Read once for all tests; its proof has its own."""
    return load_policy(shipped("policy"))


def make_house(
    tmp_path: Path,
    store: Store,
    clock: ManualClock,
    *,
    rehearsal_url: str | None = None,
    public_url: str = PUBLIC_URL,
    imports: tuple[str, ...] = ("profile", "contacts"),
    **sections: Mapping[str, Any],
) -> House:
    """A gateway in development mode over a migrated, empty store. `sections` are further settings."""
    settings = make_settings(tmp_path, store.url, public_url=public_url, **sections)
    keys = FileKeySource.create(tmp_path / "kek.json")
    gateway = gateway_app.build(settings, clock=clock, store=store, keys=keys, policy=shipped_policy())
    with store.transaction() as tx:
        create_signing_keys(tx, gateway.vault, signing_keys())
        tenant = add_tenant(tx, gateway.vault, "shop")
        integration = add_integration(
            tx,
            gateway.vault,
            NewIntegration(
                tenant.id,
                "rehearsal",
                client_id="gateway-at-rehearsal",
                client_secret=Secret("rehearsal-secret"),
                issuer=rehearsal_url or REHEARSAL_URL,
                imports=imports,
            ),
            development=True,
        )
        web, web_secret = add_client(tx, gateway.vault, web_client(tenant), development=True)
        worker, worker_secret = add_client(
            tx,
            gateway.vault,
            NewClient(tenant.id, "worker", "worker", scopes=WORKER_SCOPES, purposes=("service", "sync")),
        )
        other_tenant = add_tenant(tx, gateway.vault, "rival")
        other, other_secret = add_client(tx, gateway.vault, web_client(other_tenant), development=True)
    assert web_secret is not None
    assert worker_secret is not None
    assert other_secret is not None
    return House(
        gateway,
        tenant,
        integration,
        web,
        web_secret,
        worker,
        worker_secret,
        other_tenant,
        other,
        other_secret,
        tmp_path,
    )


def make_gateway(tmp_path: Path, store: Store, clock: ManualClock, *, rehearsal_url: str | None = None) -> Gateway:
    """The same, for tests that need to know nobody in it."""
    return make_house(tmp_path, store, clock, rehearsal_url=rehearsal_url).gateway


def make_settings(
    tmp_path: Path, database_url: str, *, public_url: str = PUBLIC_URL, **sections: Mapping[str, Any]
) -> Settings:
    """Development settings for a test's own database and key file."""
    server = {"public_url": public_url, **sections.pop("server", {})}
    return development(
        server=server, database={"url": database_url}, vault={"kek": f"file:{tmp_path / 'kek.json'}"}, **sections
    )


def web_client(tenant: Tenant, **parts: Any) -> NewClient:
    """A web app as most tests want it."""
    given = {"name": "web", "redirect_uris": (APP_CALLBACK,), "return_uris": (APP_RETURN,)} | parts
    return NewClient(tenant.id, type="web", **given)


def browser(app: Flask) -> FlaskClient:
    """A browser without scripts: keeps cookies, follows no redirects."""
    return app.test_client(use_cookies=True)


def app_of(house: House) -> Flask:
    """The application over the gateway."""
    return create_app(house.gateway)


def basic(client: Client, secret: Secret) -> dict[str, str]:
    """The header of client_secret_basic (RFC 6749 section 2.3.1)."""
    pair = f"{quote(client.id, safe='')}:{quote(secret.reveal(), safe='')}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def bearer(token: str) -> dict[str, str]:
    """The header of a bearer token."""
    return {"Authorization": f"Bearer {token}"}


def api_token(app: Flask, client: Client, secret: Secret, *scopes: str) -> str:
    """An API token by client credentials: with these scopes, or with all that the client has."""
    fields = {"grant_type": "client_credentials"} | ({"scope": " ".join(scopes)} if scopes else {})
    answer: TestResponse = app.test_client().post("/oauth/token", data=fields, headers=basic(client, secret))
    assert answer.status_code == 200, answer.get_data(as_text=True)
    token: str = answer.json["access_token"]  # type: ignore[index]  # the status says that there is one
    return token
