from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.capabilities import Ask, Grant, Registration
from providers.errors import ProviderError
from providers.exchange import NetworkFailure, Response, get, post_form
from providers.oauth2 import (
    authorization_failure,
    authorization_params,
    check_iss,
    code_challenge,
    lifetime_s,
    read,
    resource_failure,
    retry_after_s,
    revoke_token,
    scopes_of,
    send_once,
    token_answer,
    token_failure,
)
from providers.secret import Secret

REGISTRATION = Registration("id", Secret("secret"), "https://app.example/cb", scopes=("a", "b"))
ASK = Ask(Secret("state"), Secret("nonce"), Secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"))


def response(status: int, body: object = b"", **headers: str) -> Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, {name.replace("_", "-"): value for name, value in headers.items()}, data)


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (400, {"error": "invalid_grant"}, "rejected", "invalid_grant"),
        (200, {"error": "invalid_grant"}, "rejected", "invalid_grant"),
        (401, {"error": "invalid_client"}, "misconfigured", "invalid_client"),
        (400, {"error": "unauthorized_client"}, "misconfigured", "unauthorized_client"),
        (400, {"error": "invalid_scope"}, "misconfigured", "invalid_scope"),
        (400, {"error": "unsupported_grant_type"}, "misconfigured", "unsupported_grant_type"),
        (400, {"error": "temporarily_unavailable"}, "try_later", "temporarily_unavailable"),
        (400, {"error": "slow_down"}, "try_later", "slow_down"),
        (400, {"error": "access_denied"}, "denied", "access_denied"),
        (400, {"error": "whatever <script>"}, "garbage", "unknown_error"),
        (400, {"error": ["invalid_grant"]}, "garbage", "status_400"),
        (400, b"<html>", "garbage", "status_400"),
        (404, b"", "garbage", "status_404"),
        (429, b"<html>", "try_later", "too_many_requests"),
        (500, {"error": "server_error"}, "try_later", "server_error"),
        (500, {"error": "invalid_grant"}, "try_later", "server_error"),
        (503, b"<html>proxy", "ambiguous", "proxy_error"),
        (500, {"message": "UNIQUE constraint failed: token.access_token"}, "ambiguous", "proxy_error"),
        (408, b"", "ambiguous", "proxy_error"),
        (307, b"", "misconfigured", "redirected"),
        (200, {"error": "whatever"}, "ambiguous", "unknown_error"),
        (200, b"<html>", "ambiguous", "not_json"),
        (200, {}, "ambiguous", "token_type_unsupported"),
    ],
)
def test_each_failure_of_a_token_endpoint_has_one_place(status: int, body: object, kind: str, code: str) -> None:
    with pytest.raises(ProviderError) as raised:
        token_answer(response(status, body))
    assert (raised.value.kind, raised.value.code) == (kind, code)
    assert "script" not in str(raised.value)
    assert "UNIQUE" not in str(raised.value)


@given(st.integers(200, 599), st.one_of(st.binary(max_size=60), st.dictionaries(st.text(max_size=12), st.text())))
def test_no_answer_makes_the_reader_stumble_or_ends_a_grant_by_accident(status: int, body: object) -> None:
    with pytest.raises(ProviderError) as raised:
        token_answer(response(status, body))
    assert raised.value.kind != "rejected"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "30"}, 30),
        ({"retry_after": "0"}, 1),
        ({"retry_after": "999999999"}, 86_400),
        ({"retry_after": "Thu, 01 Jan 2026 00:02:00 GMT", "date": "Thu, 01 Jan 2026 00:00:00 GMT"}, 120),
        ({"retry_after": "Thu, 01 Jan 2026 00:02:00 GMT"}, 120),
        ({"retry_after": "Wed, 01 Jan 2020 00:00:00 GMT"}, 1),
        ({"retry_after": "Fri, 01 Jan 2100 00:00:00 GMT"}, 86_400),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "-1"}, None),
        ({"retry_after": "9" * 50}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_in_both_forms_and_brought_to_sense(headers: dict[str, str], seconds: int | None) -> None:
    assert retry_after_s(response(429, **headers), now=1_767_225_600_000) == seconds


def test_retry_after_reaches_the_caller() -> None:
    assert token_failure(response(503, {"error": "x"}, retry_after="9")).retry_after_s == 9
    assert token_failure(response(400, {"error": "invalid_grant"}, retry_after="9")).retry_after_s is None


@pytest.mark.parametrize(
    ("sent", "ask", "kind", "code"),
    [
        ("no", send_once, "try_later", "unsent"),
        ("maybe", send_once, "ambiguous", "no_answer"),
        ("no", read, "try_later", "unsent"),
        ("maybe", read, "try_later", "no_answer"),
    ],
)
def test_a_network_failure_is_sorted_by_what_was_at_stake(sent, ask, kind: str, code: str) -> None:
    exchange = ask(get("https://x.example/"))
    next(exchange)
    with pytest.raises(ProviderError) as raised:
        exchange.throw(NetworkFailure(sent, "deadline"))
    assert (raised.value.kind, raised.value.code) == (kind, code)


def test_form_encoded_answers_are_read_by_their_reader() -> None:
    got = token_answer(
        response(200, b"access_token=t&scope=a%2Cb&token_type=bearer"), separators=", ", reader=Response.form
    )
    assert (got.access_token, got.scopes) == (Secret("t"), ("a", "b"))


def test_an_answer_shows_no_token() -> None:
    got = token_answer(response(200, {"access_token": "sesame", "refresh_token": "sesame", "token_type": "Bearer"}))
    assert "sesame" not in repr(got)
    assert "sesame" not in repr(got.grant())


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(3600, 3600), ("3600", 3600), (-1, 0), (1e18, 25 * 366 * 86_400), (float("inf"), 25 * 366 * 86_400),
     (float("nan"), None), (True, None), ("soon", None), (None, None), ([], None), ("9" * 30, None)],
)  # fmt: skip
def test_lifetimes_are_brought_to_sense(value: object, seconds: int | None) -> None:
    assert lifetime_s(value) == seconds


def test_scopes_are_listed_once_in_order() -> None:
    assert scopes_of("b a b") == ("b", "a")
    assert scopes_of("a, b,c", ", ") == ("a", "b", "c")
    assert scopes_of(["a", 7, "b"]) == ("a", "b")
    assert scopes_of("") == ()
    assert scopes_of(None) is None


def test_the_challenge_is_that_of_the_standards_example() -> None:
    assert code_challenge(ASK.code_verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    params = dict(authorization_params(REGISTRATION, ASK, separator=","))
    assert (params["scope"], params["code_challenge_method"]) == ("a,b", "S256")
    assert "dBjft" not in str(params)


@pytest.mark.parametrize(
    ("iss", "required", "code"),
    [("https://b", False, "iss_mismatch"), ("https://a/", True, "iss_mismatch"), ("", False, "iss_mismatch"),
     (None, True, "iss_missing")],
)  # fmt: skip
def test_a_wrong_or_missing_issuer_of_the_answer_is_a_mismatch(iss, required: bool, code: str) -> None:
    with pytest.raises(ProviderError, match=f"mismatch/{code}"):
        check_iss("https://a", iss, required=required)


def test_a_right_issuer_passes_and_a_missing_one_where_nobody_promised_it() -> None:
    check_iss("https://a", "https://a", required=True)
    check_iss("https://a", None)


@pytest.mark.parametrize(
    ("error", "kind"),
    [("access_denied", "denied"), ("login_required", "denied"), ("server_error", "try_later"),
     ("invalid_scope", "misconfigured"), ("<b>", "garbage")],
)  # fmt: skip
def test_errors_of_the_authorization_response_are_sorted(error: str, kind: str) -> None:
    failure = authorization_failure(error)
    assert failure.kind == kind
    assert "<b>" not in str(failure)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, "rejected"), (403, "insufficient_scope"), (409, "conflict"), (412, "conflict"), (429, "try_later"),
     (408, "try_later"), (500, "try_later"), (404, "garbage"), (200, "garbage"), (302, "misconfigured")],
)  # fmt: skip
def test_failures_of_a_resource_are_sorted_by_status(status: int, kind: str) -> None:
    assert resource_failure(response(status)).kind == kind


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [(200, b"", "confirmed"), (204, b"", "confirmed"), (400, {"error": "invalid_token"}, "already_gone")],
)
def test_a_revocation_ends_confirmed_or_already_gone(status: int, body: object, outcome: str) -> None:
    exchange = revoke_token("https://x.example/revoke", REGISTRATION, Grant(Secret("at"), Secret("rt")))
    assert b"token=rt" in (next(exchange).body or b"")
    with pytest.raises(StopIteration) as stop:
        exchange.send(response(status, body))
    assert stop.value.value.outcome == outcome


@pytest.mark.parametrize(
    ("status", "kind"), [(503, "try_later"), (502, "try_later"), (401, "garbage"), (307, "misconfigured")]
)
def test_a_revocation_that_is_not_certain_is_tried_again(status: int, kind: str) -> None:
    exchange = revoke_token("https://x.example/revoke", REGISTRATION, Grant(Secret("at")))
    next(exchange)
    with pytest.raises(ProviderError) as raised:
        exchange.send(response(status, b"<html>"))
    assert raised.value.kind == kind


def test_a_form_is_sent_once_and_its_url_has_no_secret() -> None:
    request = post_form("https://x.example/t", {"code": "sesame"}, basic=("id:1", Secret("p w")))
    assert request.once
    assert "sesame" not in repr(request) + request.url
