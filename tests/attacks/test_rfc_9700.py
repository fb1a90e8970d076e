"""RFC 9700, item by item (B1 to B21), through the application; what other files show is in the README's table."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from connector.clients import API_SCOPES
from connector.flows.fresh_token import Wanted, fresh_token
from connector.flows.signup_link import asking, redeeming, returning
from connector.http import authentication, create_app, headers
from connector.http.oauth.metadata import document
from connector.http.openapi import routes
from connector.model.errors import Forbidden
from connector.model.tags import Purpose
from tests.attacks.workers import at_worker, exchanged
from tests.gateways import APP_CALLBACK, PUBLIC_URL, api_token, basic, bearer
from tests.signing_up import Town, answer_of

# B3: a code in another session -----------------------------------------------------------------------


def pasted(street: Town) -> Any:
    """Mallory redeems the victim's code with the verifier of her own session."""
    victim = street.start()
    back = street.to_app(street.browser(), victim.query, "victim")
    return street.redeem(back, street.start())


def test_b3_a_code_in_another_session_is_refused_and_burned(street: Town) -> None:
    assert pasted(street).json["code"] == "wrong_verifier"
    assert street.exchanges() == 0


def test_b3_twin_without_the_verifier_the_code_is_taken(street: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redeeming, "_fits", lambda _verifier, _challenge: True)
    assert pasted(street).status_code == 200


# B4: PKCE downgrade ------------------------------------------------------------------------------------


def stripped(street: Town) -> Any:
    query = {name: value for name, value in street.start().query.items() if not name.startswith("code_challenge")}
    return street.page(street.browser(), query)


def test_b4_a_request_whose_challenge_was_stripped_goes_nowhere(street: Town) -> None:
    assert answer_of(stripped(street).headers["Location"])["error"] == "invalid_request"


def test_b4_twin_where_pkce_is_optional_the_page_opens(street: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_challenge", lambda _answer, _parameters: "")
    assert stripped(street).status_code == 200


def test_b4_toward_the_provider_the_challenge_is_s256_always(street: Town) -> None:
    browser = street.browser()
    sent = answer_of(street.submit(browser, street.page(browser, street.start().query)).headers["Location"])
    assert sent["code_challenge_method"] == "S256"
    assert len(sent["code_challenge"]) == 43


# B5: tokens in the front channel -----------------------------------------------------------------------


def injected(street: Town, name: str) -> dict[str, str]:
    browser = street.browser()
    query = answer_of(street.to_callback(browser, street.start().query))
    answer = browser.get(street.callback, query_string=query | {name: "injected"})
    return answer_of(answer.headers["Location"])


@pytest.mark.parametrize("name", ["access_token", "id_token", "refresh_token"])
def test_b5_a_token_in_the_front_channel_ends_the_flow(street: Town, name: str) -> None:
    assert injected(street, name)["error"] == "server_error"


def test_b5_twin_without_looking_for_tokens_the_answer_passes(street: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(returning, "_TOKENS", ())
    assert "code" in injected(street, "access_token")


@pytest.mark.parametrize("kind", ["token", "id_token", "code token", "code id_token", "none", "CODE"])
def test_b5_no_response_type_but_code_is_answered(street: Town, kind: str) -> None:
    answer = street.page(street.browser(), street.start(response_type=kind).query)
    assert answer_of(answer.headers["Location"])["error"] == "unsupported_response_type"


# B7, B8: redirect URIs ---------------------------------------------------------------------------------

NOT_REGISTERED = [
    APP_CALLBACK + "/",
    APP_CALLBACK + "/../evil",
    APP_CALLBACK + "%2e%2e/evil",
    APP_CALLBACK + "?next=//evil.example",
    APP_CALLBACK + "#fragment",
    APP_CALLBACK.replace("8070", "8071"),
    APP_CALLBACK.replace("127.0.0.1", "127.0.0.1."),
    APP_CALLBACK.replace("127.0.0.1", "127.0.0.1@evil.example"),
    APP_CALLBACK.replace("127.0.0.1", "localhost"),
    APP_CALLBACK.replace("127.0.0.1", "[::ffff:127.0.0.1]"),
    APP_CALLBACK.replace("http:", "https:"),
    APP_CALLBACK.replace("callback", "Callback"),
    APP_CALLBACK.replace(".", "\u3002"),
    " " + APP_CALLBACK,
    APP_CALLBACK + "\r\nLocation: https://evil.example",
    "//evil.example/callback",
    "/\\evil.example",
    "https:evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "https://evil.example/%0d%0aSet-Cookie:x",
]


@pytest.mark.parametrize("uri", NOT_REGISTERED)
def test_b7_and_b8_an_address_that_is_not_exactly_registered_is_shown_on_a_page(street: Town, uri: str) -> None:
    for asked in ({"redirect_uri": uri}, {"redirect_uri": uri, "response_type": "token"}):
        answer = street.page(street.browser(), street.start().query | asked)
        assert answer.status_code == 400
        assert "Location" not in answer.headers
        assert "evil" not in answer.text


def test_b7_twin_with_prefixes_instead_of_whole_addresses_the_error_leads_away(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        asking, "_where_to", lambda _client, parameters: asking._Answer(parameters.get("redirect_uri") or "", None)
    )
    uri = APP_CALLBACK + "/../evil"
    answer = street.page(street.browser(), street.start().query | {"redirect_uri": uri, "response_type": "token"})
    assert answer.headers["Location"].startswith(uri)


def test_b7_and_b17_no_address_is_built_from_what_the_request_says_of_itself(street: Town) -> None:
    spoofed = {
        "Host": "evil.example",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "gopher",
        "X-Forwarded-Prefix": "/evil",
        "Forwarded": "host=evil.example",
        "X-Original-URL": "/evil",
    }
    browser = street.browser()
    page = browser.get("/oauth/authorize", query_string=street.start().query, headers=spoofed)
    action = re.search(r'action="([^"]+)"', page.text)
    token = re.search(r'name="form_token" value="([^"]+)"', page.text)
    assert action is not None
    assert token is not None
    form = {"form_token": token[1], "action": "go", "age": "yes"}
    onward = browser.post(action[1], data=form, headers=spoofed).headers["Location"]
    assert answer_of(onward)["redirect_uri"].startswith(f"{PUBLIC_URL}/callback/")
    for path in ("/.well-known/openid-configuration", "/openapi.json", "/docs"):
        assert "evil.example" not in browser.get(path, headers=spoofed).text


# B11: least privilege -------------------------------------------------------------------------------------


def test_b11_a_worker_gets_no_scope_and_no_purpose_beyond_what_was_granted(street: Town) -> None:
    connection = street.sign_up("ada")["connection"]
    assert at_worker(street, connection).status_code == 200
    assert at_worker(street, connection, scope="openid admin").json["error"] == "invalid_scope"
    wrong_purpose = at_worker(street, connection, purpose="contact")
    assert (wrong_purpose.status_code, wrong_purpose.json["error"]) == (400, "invalid_target")
    unscoped = exchanged(street, connection, street.house.web, street.house.web_secret)
    assert unscoped.status_code in {400, 403}
    assert "access_token" not in unscoped.text


def test_b11_twin_a_client_that_holds_the_purpose_gets_the_token(street: Town) -> None:
    wanted = Wanted(street.sign_up("ada")["connection"], Purpose.SERVICE)
    narrow = replace(street.house.worker, purposes=())
    with pytest.raises(Forbidden):
        fresh_token(street.gateway, narrow, wanted)
    assert fresh_token(street.gateway, replace(narrow, purposes=("service",)), wanted).access_token.reveal()


# B12, B15: pages ------------------------------------------------------------------------------------------


def pages(street: Town) -> list[Any]:
    """One answer of every kind that a browser sees."""
    browser = street.browser()
    query = street.start().query
    notice = street.page(browser, query)
    onward = street.submit(browser, notice)
    refused = street.page(street.browser(), query | {"redirect_uri": "https://evil.example"})
    return [notice, onward, refused, browser.get("/docs"), browser.get("/callback/x?state=y"), browser.get("/portal/x")]


def test_b12_and_b15_no_page_sends_a_referrer_is_framed_or_loads_from_elsewhere(street: Town) -> None:
    for answer in pages(street):
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Frame-Options"] == "DENY"
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert not re.search(r'(src|href)="(https?:)?//(?!127\.0\.0\.1)[^"]+\.(js|css|png|svg|woff2?)"', answer.text)


def test_b12_and_b15_twin_without_the_layer_of_headers_a_page_may_be_framed(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(headers, "install", lambda *_args, **_parts: None)
    bare = create_app(street.gateway).test_client().get("/docs")
    assert "Referrer-Policy" not in bare.headers
    assert "X-Frame-Options" not in bare.headers


# B13, B14: what stays in the address bar, and how it moves ------------------------------------------------------


def test_b13_and_b14_every_step_of_a_browser_is_a_303_that_carries_no_token(street: Town) -> None:
    browser, started = street.browser(), street.start()
    onward = street.submit(browser, street.page(browser, started.query))
    back = street.at_provider(onward.headers["Location"])
    arrived = street.follow(browser, back)
    assert (onward.status_code, arrived.status_code) == (303, 303)
    provider_code = answer_of(back)["code"]
    assert provider_code not in arrived.headers["Location"]
    assert set(answer_of(arrived.headers["Location"])) == {"code", "state", "iss"}
    assert not arrived.text or provider_code not in arrived.text


# B16: windows that talk to each other -----------------------------------------------------------------------------


def test_b16_no_page_of_ours_has_a_script_that_could_post_a_message(street: Town) -> None:
    for answer in pages(street):
        assert "<script" not in answer.text.lower()
        assert "postMessage" not in answer.text
        assert "script-src" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"


# B18: a client that passes for a person ---------------------------------------------------------------------------


def test_b18_no_client_can_have_the_name_of_a_person(street: Town) -> None:
    sub = street.sign_up("ada")["claims"]["sub"]
    house = street.house
    assert sub.startswith("usr_")
    assert all(client.id.startswith("cli_") for client in (house.web, house.worker, house.other))
    token = api_token(street.app, house.web, house.web_secret)
    http = street.app.test_client()
    assert http.get("/oauth/userinfo", headers=bearer(token)).status_code == 403
    seen = http.post("/oauth/introspect", data={"token": token}, headers=basic(house.web, house.web_secret)).json
    assert seen is not None
    assert seen["sub"] == house.web.id


# B19, B20: what is not offered, and what is said ----------------------------------------------------------------


@pytest.mark.parametrize(
    "grant", ["password", "implicit", "refresh_token", "urn:ietf:params:oauth:grant-type:jwt-bearer"]
)
def test_b19_no_grant_takes_a_person_s_password_or_a_token_of_theirs(street: Town, grant: str) -> None:
    fields = {"grant_type": grant, "username": "ada", "password": "secret", "refresh_token": "x", "assertion": "x"}
    answer = street.app.test_client().post(
        "/oauth/token", data=fields, headers=basic(street.house.web, street.house.web_secret)
    )
    assert (answer.status_code, answer.json["error"]) == (400, "unsupported_grant_type")  # type: ignore[index]
    assert grant not in document(PUBLIC_URL)["grant_types_supported"]


def test_b20_the_metadata_names_addresses_that_are_served_and_methods_that_are_demanded(street: Town) -> None:
    said: dict[str, Any] = street.app.test_client().get("/.well-known/oauth-authorization-server").json or {}
    served = {path for path, _method, _view in routes(street.app)}
    for name, value in said.items():
        if name.endswith(("_endpoint", "_uri")):
            assert value.removeprefix(said["issuer"]) in served, name
    assert said["issuer"] == PUBLIC_URL
    assert said["code_challenge_methods_supported"] == ["S256"]


# B21: a token at the wrong door ----------------------------------------------------------------------------------


def test_b21_a_token_for_one_door_opens_no_other(street: Town) -> None:
    tokens = street.sign_up("ada")
    provider_token = at_worker(street, tokens["connection"]).json["access_token"]
    http = street.app.test_client()
    assert http.get("/v1/providers", headers=bearer(tokens["access_token"])).status_code == 403
    assert http.get("/v1/providers", headers=bearer(provider_token)).status_code == 401
    assert http.get("/v1/providers", headers=bearer(tokens["id_token"])).status_code == 401
    assert http.get("/oauth/userinfo", headers=bearer(provider_token)).status_code == 401
    answer = street.rehearsal.test_client().get("/me", headers=bearer(tokens["access_token"]))
    assert answer.status_code == 401


def test_b21_twin_a_door_that_takes_every_token_for_a_client_s_lets_a_person_s_in(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = street.sign_up("ada")
    true = authentication.bearer_caller
    monkeypatch.setattr(
        authentication, "bearer_caller", lambda: replace(true(), kind="client", scopes=frozenset(API_SCOPES))
    )
    assert street.app.test_client().get("/v1/providers", headers=bearer(tokens["access_token"])).status_code == 200


def test_b1_and_b2_are_compared_as_bytes_and_once(street: Town) -> None:
    browser = street.browser()
    query = answer_of(street.to_callback(browser, street.start().query))
    both = urlencode([*query.items(), ("iss", query["iss"]), ("state", query["state"])])
    assert browser.get(f"{street.callback}?{both}").status_code == 400
