"""The token endpoint: who gets in, what is refused, and how it says so."""

from __future__ import annotations

import base64

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from connector.clients import ASSERTION_TYPE, NewClient, add_client
from tests.clients.test_assertions import key_for, public, signed
from tests.gateways import House, basic

GRANT = {"grant_type": "client_credentials"}


def post(http: FlaskClient, fields: object, headers: dict[str, str] | None = None) -> TestResponse:
    return http.post("/oauth/token", data=fields, headers=headers)


def said(answer: TestResponse) -> tuple[int, str]:
    assert answer.content_type == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.status_code, answer.json["error"]


def test_client_credentials_give_a_token_for_what_the_client_may(house: House, http: FlaskClient) -> None:
    answer = post(http, GRANT, basic(house.worker, house.worker_secret))
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Pragma"] == "no-cache"
    assert answer.json.keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert answer.json["scope"].split() == ["connections:read", "tokens:exchange"]
    assert (answer.json["token_type"], answer.json["expires_in"]) == ("Bearer", 3600)


def test_a_client_may_ask_for_less(house: House, http: FlaskClient) -> None:
    answer = post(http, GRANT | {"scope": "connections:read"}, basic(house.worker, house.worker_secret))
    assert answer.json["scope"] == "connections:read"


@pytest.mark.parametrize("scope", ["users:delete", "openid", "connections:read users:delete", "nonsense", " "])
def test_a_client_may_not_ask_for_more(house: House, http: FlaskClient, scope: str) -> None:
    assert said(post(http, GRANT | {"scope": scope}, basic(house.worker, house.worker_secret))) == (
        400,
        "invalid_scope",
    )


def test_a_client_signs_in_by_header_by_body_or_by_assertion(house: House, http: FlaskClient) -> None:
    key = key_for("ES256")
    new = NewClient(house.tenant.id, "robot", "worker", authentication="private_key_jwt", jwks=public(key))
    with house.gateway.store.transaction() as tx:
        robot, _ = add_client(tx, house.gateway.vault, new)
    body = {"client_id": house.web.id, "client_secret": house.web_secret.reveal()}
    assertion = {
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": signed(house, robot, aud="http://127.0.0.1:8080/oauth/token"),
    }
    assert post(http, GRANT, basic(house.web, house.web_secret)).status_code == 200
    assert post(http, GRANT | {"client_id": house.web.id}, basic(house.web, house.web_secret)).status_code == 200
    assert post(http, GRANT | body).status_code == 200
    assert post(http, GRANT | assertion).status_code == 200
    assert said(post(http, GRANT | assertion)) == (401, "invalid_client")


def test_credentials_that_do_not_fit_are_refused_alike(house: House, http: FlaskClient) -> None:
    def pair(text: bytes) -> dict[str, str]:
        return {"Authorization": "Basic " + base64.b64encode(text).decode()}

    wrong = [
        {},
        {"Authorization": "Basic"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Digest x"},
        {"Authorization": "Basic " + "x" * 20_000},
        pair(b"no colon"),
        pair(b"\xff\xfe:\xff"),
        pair(b"cli_nobody:secret"),
        pair(f"{house.web.id}:".encode()),
        pair(f"{house.web.id}:wrong".encode()),
        basic(house.web, house.worker_secret),
        basic(house.other, house.web_secret),
    ]
    texts = set()
    for headers in wrong:
        answer = post(http, GRANT, headers)
        assert said(answer) == (401, "invalid_client")
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")
        texts.add(answer.json["error_description"])
    assert texts <= {"Client authentication failed.", "Client authentication is missing."}


def test_two_ways_at_once_are_refused(house: House, http: FlaskClient) -> None:
    good = basic(house.web, house.web_secret)
    for more in (
        {"client_secret": house.web_secret.reveal()},
        {"client_assertion": "x", "client_assertion_type": ASSERTION_TYPE},
        {"client_id": house.worker.id},
    ):
        assert said(post(http, GRANT | more, good)) == (400, "invalid_request")
    assert said(post(http, GRANT | {"client_assertion": "x"})) == (400, "invalid_request")
    assert said(post(http, GRANT | {"client_assertion": "x", "client_assertion_type": "saml"})) == (
        400,
        "invalid_request",
    )


@pytest.mark.parametrize("grant", ["password", "implicit", "refresh_token", "CLIENT_CREDENTIALS", "x" * 3000])
def test_a_grant_type_that_is_not_offered_is_named_so(house: House, http: FlaskClient, grant: str) -> None:
    assert said(post(http, {"grant_type": grant}, basic(house.web, house.web_secret))) == (
        400,
        "unsupported_grant_type",
    )


def test_a_missing_grant_type_is_an_invalid_request(house: House, http: FlaskClient) -> None:
    for fields in ({}, {"grant_type": ""}):
        answer = http.post(
            "/oauth/token",
            data=fields,
            headers=basic(house.web, house.web_secret),
            content_type="application/x-www-form-urlencoded",
        )
        assert said(answer) == (400, "invalid_request")


def test_a_repeated_parameter_is_refused(house: House, http: FlaskClient) -> None:
    body = "grant_type=client_credentials&grant_type=client_credentials"
    answer = http.post(
        "/oauth/token",
        data=body,
        headers=basic(house.web, house.web_secret),
        content_type="application/x-www-form-urlencoded",
    )
    assert said(answer) == (400, "invalid_request")


def test_parameters_in_the_url_are_refused(house: House, http: FlaskClient) -> None:
    answer = http.post(
        "/oauth/token?grant_type=client_credentials", data=GRANT, headers=basic(house.web, house.web_secret)
    )
    assert said(answer) == (400, "invalid_request")


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "multipart/form-data; boundary=x", ""])
def test_only_forms_are_taken(house: House, http: FlaskClient, content_type: str) -> None:
    answer = http.post(
        "/oauth/token", data=b"{}", headers=basic(house.web, house.web_secret), content_type=content_type or None
    )
    assert said(answer) == (415, "invalid_request")


@pytest.mark.parametrize(
    "body",
    [
        b"grant_type=%ff",
        b"grant_type=a%00b",
        b"grant_type=" + b"x" * 300_000,
        b"&".join(b"a%d=1" % n for n in range(5000)),
    ],
)
def test_unreadable_and_huge_forms_are_refused(house: House, http: FlaskClient, body: bytes) -> None:
    answer = http.post(
        "/oauth/token",
        data=body,
        headers=basic(house.web, house.web_secret),
        content_type="application/x-www-form-urlencoded",
    )
    status, error = said(answer)
    assert status in {400, 413}
    assert error in {"invalid_request", "unsupported_grant_type"}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_other_methods_are_refused_and_told_which(http: FlaskClient, method: str) -> None:
    answer = http.open("/oauth/token", method=method)
    assert said(answer) == (405, "invalid_request")
    assert "POST" in answer.headers["Allow"]


def test_too_many_failures_from_one_address_are_slowed_and_good_credentials_are_not(
    house: House, http: FlaskClient
) -> None:
    answers = [post(http, GRANT, basic(house.web, house.other_secret)).status_code for _ in range(35)]
    assert answers[:30] == [401] * 30
    assert answers[-1] == 429
    slowed = post(http, GRANT, basic(house.web, house.other_secret))
    assert said(slowed) == (429, "temporarily_unavailable")
    assert slowed.headers["Retry-After"] == "60"
    assert post(http, GRANT, basic(house.web, house.web_secret)).status_code == 200
