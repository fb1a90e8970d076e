"""An old system whose people have granted it access at Rehearsal before, and the app that moves them in."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from werkzeug.test import TestResponse

from connector.clients import Client, NewClient, add_client
from providers.rehearsal.server.people import typed_person
from providers.rehearsal.server.state import Grant as TheirGrant
from providers.rehearsal.server.state import State
from providers.secret import Secret
from tests.gateways import api_token, bearer
from tests.signing_up import Town

SCOPES = ("openid", "profile", "email", "contacts")


@dataclass
class Movers:
    """The app with the scope for it, beside everybody of the town."""

    town: Town
    client: Client
    secret: Secret

    @property
    def provider(self) -> State:
        """What the provider knows."""
        found: State = self.town.rehearsal.extensions["rehearsal"]
        return found

    def granted(self, person: str = "ada", *scopes: str, client_id: str = "") -> dict[str, Any]:
        """What the old system holds of a person: a line of its export, with a grant at Rehearsal behind it."""
        provider, house = self.provider, self.town.house
        if person not in provider.profiles:
            provider.put_person(typed_person(person) | {"id": person})
        theirs = TheirGrant(
            "g_" + secrets.token_hex(8),
            client_id or house.integration.client_id,
            person,
            scopes or SCOPES,
            house.gateway.clock.now() // 1000,
        )
        provider.grants[theirs.id] = theirs
        return {
            "integration": "rehearsal",
            "access_token": provider.new_access(theirs),
            "refresh_token": provider.new_refresh(theirs),
            "scopes": list(theirs.scopes),
            "obtained_at": house.gateway.clock.now() // 1000,
            "expires_at": house.gateway.clock.now() // 1000 + provider.config.access_token_s,
            "age_stated": True,
        }

    def post(self, line: dict[str, Any], *, key: str = "", token: str = "") -> TestResponse:
        """Hand one in."""
        headers = bearer(token or api_token(self.town.app, self.client, self.secret))
        headers |= {"Idempotency-Key": key} if key else {}
        return self.town.app.test_client().post("/v1/connections", json=line, headers=headers)

    def moved(self, line: dict[str, Any], status: int = 201) -> dict[str, Any]:
        """Hand one in that must be taken."""
        answer = self.post(line)
        assert answer.status_code == status, answer.text
        return dict(answer.json or {})

    def subject(self, person: str = "ada") -> str:
        """The account's name at the provider."""
        return str(self.provider.profiles[person].fields["id"])


def movers_of(town: Town) -> Movers:
    """The app that moves in; the same tenant's web app and worker are in the town."""
    new = NewClient(
        town.house.tenant.id,
        "mover",
        "worker",
        scopes=("connections:adopt", "connections:read", "imports:run", "tokens:exchange"),
        purposes=("account", "service", "sync"),
    )
    with town.gateway.store.transaction() as tx:
        client, secret = add_client(tx, town.gateway.vault, new)
    assert secret is not None
    return Movers(town, client, secret)
