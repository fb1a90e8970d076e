"""Worker tokens over HTTP: the plain route in front of Flask, the same behind it, and token exchange (RFC 8693)."""

from __future__ import annotations

import pytest

from connector.connections import rows
from connector.flows.revoke import revoke
from connector.http import create_app
from connector.http import handout as front
from connector.model.errors import Misconfigured
from connector.model.states import Ended
from tests.altered import change_user
from tests.connected import linked
from tests.gateways import api_token, basic, bearer

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


@pytest.fixture
def town(tmp_path, store, clock):
    return linked(tmp_path, store, clock)


@pytest.fixture
def app(town):
    return create_app(town.gateway)


@pytest.fixture
def token(town, app):
    return api_token(app, town.house.worker, town.house.worker_secret)


BEHIND = {"environ_base": {"HTTP_TRANSFER_ENCODING": "identity"}}  # the front leaves such a request to Flask


def plain(app, token, connection_id, body=None, *, behind=False):
    how = BEHIND if behind else {}
    given = {} if body is None else {"json": body}
    return app.test_client().post(f"/v1/connections/{connection_id}/token", headers=bearer(token), **given, **how)


def exchanged(app, town, **fields):
    issuer = town.gateway.settings.server.public_url
    given = {
        "grant_type": EXCHANGE,
        "subject_token": town.connection_id,
        "subject_token_type": f"{issuer}/token-type/connection",
        "requested_token_type": ACCESS_TOKEN,
        **fields,
    }
    return app.test_client().post(
        "/oauth/token",
        data={name: value for name, value in given.items() if value is not None},
        headers=basic(town.house.worker, town.house.worker_secret),
    )


# The plain route -----------------------------------------------------------------------------------


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("body", [None, {}, {"purpose": "sync", "min_ttl": 10, "scope": "contacts"}])
def test_the_plain_route_answers_the_providers_token(town, app, token, body, behind):
    answer = plain(app, token, town.connection_id, body, behind=behind)
    assert answer.status_code == 200, answer.text
    assert town.provider.live_access(answer.json["access_token"])
    assert {name: answer.json[name] for name in ("token_type", "expires_in", "scope")} == {
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "openid profile email contacts",
    }
    assert "refresh_token" not in answer.json


def test_the_front_and_flask_answer_the_same_with_the_same_headers(town, app, token):
    fast, slow = (plain(app, token, town.connection_id, behind=behind) for behind in (False, True))
    assert fast.json == slow.json
    for answer in (fast, slow):
        assert answer.headers.pop("X-Request-Id")
        answer.headers.pop("Content-Length")
    assert dict(fast.headers) == dict(slow.headers)


WRONG = {
    "unknown purpose": ({"purpose": "fun"}, 400, "invalid_request"),
    "purpose of another type": ({"purpose": ["sync"]}, 400, "invalid_request"),
    "purpose not granted": ({"purpose": "improve"}, 403, "purpose_not_granted"),
    "min_ttl negative": ({"min_ttl": -1}, 400, "invalid_request"),
    "min_ttl no number": ({"min_ttl": "soon"}, 400, "invalid_request"),
    "min_ttl a flag": ({"min_ttl": True}, 400, "invalid_request"),
    "scope not granted": ({"scope": "profile:write"}, 400, "invalid_scope"),
    "scope no text": ({"scope": ["contacts"]}, 400, "invalid_request"),
    "not an object": ([1], 400, "bad_json"),
}


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize(("body", "status", "code"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_a_problem_with_its_code(town, app, token, body, status, code, behind):
    answer = plain(app, token, town.connection_id, body, behind=behind)
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize("connection_id", ["con_never", "con_" + "a" * 26, "%00", "x" * 300])
def test_a_connection_that_is_not_the_callers_is_unknown(app, token, connection_id):
    answer = plain(app, token, connection_id)
    assert answer.status_code == 404


def test_another_tenants_connection_looks_like_none(town, app):
    with town.store.transaction() as tx:
        tx.run("UPDATE clients SET removed_at = NULL WHERE id = :id", id=town.house.other.id)
    stranger = api_token(app, town.house.other, town.house.other_secret)
    known = plain(app, stranger, town.connection_id)
    never = plain(app, stranger, "con_" + "a" * 26)
    assert (known.status_code, known.json["code"]) == (never.status_code, never.json["code"])
    assert known.status_code in {403, 404}


@pytest.mark.parametrize("given", ["gwat_nobody", "", "gwat_" + "x" * 500])
def test_nobody_gets_nothing(town, app, given):
    assert plain(app, given, town.connection_id).status_code == 401


def test_a_token_without_the_scope_gets_nothing(town, app):
    narrow = api_token(app, town.house.worker, town.house.worker_secret, "connections:read")
    answer = plain(app, narrow, town.connection_id)
    assert (answer.status_code, answer.json["code"]) == (403, "insufficient_scope")


def test_a_revoked_connection_is_gone_and_the_answer_says_what_to_do(town, app, token):
    revoke(town.gateway, town.house.tenant.id, town.connection_id, by=Ended.APP)
    answer = plain(app, token, town.connection_id)
    assert (answer.status_code, answer.json["code"]) == (410, "revoked")
    assert "/oauth/authorize" in answer.json["detail"]


def test_a_provider_that_is_down_is_asked_once_and_the_caller_told_when_to_come_back(town, app, token, clock):
    clock.advance(301)
    fresh = api_token(app, town.house.worker, town.house.worker_secret)
    town.faults({"kind": "rate_limit", "retry_after_s": 90})
    answer = plain(app, fresh, town.connection_id)
    assert (answer.status_code, answer.json["code"]) == (503, "provider_unavailable")
    assert int(answer.headers["Retry-After"]) >= 90
    assert len(town.gateway.egress.asked("/token")) == 1


def test_an_error_that_nobody_foresaw_is_mapped_behind_the_front(town, app, token, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("a secret may stand here")

    monkeypatch.setattr(front, "fresh_token", broken)
    answer = plain(app, token, town.connection_id)
    assert answer.status_code == 500
    assert "secret" not in answer.text


def test_a_damaged_row_is_our_error_and_says_nothing(town, app, token):
    with town.store.transaction() as tx:
        tx.run("UPDATE connections SET issuer = 'https://elsewhere.test'")
    answer = plain(app, token, town.connection_id)
    assert answer.status_code == 500
    assert "elsewhere" not in answer.text
    assert issubclass(rows.SealBroken, Misconfigured)


# Token exchange ------------------------------------------------------------------------------------


def test_token_exchange_answers_as_the_rfc_says(town, app):
    answer = exchanged(app, town)
    assert answer.status_code == 200, answer.text
    assert town.provider.live_access(answer.json["access_token"])
    assert answer.json["issued_token_type"] == ACCESS_TOKEN
    assert (answer.json["token_type"], answer.json["expires_in"]) == ("Bearer", 300)
    assert "refresh_token" not in answer.json
    assert answer.headers["Cache-Control"] == "no-store"


def test_min_ttl_of_token_exchange_brings_a_token_that_lives_that_long(town, app, clock):
    clock.advance(100)
    assert exchanged(app, town, min_ttl="210").json["expires_in"] == 300


REFUSED = {
    "no subject token": ({"subject_token": None}, "invalid_request", None),
    "another type": ({"subject_token_type": ACCESS_TOKEN}, "invalid_request", None),
    "a refresh token wanted": (
        {"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
        "invalid_request",
        None,
    ),
    "unknown connection": ({"subject_token": "con_never"}, "invalid_request", "unknown_connection"),
    "an audience": ({"audience": "somewhere"}, "invalid_target", None),
    "a resource": ({"resource": "https://somewhere.test"}, "invalid_target", None),
    "an actor": ({"actor_token": "x"}, "invalid_request", None),
    "a purpose not granted": ({"purpose": "improve"}, "invalid_target", "purpose_not_granted"),
    "an unknown purpose": ({"purpose": "fun"}, "invalid_request", None),
    "a scope not granted": ({"scope": "profile:write"}, "invalid_scope", None),
    "min_ttl no number": ({"min_ttl": "soon"}, "invalid_request", None),
}


@pytest.mark.parametrize(("fields", "error", "code"), REFUSED.values(), ids=REFUSED)
def test_what_token_exchange_refuses_has_the_word_of_the_rfc(town, app, fields, error, code):
    answer = exchanged(app, town, **fields)
    assert answer.status_code == 400, answer.text
    assert answer.json["error"] == error
    assert answer.json.get("code") == code
    assert town.entries("token_handout") == []


def test_token_exchange_of_a_revoked_connection_says_so(town, app):
    revoke(town.gateway, town.house.tenant.id, town.connection_id, by=Ended.PERSON)
    answer = exchanged(app, town)
    assert (answer.status_code, answer.json["error"], answer.json["code"]) == (400, "invalid_request", "revoked")


def test_token_exchange_that_the_policy_refuses_names_the_clause(town, app):
    change_user(town, age="child")
    answer = exchanged(app, town)
    assert (answer.json["error"], answer.json["code"]) == ("invalid_request", "refused")
    assert answer.json["clause"]


def test_token_exchange_while_the_provider_is_down_is_503_with_retry_after(town, app, clock):
    clock.advance(301)
    town.faults({"kind": "status", "status": 503})
    answer = exchanged(app, town)
    assert (answer.status_code, answer.json["error"]) == (503, "temporarily_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
