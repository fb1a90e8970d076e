"""From the consent page to the account: signed up in a browser, imported, typed, sent, withdrawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from connector.flows import import_records, push_update
from connector.http import create_app
from connector.storage import Store
from tests.clock import ManualClock
from tests.gateways import api_token, bearer
from tests.signing_up import Town, let_write, make_town

NAME = {"name": {"full": "Ada L."}}


@pytest.fixture
def town(tmp_path: Path, store: Store, clock: ManualClock) -> Town:
    made = make_town(tmp_path, store, clock)
    made.house = replace(made.house, integration=let_write(made.house))
    return made


def test_what_the_page_said_is_what_comes_in_and_what_was_ticked_is_what_leaves(town: Town) -> None:
    started, query = town.pushed(integration="writing", offer_push="name emails")
    back = town.to_app(town.browser(), query, push=["name"])
    tokens = town.finished(back, started)
    sub = tokens["claims"]["sub"]
    assert import_records.step(town.gateway)

    app = create_app(town.gateway)
    client, headers = app.test_client(), bearer(api_token(app, town.house.web, town.house.web_secret))
    profile = client.get(f"/v1/users/{sub}/profile?purpose=service", headers=headers).json
    assert profile["card"]["name"]["full"] == "Ada Lindqvist"
    assert len(client.get(f"/v1/users/{sub}/contacts?limit=200", headers=headers).json["items"]) == 24

    patch = {**NAME, "emails": {"m1": {"address": "new@example.org"}}}
    edited = client.patch(f"/v1/users/{sub}/profile", json=patch, headers=headers)
    assert [one["field_group"] for one in edited.json["deliveries"]] == ["name"]
    assert push_update.step(town.gateway)
    assert not push_update.step(town.gateway)
    state = town.rehearsal.extensions["rehearsal"]
    assert state.profiles["ada"].fields["display_name"] == "Ada L."
    assert state.profiles["ada"].fields["mail"][0]["address"] == "ada@example.org"

    consents = client.get(f"/v1/users/{sub}/consents", headers=headers).json["items"]
    (push,) = [one for one in consents if one["direction"] == "push"]
    client.patch(f"/v1/users/{sub}/profile", json={"name": {"full": "Ada M."}}, headers=headers)
    withdrawn = {"id": push["id"], "choice": "withdrawn"}
    assert client.put(f"/v1/users/{sub}/consents", json=withdrawn, headers=headers).status_code == 200
    assert not push_update.step(town.gateway)
    assert state.profiles["ada"].fields["display_name"] == "Ada L."
