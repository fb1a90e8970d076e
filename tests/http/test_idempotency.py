"""`Idempotency-Key` at the door."""

from __future__ import annotations

import pytest
from flask import Blueprint, Flask
from flask.testing import FlaskClient

from connector.http.authentication import needs
from connector.http.idempotency import idempotent
from connector.http.operations import operation, operation_of
from connector.http.request import json_body
from connector.model.errors import BadInput
from tests.gateways import House, api_token, bearer


@pytest.fixture
def made(app: Flask) -> list[dict[str, object]]:
    """What the route under test did."""
    done: list[dict[str, object]] = []
    blueprint = Blueprint("making", __name__)

    @blueprint.post("/v1/make")
    @operation("Make", "Tests")
    @needs("records:write")
    @idempotent
    def make() -> tuple[dict[str, object], int, dict[str, str]]:
        body = json_body()
        if body.get("fail") == "once" and not done:
            done.append(body)
            raise BadInput("bad", "Once.")
        if body.get("fail") == "crash" and not done:
            done.append(body)
            raise RuntimeError
        done.append(body)
        return {"number": len(done)}, 202, {"Location": f"/v1/made/{len(done)}"}

    app.register_blueprint(blueprint)
    assert operation_of(make).idempotent
    assert operation_of(make).scope == "records:write"
    return done


@pytest.fixture
def token(house: House, app: Flask) -> str:
    return api_token(app, house.web, house.web_secret)


def post(http: FlaskClient, token: str, key: str | None, body: dict[str, object] | None = None, path: str = "/v1/make"):
    headers = bearer(token) | ({} if key is None else {"Idempotency-Key": key})
    return http.post(path, json=body or {}, headers=headers)


def test_the_same_request_is_done_once_and_answered_alike(http: FlaskClient, made: list, token: str) -> None:
    one, two = post(http, token, "k"), post(http, token, "k")
    assert (one.status_code, one.json, one.headers["Location"]) == (202, {"number": 1}, "/v1/made/1")
    assert (two.status_code, two.json, two.headers["Location"]) == (202, {"number": 1}, "/v1/made/1")
    assert len(made) == 1


def test_without_a_key_it_is_done_each_time(http: FlaskClient, made: list, token: str) -> None:
    post(http, token, None)
    post(http, token, None)
    assert len(made) == 2


def test_another_body_or_address_under_the_key_is_422(http: FlaskClient, made: list, token: str) -> None:
    post(http, token, "k")
    for answer in (post(http, token, "k", {"other": 1}), post(http, token, "k", path="/v1/make?x=1")):
        assert (answer.status_code, answer.json["code"]) == (422, "idempotency_key_reused")
    assert len(made) == 1


@pytest.mark.parametrize("how", ["once", "crash"])
def test_a_failed_request_may_be_sent_again(http: FlaskClient, made: list, token: str, how: str) -> None:
    assert post(http, token, "k", {"fail": how}).status_code in {400, 500}
    assert post(http, token, "k", {"fail": how}).status_code == 202


def test_a_bad_key_is_refused(http: FlaskClient, made: list, token: str) -> None:
    assert post(http, token, "x" * 256).json["code"] == "bad_idempotency_key"
    assert made == []


def test_who_may_not_ask_learns_nothing_from_a_key(
    house: House, app: Flask, http: FlaskClient, made: list, token: str
) -> None:
    post(http, token, "k")
    stranger = api_token(app, house.other, house.other_secret)
    assert post(http, stranger, "k").json == {"number": 2}
    weak = api_token(app, house.worker, house.worker_secret)
    assert post(http, weak, "k").status_code == 403
