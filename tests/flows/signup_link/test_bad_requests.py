"""Requests that are wrong: told to the app where its redirect URI is known, else on a page; nothing is stored."""

from __future__ import annotations

from typing import Any

import pytest

from connector.clients import NewIntegration, add_client, add_integration
from tests.clock import ManualClock
from tests.gateways import APP_CALLBACK, basic, web_client
from tests.signing_up import NOTHING_MADE, Town, answer_of, fresh_start


@pytest.mark.parametrize(
    "change",
    [
        {"redirect_uri": "https://evil.example/callback"},
        {"redirect_uri": APP_CALLBACK + "/"},
        {"redirect_uri": APP_CALLBACK + "?more=1"},
        {"redirect_uri": APP_CALLBACK.replace("127.0.0.1", "127.0.0.1@evil.example")},
        {"redirect_uri": APP_CALLBACK.upper()},
        {"redirect_uri": ""},
        {"client_id": "cli_" + "a" * 26},
        {"client_id": ""},
        {"client_id": "' OR 1=1 --"},
    ],
)
def test_before_the_redirect_uri_is_known_an_error_is_a_page(town: Town, change: dict[str, str]) -> None:
    answer = town.page(town.browser(), town.start().query | change)
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert answer.mimetype == "text/html"
    assert "evil.example" not in answer.text
    assert town.how_many("authorizations") == {"authorizations": 0}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": ""}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"scope": "openid records:read"}, "invalid_scope"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": ""}, "invalid_request"),
        ({"integration": "nowhere"}, "invalid_request"),
        ({"prompt": "none"}, "interaction_required"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "dance"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"ui_locales": "<script>"}, "invalid_request"),
        ({"request": "eyJ"}, "request_not_supported"),
        ({"state": "s" * 3000}, "invalid_request"),
        ({"link_user": "usr_x"}, "invalid_request"),
        ({"connection": "con_x"}, "invalid_request"),
        ({"import": "profile"}, "invalid_request"),
        ({"offer_push": "emails"}, "invalid_request"),
        ({"provider_scope": "phone"}, "invalid_request"),
    ],
)
def test_after_that_it_goes_back_to_the_app(town: Town, change: dict[str, str], error: str) -> None:
    started = town.start()
    answer = town.page(town.browser(), started.query | change)
    assert answer.status_code == 303, answer.text
    said = answer_of(answer.headers["Location"])
    assert answer.headers["Location"].startswith(APP_CALLBACK + "?")
    assert said["error"] == error
    assert said["iss"] == town.gateway.settings.server.public_url
    assert "code" not in said
    assert town.how_many("authorizations") == {"authorizations": 0}


def test_scopes_that_nobody_knows_are_ignored(town: Town) -> None:
    assert town.page(town.browser(), town.start(scope="openid offline_access x").query).status_code == 200


def test_a_parameter_that_comes_twice_is_refused(town: Town) -> None:
    query = [*town.start().query.items(), ("nonce", "another")]
    answer = town.browser().get("/oauth/authorize", query_string=query)
    assert answer_of(answer.headers["Location"])["error"] == "invalid_request"
    for name in ("client_id", "redirect_uri"):
        twice = [*town.start().query.items(), (name, "x")]
        assert town.browser().get("/oauth/authorize", query_string=twice).status_code == 400


def test_the_request_may_come_by_post(town: Town) -> None:
    assert town.browser().post("/oauth/authorize", data=town.start().query).status_code == 200


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"link_user": "usr_nobody"}, "unknown_user"),
        ({"connection": "con_nobody"}, "unknown_connection"),
        ({"offer_push": "shoe_size"}, "invalid_request"),
        ({"import": "everything"}, "invalid_request"),
        ({"provider_scope": "phone"}, "invalid_request"),
        ({"redirect_uri": "https://evil.example/"}, "redirect_uri_unregistered"),
        ({"request_uri": "urn:x"}, "invalid_request"),
    ],
)
def test_a_wrong_push_is_answered_as_json(town: Town, change: dict[str, str], code: str) -> None:
    answer = town.push(town.start(**change))
    assert answer.status_code == 400
    body: dict[str, Any] = answer.json or {}
    assert body["error"] == "invalid_request"
    assert body.get("code", body["error"]) == code
    assert town.how_many("authorizations") == {"authorizations": 0}


def test_a_push_needs_the_client_s_own_credentials(town: Town) -> None:
    house = town.house
    assert town.push(town.start(), secret=house.other_secret).status_code == 401
    fields = town.start().query
    answer = town.app.test_client().post("/oauth/par", data=fields, headers=basic(house.other, house.other_secret))
    assert answer.status_code == 400


def test_another_tenant_s_user_and_connection_look_like_none(town: Town) -> None:
    tokens = town.sign_up("ada")
    for change in ({"link_user": tokens["claims"]["sub"]}, {"connection": tokens["connection"]}):
        started = fresh_start(**change)
        answer = town.push(started, client=town.house.other, secret=town.house.other_secret)
        assert answer.status_code == 400
        assert answer.json["code"] in {"unknown_user", "unknown_connection"}  # type: ignore[index]


def test_a_request_uri_is_for_one_browser_one_client_and_a_short_time(town: Town, clock: ManualClock) -> None:
    _started, query = town.pushed()
    mine = town.browser()
    assert town.page(mine, query).status_code == 200
    assert town.page(mine, query).status_code == 200  # the same browser may load it again
    assert town.page(town.browser(), query).status_code == 400  # another may not
    _started, query = town.pushed()
    assert town.page(town.browser(), query | {"client_id": town.house.other.id}).status_code == 400
    clock.advance(91)
    assert town.page(town.browser(), query).status_code == 400
    assert town.page(town.browser(), query | {"request_uri": "https://evil.example/r"}).status_code == 400


def test_a_client_that_must_push_is_refused_without(town: Town) -> None:
    with town.gateway.store.transaction() as tx:
        new = web_client(town.house.tenant, name="strict", require_par=True)
        strict, _secret = add_client(tx, town.gateway.vault, new, development=True)
    answer = town.page(town.browser(), fresh_start(client_id=strict.id).query)
    assert answer_of(answer.headers["Location"])["error"] == "invalid_request"


def test_a_child_is_turned_away_on_our_page_and_nothing_is_kept(town: Town) -> None:
    browser, started = town.browser(), town.start()
    answer = town.submit(browser, town.page(browser, started.query), age="no")
    assert answer_of(answer.headers["Location"])["error"] == "access_denied"
    assert town.how_many(*NOTHING_MADE) == NOTHING_MADE
    assert town.exchanges() == 0


def test_an_age_that_was_not_stated_is_asked_again(town: Town) -> None:
    browser, started = town.browser(), town.start()
    answer = town.submit(browser, town.page(browser, started.query), age="")
    assert answer.status_code == 422
    assert "13 or older" in answer.text
    assert town.submit(browser, answer).status_code == 303


def test_who_says_not_now_goes_back_to_the_app(town: Town) -> None:
    browser, started = town.browser(), town.start()
    answer = town.submit(browser, town.page(browser, started.query), action="cancel")
    assert answer_of(answer.headers["Location"])["error"] == "access_denied"


def test_a_person_who_refuses_at_the_provider_goes_back_to_the_app(town: Town) -> None:
    browser, started = town.browser(), town.start()
    onward = town.submit(browser, town.page(browser, started.query))
    back = town.at_provider(onward.headers["Location"], decision="deny")
    answer = answer_of(town.follow(browser, back).headers["Location"])
    assert (answer["error"], answer["state"]) == ("access_denied", started.state)
    assert town.how_many(*NOTHING_MADE) == NOTHING_MADE


def test_the_person_chooses_where_the_request_leaves_it_open(town: Town) -> None:
    old = town.house.integration
    with town.gateway.store.transaction() as tx:
        new = NewIntegration(
            town.house.tenant.id,
            "rehearsal",
            name="Second stage",
            client_id=old.client_id,
            client_secret=old.client_secret,
            issuer=old.issuer,
        )
        second = add_integration(tx, town.gateway.vault, new, development=True)
    browser, started = town.browser(), town.start()
    picker = town.page(browser, started.query)
    assert "Second stage" in picker.text
    assert town.submit(browser, picker, integration="int_stranger").status_code == 400
    notice = town.submit(browser, picker, integration=second.id)
    assert notice.status_code == 200
    onward = town.submit(browser, notice)
    back = town.at_provider(onward.headers["Location"])
    assert f"/callback/{second.id}" in back
    assert town.finished(town.follow(browser, back).headers["Location"], started)["claims"]["sub"]


def test_words_of_operators_and_apps_are_escaped_on_the_page(town: Town) -> None:
    with town.gateway.store.transaction() as tx:
        new = web_client(town.house.tenant, name="<img src=x onerror=alert(1)>")
        client, _secret = add_client(tx, town.gateway.vault, new, development=True)
    page = town.page(town.browser(), fresh_start(client_id=client.id).query)
    assert page.status_code == 200
    assert "<img" not in page.text


def test_a_body_that_is_no_form_is_refused_without_a_trace(town: Town) -> None:
    for path in ("/oauth/authorize", "/oauth/authorize/azn_x", town.callback):
        answer = town.app.test_client().post(path, json={"a": 1})
        assert answer.status_code == 415
        assert "Traceback" not in answer.text
