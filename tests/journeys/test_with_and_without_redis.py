"""The whole story with Redis, without it, and with it lost halfway: the same answers, and nothing lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connector.flows import import_records, push_update, revoke
from connector.http import create_app
from connector.ledger import verify_file
from connector.storage import Store
from tests.clock import ManualClock
from tests.gateways import api_token, bearer
from tests.signing_up import Town, let_write, make_town

pytestmark = pytest.mark.loopback


@pytest.fixture(params=["absent", "there", "lost halfway"])
def story(
    request: pytest.FixtureRequest, tmp_path: Path, store: Store, clock: ManualClock
) -> Iterator[tuple[Town, Callable[[], None]]]:
    """A town, and what happens to its Redis in the middle of the story."""
    if request.param == "absent":
        town, midway = make_town(tmp_path, store, clock), lambda: None
    else:
        server = request.getfixturevalue("own_redis")
        town = make_town(tmp_path, store, clock, redis={"url": server.url})
        midway = server.stop if request.param == "lost halfway" else lambda: None
    town.house = replace(town.house, integration=let_write(town.house))
    yield town, midway
    town.gateway.wakeup.close()


def test_from_sign_up_to_receipt_nothing_depends_on_redis(story: tuple[Town, Callable[[], None]]) -> None:
    town, midway = story
    started, query = town.pushed(integration="writing", offer_push="name")
    tokens = town.finished(town.to_app(town.browser(), query, push=["name"]), started)
    sub, connection = tokens["claims"]["sub"], tokens["connection"]
    assert import_records.step(town.gateway)
    client = create_app(town.gateway).test_client()
    web = bearer(api_token(client.application, town.house.web, town.house.web_secret))
    worker = bearer(api_token(client.application, town.house.worker, town.house.worker_secret))
    assert handed_out(client, connection, worker).status_code == 200

    midway()

    assert handed_out(client, connection, worker).status_code == 200
    edited = client.patch(f"/v1/users/{sub}/profile", json={"name": {"full": "Ada L."}}, headers=web)
    assert edited.status_code == 200, edited.text
    assert push_update.step(town.gateway)
    state = town.rehearsal.extensions["rehearsal"]
    assert state.profiles["ada"].fields["display_name"] == "Ada L."
    assert client.delete(f"/v1/connections/{connection}", headers=web).status_code == 202
    assert handed_out(client, connection, worker).status_code == 410
    assert revoke.tell_providers(town.gateway) == 1
    assert final_receipt(client, sub, web)["provider_outcome"] == "confirmed"


def handed_out(client: Any, connection: str, worker: dict[str, str]) -> Any:
    return client.post(f"/v1/connections/{connection}/token", json={"purpose": "service"}, headers=worker)


def final_receipt(client: Any, sub: str, web: dict[str, str]) -> dict[str, Any]:
    """The newest receipt's body, verified offline."""
    with client.application.extensions["account_connector"].store.read() as tx:
        row = tx.one("SELECT id FROM receipts WHERE sub = :sub AND kind = 'revocation' ORDER BY version DESC", sub=sub)
    answer = client.get(f"/v1/users/{sub}/receipts/{row['id']}", headers=web)
    verdict = verify_file(answer.data, None)
    assert verdict.valid, verdict.failure
    body: dict[str, Any] = json.loads(json.dumps(verdict.body))
    return body
