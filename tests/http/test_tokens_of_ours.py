"""Revoking, introspecting and using our own access tokens."""

from __future__ import annotations

from flask.testing import FlaskClient

from connector.clients import issue_access_token
from connector.people import create_user, find_user, mark_deleted
from tests.clock import ManualClock
from tests.gateways import House, api_token, basic, bearer


def person(house: House, *scopes: str) -> tuple[str, str]:
    """A person's sub, and an access token from their sign-up through the web app."""
    with house.gateway.store.transaction() as tx:
        user = create_user(tx, house.gateway.vault, house.tenant.id)
        token = issue_access_token(
            tx, house.gateway.vault, house.web, kind="person", scopes=scopes or ("openid",), sub=user.sub
        )
    return user.sub, token.reveal()


def ask(http: FlaskClient, house: House, path: str, token: str | None, **parts: str):
    who = {"web": (house.web, house.web_secret), "other": (house.other, house.other_secret)}
    who["worker"] = (house.worker, house.worker_secret)
    fields = {} if token is None else {"token": token}
    return http.post(path, data=fields | {"token_type_hint": "nonsense"}, headers=basic(*who[parts.get("by", "web")]))


def test_a_revoked_token_is_dead_at_once(house: House, http: FlaskClient, app) -> None:
    token = api_token(app, house.web, house.web_secret)
    assert http.get("/v1/providers", headers=bearer(token)).status_code == 200
    answer = ask(http, house, "/oauth/revoke", token)
    assert (answer.status_code, answer.get_data()) == (200, b"")
    assert http.get("/v1/providers", headers=bearer(token)).status_code == 401
    assert ask(http, house, "/oauth/introspect", token).json == {"active": False}


def test_revoking_what_never_was_is_fine_and_says_nothing(house: House, http: FlaskClient) -> None:
    for token in ("x", "gwat_x", "x" * 5000, "ü"):
        answer = ask(http, house, "/oauth/revoke", token)
        assert (answer.status_code, answer.get_data()) == (200, b"")


def test_nobody_ends_another_clients_token(house: House, http: FlaskClient, app) -> None:
    token = api_token(app, house.web, house.web_secret)
    for by in ("other", "worker"):
        assert ask(http, house, "/oauth/revoke", token, by=by).status_code == 200
    assert http.get("/v1/providers", headers=bearer(token)).status_code == 200


def test_introspection_tells_what_a_token_is_good_for(house: House, http: FlaskClient, app) -> None:
    token = api_token(app, house.worker, house.worker_secret, "connections:read")
    found = ask(http, house, "/oauth/introspect", token, by="worker").json
    now = house.gateway.clock.now() // 1000
    assert found == {
        "active": True,
        "scope": "connections:read",
        "client_id": house.worker.id,
        "sub": house.worker.id,
        "token_type": "Bearer",
        "iat": now,
        "exp": now + 3600,
        "iss": "http://127.0.0.1:8080",
    }


def test_introspection_says_inactive_and_nothing_else_for_all_others(
    house: House, http: FlaskClient, app, clock: ManualClock
) -> None:
    token = api_token(app, house.web, house.web_secret)
    assert ask(http, house, "/oauth/introspect", token, by="other").json == {"active": False}
    for unknown in ("x", "gwat_x", "x" * 5000, house.integration.id):
        assert ask(http, house, "/oauth/introspect", unknown).json == {"active": False}
    clock.advance(3600)
    assert ask(http, house, "/oauth/introspect", token).json == {"active": False}


def test_both_want_a_client_and_a_token(house: House, http: FlaskClient) -> None:
    for path in ("/oauth/revoke", "/oauth/introspect"):
        assert http.post(path, data={"token": "x"}).status_code == 401
        answer = ask(http, house, path, None)
        assert (answer.status_code, answer.json["error"], answer.json["code"]) == (
            400,
            "invalid_request",
            "missing_parameter",
        )


def test_userinfo_names_the_person_of_the_token(house: House, http: FlaskClient) -> None:
    sub, token = person(house)
    for method in ("GET", "POST"):
        answer = http.open("/oauth/userinfo", method=method, headers=bearer(token))
        assert (answer.status_code, answer.json["sub"]) == (200, sub)
        assert answer.headers["Cache-Control"] == "no-store"


def test_userinfo_is_for_persons_tokens_with_openid(house: House, http: FlaskClient, app) -> None:
    _, narrow = person(house, "profile")
    for token in (narrow, api_token(app, house.web, house.web_secret)):
        answer = http.get("/oauth/userinfo", headers=bearer(token))
        assert (answer.status_code, answer.json["error"]) == (403, "insufficient_scope")
        assert 'scope="openid"' in answer.headers["WWW-Authenticate"]


def test_userinfo_refuses_what_is_no_token(http: FlaskClient) -> None:
    missing = http.get("/oauth/userinfo")
    assert missing.status_code == 401
    assert missing.headers["WWW-Authenticate"] == 'Bearer realm="account-connector"'
    wrong = http.get("/oauth/userinfo", headers=bearer("gwat_x"))
    assert (wrong.status_code, wrong.json["error"]) == (401, "invalid_token")
    assert 'error="invalid_token"' in wrong.headers["WWW-Authenticate"]


def test_userinfo_of_a_deleted_account_is_refused(house: House, http: FlaskClient) -> None:
    sub, token = person(house)
    with house.gateway.store.transaction() as tx:
        user = find_user(tx, house.gateway.vault, house.tenant.id, sub)
        assert user is not None
        mark_deleted(tx, house.gateway.vault, user)
    assert http.get("/oauth/userinfo", headers=bearer(token)).status_code == 401
