"""Whatever is sent to what anybody can reach is answered with a typed error: never a 500, never a trace."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.clients import ASSERTION_TYPE
from tests.fuzz.shapes import BOUNDED, assert_sound, fields, json_objects, texts
from tests.gateways import APP_CALLBACK, basic
from tests.signing_up import Town, answer_of, fresh_start

ASKED = ("response_type", "client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge", "prompt", "max_age")
PUSHED = (*ASKED, "link_user", "connection", "import", "offer_push", "provider_scope", "request_uri", "request")
ANSWERED = ("code", "state", "iss", "error", "error_description", "error_reason", "access_token", "handle")
TOKEN = ("grant_type", "code", "redirect_uri", "code_verifier", "link_user", "subject_token", "subject_token_type")
EXCHANGE = (*TOKEN, "requested_token_type", "purpose", "min_ttl", "scope", "resource", "audience", "actor_token")
SECRETS = ("client_id", "client_secret", "client_assertion", "client_assertion_type")
BASE = fresh_start().query
FORM = "application/x-www-form-urlencoded"


def posted(fair: Town, path: str, pairs: list[tuple[str, str]], **headers: str) -> Any:
    body = urlencode(pairs, errors="surrogatepass")
    return fair.app.test_client().post(path, data=body, content_type=FORM, headers=headers)


def got(fair: Town, path: str, pairs: list[tuple[str, str]]) -> Any:
    query = urlencode(pairs, errors="surrogatepass")
    return fair.app.test_client().get(path, query_string=query)


@BOUNDED
@given(pairs=fields(*ASKED, base=BASE), known=st.booleans())
def test_an_authorization_request(fair: Town, pairs: list[tuple[str, str]], known: bool) -> None:
    client = [("client_id", fair.house.web.id)] if known else []
    answer = got(fair, "/oauth/authorize", client + pairs)
    assert_sound(answer)
    assert answer.headers.get("Location", APP_CALLBACK).startswith(APP_CALLBACK)


@BOUNDED
@given(pairs=fields(*ANSWERED), by_form=st.booleans(), known=st.booleans())
def test_a_provider_s_answer(fair: Town, pairs: list[tuple[str, str]], by_form: bool, known: bool) -> None:
    path = fair.callback if known else "/callback/int_" + "a" * 26
    answer = posted(fair, path, pairs) if by_form else got(fair, path, pairs)
    assert_sound(answer)
    assert answer.status_code != 303


@BOUNDED
@given(changes=fields(*ANSWERED), by_form=st.booleans())
def test_a_provider_s_answer_to_a_flow_that_waits(fair: Town, changes: list[tuple[str, str]], by_form: bool) -> None:
    browser, started = fair.browser(), fair.start()
    true = answer_of(fair.to_callback(browser, started.query))
    pairs = [("state", true["state"]), *changes]
    if by_form:
        answer = browser.post(fair.callback, data=urlencode(pairs), content_type=FORM)
    else:
        answer = browser.get(fair.callback, query_string=urlencode(pairs))
    assert_sound(answer)


@BOUNDED
@given(raw=st.binary(max_size=300), path=st.sampled_from(["/oauth/token", "/oauth/par", "/oauth/authorize/azn_x"]))
def test_bytes_that_are_no_form(fair: Town, raw: bytes, path: str) -> None:
    for content_type in (FORM, "application/json", "multipart/form-data; boundary=x", "text/\xff"):
        answer = fair.app.test_client().post(path, data=raw, content_type=content_type)
        assert_sound(answer)


@BOUNDED
@given(pairs=fields(*PUSHED, base=BASE))
def test_a_pushed_request(fair: Town, pairs: list[tuple[str, str]]) -> None:
    answer = posted(fair, "/oauth/par", pairs, **basic(fair.house.web, fair.house.web_secret))
    assert_sound(answer)


@BOUNDED
@given(
    grant=st.sampled_from(
        ["authorization_code", "client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange"]
    ),
    pairs=fields(*EXCHANGE),
)
def test_a_token_request(fair: Town, grant: str, pairs: list[tuple[str, str]]) -> None:
    given_pairs = [("grant_type", grant), *pairs]
    answer = posted(fair, "/oauth/token", given_pairs, **basic(fair.house.worker, fair.house.worker_secret))
    assert_sound(answer)
    assert "refresh_token" not in answer.text or answer.status_code >= 400


@BOUNDED
@given(pairs=fields(*SECRETS, base={"grant_type": "client_credentials"}), header=st.one_of(st.none(), texts))
def test_credentials_of_a_client(fair: Town, pairs: list[tuple[str, str]], header: str | None) -> None:
    headers = {}
    if header is not None:
        encoded = base64.b64encode(header.encode("utf-8", "surrogatepass")).decode()
        headers = {"Authorization": f"Basic {encoded}"}
    answer = posted(fair, "/oauth/token", pairs, **headers)
    assert_sound(answer)
    assert answer.status_code in {400, 401, 429}


@BOUNDED
@given(header=json_objects("alg", "kid", "typ", "crit", "jwk", "b64"), claims=json_objects("iss", "sub", "aud", "exp"))
def test_an_assertion_of_a_client(fair: Town, header: dict[str, Any], claims: dict[str, Any]) -> None:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, claims)]
    pairs = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", ".".join([*parts, "AAAA"])),
    ]
    answer = posted(fair, "/oauth/token", pairs)
    assert_sound(answer)
    assert answer.status_code in {400, 401}


@BOUNDED
@given(token=texts)
def test_a_bearer_token(fair: Town, token: str) -> None:
    header = {"Authorization": b"Bearer ".decode() + token.encode("ascii", "ignore").decode()}
    if any(sign in header["Authorization"] for sign in "\r\n\0"):
        return  # no server lets such a header in
    for path in ("/v1/providers", "/oauth/userinfo"):
        answer = fair.app.test_client().get(path, headers=header)
        assert_sound(answer)
        assert answer.status_code in {400, 401}


@BOUNDED
@given(cookie=texts, name=st.sampled_from(["gw_flow_8080_x", "gw_notices_8080", "gw_portal_8080", "x"]))
def test_a_cookie(fair: Town, cookie: str, name: str) -> None:
    plain = cookie.encode("ascii", "ignore").decode().translate({10: None, 13: None, 0: None})
    answer = fair.app.test_client(use_cookies=False).get(
        "/oauth/authorize",
        query_string=fair.start().query,
        headers={"Cookie": f"{name}={plain}"},
    )
    assert_sound(answer)
    assert answer.status_code == 200


@BOUNDED
@given(
    path=st.text(st.characters(codec="utf-8"), max_size=60), method=st.sampled_from(["GET", "POST", "PUT", "DELETE"])
)
def test_an_address_and_a_method(fair: Town, path: str, method: str) -> None:
    for head in ("/", "/v1/", "/oauth/", "/callback/", "/signals/", "/deletions/", "/portal/"):
        answer = fair.app.test_client().open(head + path.lstrip("/"), method=method)
        assert_sound(answer)


@BOUNDED
@given(body=st.one_of(st.binary(max_size=200), json_objects("user_id", "issued_at", "algorithm", "signed_request")))
@pytest.mark.parametrize("kind", ["facebook-deauthorize", "facebook-data-deletion", "deauthorize", "x"])
def test_a_signal(fair: Town, kind: str, body: bytes | dict[str, Any]) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    for content_type in (FORM, "application/json"):
        for data in (raw, b"signed_request=" + base64.urlsafe_b64encode(raw) + b"." + base64.urlsafe_b64encode(raw)):
            answer = fair.app.test_client().post(
                f"/signals/{fair.house.integration.id}/{kind}",
                data=data,
                content_type=content_type,
            )
            assert_sound(answer)
            assert answer.status_code >= 400


def test_twin_an_error_that_nobody_sorted_is_seen(fair: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(*_args: object, **_parts: object) -> None:
        raise KeyError("state")

    monkeypatch.setattr("connector.http.callback.returned", stumble)
    with pytest.raises(AssertionError):
        assert_sound(got(fair, fair.callback, [("state", "x")]))
