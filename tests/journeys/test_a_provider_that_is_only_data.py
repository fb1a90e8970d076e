"""A provider without a line of Python, through the whole application: sign-up, import, a fresh token, revocation."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask

from connector.clients import NewIntegration, add_integration
from connector.flows import import_records, revoke_telling
from connector.storage import Store
from providers import catalogue
from providers.generic import adapter_of
from providers.secret import Secret
from tests.clock import ManualClock
from tests.contracts.shapes import SHAPES, shaped
from tests.gateways import api_token, bearer, make_house
from tests.signing_up import Town
from tests.standins.by_entry import CLIENT_ID, CLIENT_SECRET, Provider

PORTRAIT = ("by the book", "a nested token", "pushed requests", "no scopes", "each customer's host", "OpenID Connect")


class Somewhere(Town):
    """A town whose provider is made from an entry."""

    theirs: Provider

    def at_provider(self, url: str, person: str = "ada", *, decision: str = "approve", refuse: str = "") -> str:
        """What the provider's redirect brings back to our callback."""
        return f"{self.callback}?{urlencode(self.theirs.browse(url))}"


@pytest.fixture(params=PORTRAIT)
def town(
    tmp_path: Path, store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Somewhere:
    entry = shaped(tmp_path, SHAPES[request.param])
    made = {"shape": adapter_of(entry)}
    names, entries, adapters = catalogue.names(), catalogue.entry, catalogue.adapter
    monkeypatch.setattr(catalogue, "names", lambda: (*names, "shape"))
    monkeypatch.setattr(catalogue, "entry", lambda name: entry if name == "shape" else entries(name))
    monkeypatch.setattr(catalogue, "adapter", lambda name: made.get(name) or adapters(name))
    house = make_house(tmp_path, store, clock)
    provider = Provider(entry)
    new = NewIntegration(
        house.tenant.id,
        "shape",
        client_id=CLIENT_ID,
        client_secret=Secret(CLIENT_SECRET),
        scopes=tuple(entry.scopes),
        settings=provider.settings(),
    )
    with store.transaction() as tx:
        integration = add_integration(tx, house.gateway.vault, new, development=True)
    provider.redirect_uri, provider.now = f"http://127.0.0.1:8080/callback/{integration.id}", clock.now
    town = Somewhere(replace(house, integration=integration), Flask("nobody"))
    town.theirs = provider
    town.egress.before = provider.answer
    return town


def api(town: Town, method: str, path: str) -> Any:
    """The app asks the JSON API."""
    token = api_token(town.app, town.house.web, town.house.web_secret)
    return town.app.test_client().open(path, method=method, headers=bearer(token))


def test_a_file_of_facts_signs_up_imports_refreshes_and_revokes(town: Somewhere, clock: ManualClock) -> None:
    started = town.start(integration="shape")
    tokens = town.finished(town.to_app(town.browser(), started.query), started)
    sub, connection = tokens["claims"]["sub"], tokens["connection"]
    while import_records.step(town.gateway):
        pass

    assert tokens["claims"]["idp"] == "shape"
    profile = json.dumps(api(town, "GET", f"/v1/users/{sub}/profile?purpose=service").json)
    assert "Ada Lovelace" in profile

    clock.advance(hours=2)
    path = f"/v1/connections/{connection}/token"
    before = len(town.theirs.access)
    fresh = town.app.test_client().post(
        path,
        json={"purpose": "service"},
        headers=bearer(api_token(town.app, town.house.worker, town.house.worker_secret)),
    )
    assert fresh.status_code == 200, fresh.text
    assert len(town.theirs.access) == before + 1
    assert fresh.json["access_token"] in town.theirs.access

    assert api(town, "DELETE", f"/v1/connections/{connection}").status_code == 202
    while revoke_telling.tell_providers(town.gateway):
        pass
    assert not any(issued.alive for issued in town.theirs.access.values())
    assert town.theirs.complaints == []
