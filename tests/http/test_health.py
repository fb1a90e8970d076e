"""A key service that is out: `/readyz`, and requests whose keys are not in memory."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from connector.http.health import KEYS_FROM_MEMORY
from tests.connected import Linked, linked
from tests.gateways import api_token, app_of, bearer
from vault import Health, KeyServiceOut, Vault


@pytest.mark.parametrize(
    ("health", "status", "words"),
    [
        (Health(ok=True, words="It answers."), 200, "ok"),
        (Health(ok=False, words="It is out.", out_for_s=600), 200, KEYS_FROM_MEMORY),
        (Health(ok=False, words="It is out.", out_for_s=4_000), 503, "the key service does not answer"),
    ],
    ids=["well", "out for ten minutes", "out for more than an hour"],
)
def test_an_outage_of_the_key_service_is_told_and_makes_nobody_unready_while_memory_serves(
    http: FlaskClient, monkeypatch: pytest.MonkeyPatch, health: Health, status: int, words: str
) -> None:
    monkeypatch.setattr(Vault, "health", lambda _: health)
    answer = http.get("/readyz")
    assert (answer.status_code, answer.json["checks"]["keys"]) == (status, words)


@pytest.fixture
def town(tmp_path: Any, store: Any, clock: Any) -> Linked:
    return linked(tmp_path, store, clock)


def test_a_request_whose_keys_cannot_be_had_is_told_to_come_back_and_nothing_is_called_damaged(
    town: Linked, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = town.connection()
    app = app_of(town.house)
    token = api_token(app, town.house.worker, town.house.worker_secret, "tokens:exchange")

    def out(*_: object) -> None:
        raise KeyServiceOut("The key service does not answer.", "Start it.")

    monkeypatch.setattr(Vault, "unwrap", out)
    answer = app.test_client().post(
        f"/v1/connections/{connection.id}/token", json={"purpose": "service"}, headers=bearer(token)
    )
    assert (answer.status_code, answer.json["code"]) == (503, "keys_unavailable")
    assert answer.headers["Retry-After"] == "10"
    assert "key service" not in answer.text
