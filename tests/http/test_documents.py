"""What the gateway says about itself: metadata, keys, OpenAPI, providers, health, metrics."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from connector.clients import SCOPES
from connector.http import openapi
from connector.http.blueprints import BLUEPRINTS
from connector.http.oauth.grants import GRANTS
from connector.http.operations import operation_of
from connector.http.operator import create_operator_app
from connector.storage import Store
from connector.storage.errors import DatabaseUnavailable
from providers import catalogue
from tests.gateways import House, api_token, bearer
from vault.jobs import advance, begin_job, note_done, note_total

ISSUER = "http://127.0.0.1:8080"


def test_both_well_known_addresses_say_the_same(http: FlaskClient) -> None:
    one = http.get("/.well-known/openid-configuration")
    two = http.get("/.well-known/oauth-authorization-server", headers={"Host": "evil.example"})
    assert one.json == two.json
    assert one.content_type == "application/json"
    assert "evil" not in two.get_data(as_text=True)


def test_the_metadata_has_every_field_that_is_promised(http: FlaskClient) -> None:
    found = http.get("/.well-known/openid-configuration").json
    assert found["issuer"] == ISSUER
    for name, path in {
        "authorization_endpoint": "/oauth/authorize",
        "pushed_authorization_request_endpoint": "/oauth/par",
        "token_endpoint": "/oauth/token",
        "revocation_endpoint": "/oauth/revoke",
        "introspection_endpoint": "/oauth/introspect",
        "userinfo_endpoint": "/oauth/userinfo",
        "jwks_uri": "/oauth/jwks",
    }.items():
        assert found[name] == ISSUER + path
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert found["response_types_supported"] == ["code"]
    assert found["id_token_signing_alg_values_supported"] == ["RS256"]
    assert found["authorization_response_iss_parameter_supported"] is True
    assert found["request_uri_parameter_supported"] is False
    assert found["require_pushed_authorization_requests"] is False
    assert found["subject_types_supported"] == ["public"]
    assert set(found["scopes_supported"]) == set(SCOPES)
    assert set(found["grant_types_supported"]) == set(GRANTS)
    methods = {"client_secret_basic", "client_secret_post", "private_key_jwt"}
    for endpoint in ("token", "revocation", "introspection"):
        assert set(found[f"{endpoint}_endpoint_auth_methods_supported"]) == methods
        algorithms = found[f"{endpoint}_endpoint_auth_signing_alg_values_supported"]
        assert not {"none", "RS256", "HS256"} & set(algorithms)


def test_no_grant_of_an_older_day_is_offered() -> None:
    assert not {"password", "implicit", "refresh_token"} & GRANTS.keys()


def test_the_key_set_has_distinct_public_signing_keys(http: FlaskClient) -> None:
    keys = http.get("/oauth/jwks").json["keys"]
    assert [key["alg"] for key in keys] == ["RS256", "EdDSA", "EdDSA"]
    assert len({key["kid"] for key in keys}) == len(keys)
    assert all(key["use"] == "sig" and "d" not in key for key in keys)


def test_every_route_is_described(app: Flask) -> None:
    missing = [
        f"{method} {path}" for path, method, view in openapi.routes(app) if not (operation_of(view) or _NONE).summary
    ]
    assert missing == []


class _None:
    summary = ""


_NONE = _None()


def test_every_route_of_the_api_needs_a_scope_that_exists(app: Flask) -> None:
    for path, method, view in openapi.routes(app):
        if path.startswith("/v1/"):
            described = operation_of(view)
            assert described is not None, f"{method} {path}"
            assert described.scope in SCOPES, f"{method} {path}"


def test_the_document_holds_every_route_and_is_whole(app: Flask, http: FlaskClient) -> None:
    document = http.get("/openapi.json").json
    assert document["openapi"].startswith("3.1")
    served = {(path, method.lower()) for path, method, _ in openapi.routes(app)}
    assert {(path, method) for path, methods in document["paths"].items() for method in methods} == served
    names = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    assert len(set(names)) == len(names)
    for path, methods in document["paths"].items():
        for operation in methods.values():
            declared = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
            assert all(f"{{{name}}}" in path for name in declared)
            assert path.count("{") == len(declared)


def test_the_document_says_who_may_ask_for_each_route(http: FlaskClient) -> None:
    document = http.get("/openapi.json").json
    paths, schemes = document["paths"], document["components"]["securitySchemes"]
    asks = {
        ("/portal/data", "get"): ("the person, by their session", [{"session": []}]),
        ("/portal/receipts/{receipt_id}", "get"): ("the person, by their session", [{"session": []}]),
        ("/portal/enter", "post"): ("whoever holds the link", []),
        ("/callback/{integration_id}", "get"): ("the browser that began", []),
        ("/callback/{integration_id}", "post"): ("anyone", []),
        ("/oauth/authorize/{authorization_id}", "post"): ("the browser that began", []),
        ("/signals/{integration_id}/{kind}", "post"): ("the provider, by its signature", []),
        ("/deletions/{code}", "get"): ("whoever holds the code", []),
        ("/oauth/token", "post"): ("a client, by its credentials", [{"client": []}]),
        ("/healthz", "get"): ("anyone", []),
    }
    for (path, method), (who, security) in asks.items():
        assert paths[path][method]["description"] == f"Who may ask: {who}."
        assert paths[path][method]["security"] == security
    assert schemes["session"] == {"type": "apiKey", "in": "cookie", "name": "gw_portal_8080"}
    used = {name for methods in paths.values() for one in methods.values() for each in one["security"] for name in each}
    assert used <= schemes.keys()
    assert "the provider, by its signature" in http.get("/docs").get_data(as_text=True)


def test_every_page_behind_a_session_says_so(app: Flask) -> None:
    for path, method, view in openapi.routes(app):
        if path.startswith("/portal") and path != "/portal/enter":
            described = operation_of(view)
            assert described is not None, f"{method} {path}"
            assert described.security == "session", f"{method} {path}"


def test_the_page_for_people_names_every_route(app: Flask, http: FlaskClient) -> None:
    text = http.get("/docs").get_data(as_text=True)
    for path, method, _ in openapi.routes(app):
        assert f"<code>{method} {path}</code>" in text


def test_blueprints_have_names_of_their_own() -> None:
    assert len({blueprint.name for blueprint in BLUEPRINTS}) == len(BLUEPRINTS)


def test_providers_are_told_in_words_and_flags(house: House, app: Flask, http: FlaskClient) -> None:
    headers, items, at = bearer(api_token(app, house.web, house.web_secret)), {}, ""
    while at is not None:
        answer = http.get(f"/v1/providers?limit=120{at}", headers=headers)
        items |= {item["name"]: item for item in answer.json["items"]}
        at = answer.json["next"] and f"&cursor={answer.json['next']}"
    assert list(items) == list(catalogue.names())
    contacts = items["facebook"]["capabilities"]["import_contacts"]
    assert contacts["able"] is False
    assert contacts["why_not"]
    assert items["google"]["capabilities"]["authorise"]["able"] is True
    assert "adapter" not in answer.get_data(as_text=True)


def test_an_unknown_query_parameter_is_told(house: House, app: Flask, http: FlaskClient) -> None:
    answer = http.get("/v1/providers?nonsense=1", headers=bearer(api_token(app, house.web, house.web_secret)))
    assert (answer.status_code, answer.json["code"]) == (400, "unknown_parameter")


def test_health_asks_nothing_of_the_database_and_readiness_does(
    http: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = {"database": "ok", "policy": "ok", "held_answers": "ok", "keys": "ok"}
    assert http.get("/readyz").json == {"status": "ok", "checks": checks}

    def down(_: Store) -> None:
        raise DatabaseUnavailable("connection refused")

    monkeypatch.setattr(Store, "read", down)
    assert http.get("/healthz").status_code == 200
    unready = http.get("/readyz")
    assert (unready.status_code, unready.json["checks"]["database"]) == (503, "cannot be used")
    assert "refused" not in unready.get_data(as_text=True)


def test_metrics_are_on_the_operators_listener_alone(house: House, http: FlaskClient) -> None:
    assert http.get("/metrics").status_code == 404
    http.get("/v1/connections/con_secretlooking")
    answer = create_operator_app(house.gateway).test_client().get("/metrics")
    text = answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert 'connector_http_answers_total{method="GET",route="/v1/connections/<connection_id>",status="401"}' in text
    assert "connector_database_up 1.0" in text
    assert "secretlooking" not in text


def test_metrics_tell_connections_and_work_by_state(house: House) -> None:
    with house.gateway.store.transaction() as tx:
        tx.run(
            "INSERT INTO imports (id, tenant_id, connection_id, number, asked_by, state, next_at, created_at)"
            " VALUES ('imp_a', :t, 'con_a', 1, 'app', 'queued', :due, :due)",
            t=house.tenant.id,
            due=tx.now() - 90_000,
        )
    text = create_operator_app(house.gateway).test_client().get("/metrics").get_data(as_text=True)
    assert 'connector_work{kind="imports",state="queued"} 1.0' in text
    assert 'connector_work_overdue_seconds{kind="imports"} 90.0' in text


def test_metrics_tell_how_far_a_rotation_is(house: House) -> None:
    http = create_operator_app(house.gateway).test_client()
    assert "connector_rotation_left{" not in http.get("/metrics").get_data(as_text=True)
    with house.gateway.store.transaction() as tx:
        job = begin_job(tx, "tenant_keys", "", (), "somebody")
        advance(tx, job, "rewrap")
        note_total(tx, job, 50)
        note_done(tx, job, 30)
        began = job.created_at - 10_000
        tx.run("UPDATE rekey_jobs SET created_at = :began, heartbeat_at = :began + 10000", began=began)
    text = http.get("/metrics").get_data(as_text=True)
    for told in (
        'phase{kind="tenant_keys",phase="rewrap"} 1.0',
        'done{kind="tenant_keys"} 30.0',
        'left{kind="tenant_keys"} 20.0',
        'failed{kind="tenant_keys"} 0.0',
        'per_second{kind="tenant_keys"} 3.0',
    ):
        assert f"connector_rotation_{told}" in text


def test_a_scrape_succeeds_while_the_database_is_down(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(_: Store) -> None:
        raise DatabaseUnavailable("connection refused")

    monkeypatch.setattr(Store, "read", down)
    answer = create_operator_app(house.gateway).test_client().get("/metrics")
    assert answer.status_code == 200
    assert "connector_database_up 0.0" in answer.get_data(as_text=True)
