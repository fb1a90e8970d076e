"""A worker that asks for a provider's token, and what the provider makes of what it got."""

from __future__ import annotations

from typing import Any

from flask import Flask

from connector.clients import Client
from providers.secret import Secret
from tests.gateways import PUBLIC_URL, basic, bearer
from tests.signing_up import Town

CONNECTION_TYPE = f"{PUBLIC_URL}/token-type/connection"


def exchanged(
    street: Town, connection: str, client: Client, secret: Secret, app: Flask | None = None, **fields: str
) -> Any:
    """The answer to a client that asks for the token of a connection (RFC 8693)."""
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": connection,
        "subject_token_type": CONNECTION_TYPE,
        **fields,
    }
    return (app or street.app).test_client().post("/oauth/token", data=form, headers=basic(client, secret))


def at_worker(street: Town, connection: str, app: Flask | None = None, **fields: str) -> Any:
    """The same for the house's worker; `app`: at another process than the street's own."""
    return exchanged(street, connection, street.house.worker, street.house.worker_secret, app, **fields)


def at_provider(street: Town, answer: Any) -> int:
    """The provider's status for the token that a worker was given, if any."""
    token = (answer.json or {}).get("access_token", "none")
    return street.rehearsal.test_client().get("/me", headers=bearer(token)).status_code
