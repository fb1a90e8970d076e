"""Every route of the API, by whoever should not get in."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from connector.clients import API_SCOPES, NewClient, add_client, issue_access_token, remove_client
from connector.http.blueprints import BLUEPRINTS
from connector.http.openapi import routes
from connector.http.operations import operation_of
from tests.clock import ManualClock
from tests.gateways import House, bearer


def _every_route() -> list[tuple[str, str, str]]:
    app = Flask("routes")
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    return [
        (method, path, described.scope)
        for path, method, view in routes(app)
        if (described := operation_of(view)) is not None and described.scope
    ]


ROUTES = _every_route()
_IDS = {"connection": "con", "sub": "usr", "user": "usr", "card": "crd", "receipt": "rcp"}


def path_of(path: str) -> str:
    """The path with ids that nothing has."""
    return re.sub(r"{([a-z]+)[a-z_]*}", lambda found: f"{_IDS.get(found[1], 'x')}_{'a' * 26}", path)


def call(http: FlaskClient, method: str, path: str, headers: dict[str, str] | None = None):
    return http.open(path_of(path), method=method, headers=headers)


def token(house: House, *scopes: str, lifetime_s: int = 600, **parts: object) -> str:
    """A token of a client that has every scope of the API; `scopes`: none for all of them."""
    new = NewClient(house.tenant.id, f"all-{len(scopes)}-{lifetime_s}", "worker", scopes=API_SCOPES)
    with house.gateway.store.transaction() as tx:
        client, _ = add_client(tx, house.gateway.vault, new)
        given = {"kind": "client", "scopes": scopes or API_SCOPES, "lifetime_s": lifetime_s} | parts
        return issue_access_token(tx, house.gateway.vault, client, **given).reveal()


def test_there_are_routes_to_try() -> None:
    assert ("GET", "/v1/connections/{connection_id}", "connections:read") in ROUTES
    assert {scope for _, _, scope in ROUTES} <= set(API_SCOPES)


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
def test_a_route_lets_nobody_in_who_should_not(
    house: House, http: FlaskClient, clock: ManualClock, method: str, path: str, scope: str
) -> None:
    nobody = call(http, method, path)
    assert (nobody.status_code, nobody.json["code"]) == (401, "missing_token")
    assert nobody.headers["WWW-Authenticate"] == 'Bearer realm="account-connector"'
    for garbage in ("x", "gwat_" + "x" * 43, "x" * 5000, "gwat_a b"):
        answer = call(http, method, path, bearer(garbage))
        assert (answer.status_code, answer.json["code"]) == (401, "invalid_token")
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    others = tuple(one for one in API_SCOPES if one != scope)
    lacking = call(http, method, path, bearer(token(house, *others)))
    assert (lacking.status_code, lacking.json["code"]) == (403, "insufficient_scope")
    assert f'scope="{scope}"' in lacking.headers["WWW-Authenticate"]
    person = token(house, lifetime_s=601, kind="person", sub="usr_" + "a" * 26)
    assert call(http, method, path, bearer(person)).status_code == 403
    expired = token(house, lifetime_s=1)
    clock.advance(2)
    assert call(http, method, path, bearer(expired)).status_code == 401


@pytest.mark.parametrize(("method", "path", "scope"), [route for route in ROUTES if "{" in route[1]])
def test_what_never_was_is_not_found_by_those_who_may_ask(
    house: House, http: FlaskClient, method: str, path: str, scope: str
) -> None:
    answer = call(http, method, path, bearer(token(house)))
    assert answer.status_code in {404, 400, 415}, answer.get_data(as_text=True)
    if method in {"GET", "DELETE"} and answer.status_code != 404:
        assert answer.json["code"] in {"missing_parameter", "invalid_request", "bad_purpose"}


def test_the_token_of_a_removed_client_opens_nothing(house: House, http: FlaskClient) -> None:
    with house.gateway.store.transaction() as tx:
        held = issue_access_token(tx, house.gateway.vault, house.web, kind="client", scopes=("connections:read",))
    assert http.get("/v1/providers", headers=bearer(held.reveal())).status_code == 200
    with house.gateway.store.transaction() as tx:
        remove_client(tx, house.gateway.vault, house.web.id)
    assert http.get("/v1/providers", headers=bearer(held.reveal())).status_code == 401


def test_a_token_in_the_url_is_refused_even_beside_a_good_one(house: House, http: FlaskClient) -> None:
    answer = http.get("/v1/providers?access_token=x", headers=bearer(token(house)))
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")


def test_the_scheme_is_read_in_any_case(house: House, http: FlaskClient) -> None:
    good = token(house)
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert http.get("/v1/providers", headers={"Authorization": f"{scheme} {good}"}).status_code == 200
    assert http.get("/v1/providers", headers={"Authorization": f"DPoP {good}"}).status_code == 401
