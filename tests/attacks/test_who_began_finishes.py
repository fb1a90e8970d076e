"""The attacks that token vaults fall to, each with a twin that switches its one defence off and sees it succeed.

The labels are those of the published lists: A for attacks on vaults, B for items of RFC 9700.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient

from connector.clients import Integration, NewIntegration, add_integration
from connector.flows.signup_link import redeeming, returning
from connector.flows.signup_link.arriving import Browser
from connector.storage import Store
from tests.clock import ManualClock
from tests.gateways import bearer
from tests.signing_up import NOTHING_MADE, Started, Town, answer_of, make_town


@pytest.fixture
def town(tmp_path: Path, store: Store, clock: ManualClock) -> Town:
    return make_town(tmp_path, store, clock)


def second_integration(town: Town) -> Integration:
    old = town.house.integration
    with town.gateway.store.transaction() as tx:
        new = NewIntegration(
            town.house.tenant.id,
            "rehearsal",
            name="elsewhere",
            client_id=old.client_id,
            client_secret=old.client_secret,
            issuer=old.issuer,
        )
        return add_integration(tx, town.gateway.vault, new, development=True)


def at_the_door(town: Town, browser: FlaskClient, started: Started) -> str:
    """The provider's URL that Mallory copies out of her own browser."""
    page = town.page(browser, started.query)
    return str(town.submit(browser, page).headers["Location"])


# A1: the provider's link, passed on -----------------------------------------------------------------


def passed_on(town: Town) -> Any:
    """Mallory begins, the victim's browser comes back."""
    url = at_the_door(town, town.browser(), town.start())
    return town.follow(town.browser(), town.at_provider(url, "victim"))


def test_a1_a_link_to_the_provider_that_was_passed_on_ends_on_a_page(town: Town) -> None:
    answer = passed_on(town)
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert town.exchanges() == 0
    assert town.how_many(*NOTHING_MADE) == NOTHING_MADE
    assert town.entries("authorization_failed")[-1]["reason"] == "wrong_browser"


def test_a1_twin_without_the_browser_s_cookie_the_code_reaches_the_app(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Browser, "holds", lambda _self, _authorization: True)
    assert "code=" in passed_on(town).headers["Location"]


# A2: the start link itself, passed on ----------------------------------------------------------------


def linked_for_mallory(town: Town) -> tuple[Any, str, str]:
    """Mallory pushes a link to her own user and sends the victim the start link; the app redeems as the victim."""
    mallory = town.sign_up("mallory")["claims"]["sub"]
    victim = town.sign_up("bystander")["claims"]["sub"]
    started, query = town.pushed(link_user=mallory)
    back = town.to_app(town.browser(), query, "victim")  # page, choices, provider: all in the victim's one browser
    return town.redeem(back, started, link_user=victim), mallory, victim


def test_a2_a_start_link_that_was_passed_on_connects_nothing(town: Town) -> None:
    answer, _mallory, _victim = linked_for_mallory(town)
    assert (answer.json["error"], answer.json["code"]) == ("invalid_grant", "wrong_user")
    assert town.exchanges() == 2  # the two sign-ups before
    assert town.how_many("identities") == {"identities": 2}


def test_a2_and_a3_twin_pkce_state_cookies_and_consent_alone_do_not_stop_it(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redeeming, "_of_reauthorisation", lambda _found, _redemption: True)
    answer, mallory, _victim = linked_for_mallory(town)
    assert answer.status_code == 200
    userinfo = town.app.test_client().get("/oauth/userinfo", headers=bearer(answer.json["access_token"]))
    assert userinfo.json["sub"] == mallory  # type: ignore[index]


def test_a2_a_linking_flow_is_not_redeemed_without_naming_the_user(town: Town) -> None:
    sub = town.sign_up("ada")["claims"]["sub"]
    started, query = town.pushed(link_user=sub)
    answer = town.redeem(town.to_app(town.browser(), query, "other"), started)
    assert answer.json["code"] == "wrong_user"  # type: ignore[index]


# A4, A5: one connector's answer at another's door -----------------------------------------------------


def crossed(town: Town) -> Any:
    other = second_integration(town)
    browser, started = town.browser(), town.start(integration=town.house.integration.id)
    back = town.at_provider(at_the_door(town, browser, started), "victim")
    return town.follow(browser, back.replace(town.house.integration.id, other.id))


def test_a4_and_a5_an_answer_at_another_integration_s_callback_is_not_exchanged(town: Town) -> None:
    answer = crossed(town)
    assert answer_of(answer.headers["Location"])["error"] == "server_error"
    assert town.exchanges() == 0
    assert town.entries("authorization_failed")[-1]["reason"] == "wrong_integration"


def test_a4_twin_without_comparing_integrations_the_answer_is_taken(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(returning, "_compare", lambda *_args: None)
    assert "code" in answer_of(crossed(town).headers["Location"])


# A6: a forged callback --------------------------------------------------------------------------------


def test_a6_a_forged_callback_on_the_victim_s_session_finds_no_flow(town: Town) -> None:
    browser, started = town.browser(), town.start()
    at_the_door(town, browser, started)
    forged = browser.get(town.callback, query_string={"code": "mallory-s-code", "state": "made-up"})
    assert forged.status_code == 400
    assert town.exchanges() == 0


# A7: one registration shared ---------------------------------------------------------------------------


def test_a7_another_tenant_s_integration_looks_like_none(town: Town) -> None:
    started = town.start(integration=town.house.integration.id)
    started.query["client_id"] = town.house.other.id
    answer = town.page(town.browser(), started.query)
    assert answer_of(answer.headers["Location"])["error"] == "invalid_request"


# A8: assertions for the wrong audience -----------------------------------------------------------------


def test_a8_no_assertion_that_could_be_replayed_elsewhere_is_ever_sent(town: Town) -> None:
    town.sign_up("ada")
    for request in town.egress.asked("/token"):
        assert b"client_assertion" not in (request.body or b"")
        assert request.headers["Authorization"].startswith("Basic ")


# B1: state -----------------------------------------------------------------------------------------------


def returned_query(town: Town, browser: FlaskClient) -> dict[str, str]:
    return answer_of(town.to_callback(browser, town.start().query))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: None,
        lambda state: "",
        lambda state: state[:-1],
        lambda state: state.swapcase(),
        lambda state: state + "x",
        lambda state: " " + state,
    ],
)
def test_b1_a_state_that_is_not_exactly_ours_finds_nothing(town: Town, spoil: Any) -> None:
    browser = town.browser()
    query = returned_query(town, browser)
    spoilt = spoil(query["state"])
    changed = {name: value for name, value in query.items() if name != "state"}
    changed |= {} if spoilt is None else {"state": spoilt}
    assert browser.get(town.callback, query_string=changed).status_code == 400
    assert browser.get(town.callback, query_string=query).status_code == 303  # the true one is unharmed


def test_b1_a_state_works_once(town: Town) -> None:
    browser = town.browser()
    query = returned_query(town, browser)
    assert browser.get(town.callback, query_string=query).status_code == 303
    assert browser.get(town.callback, query_string=query).status_code == 400


def test_b1_a_state_that_comes_twice_in_one_request_is_refused(town: Town) -> None:
    browser = town.browser()
    query = returned_query(town, browser)
    twice = urlencode([*query.items(), ("state", query["state"])])
    assert browser.get(f"{town.callback}?{twice}").status_code == 400


def test_b1_an_old_state_finds_nothing(town: Town, clock: ManualClock) -> None:
    browser = town.browser()
    query = returned_query(town, browser)
    clock.advance(minutes=15)
    assert browser.get(town.callback, query_string=query).status_code == 400


def test_b1_a_look_at_the_callback_by_head_uses_nothing_up(town: Town) -> None:
    browser = town.browser()
    query = returned_query(town, browser)
    assert browser.head(town.callback, query_string=query).status_code == 405
    assert browser.get(town.callback, query_string=query).status_code == 303


def test_b1_two_tabs_of_one_browser_both_arrive(town: Town) -> None:
    browser, first, second = town.browser(), town.start(), town.start()
    one, two = (town.to_callback(browser, each.query) for each in (first, second))
    for back, started in ((two, second), (one, first)):
        assert town.finished(town.follow(browser, back).headers["Location"], started)["claims"]["sub"]


def test_b1_of_two_callbacks_at_once_with_one_state_one_gets_a_code(town: Town) -> None:
    browser = town.browser()
    query = returned_query(town, browser)
    cookies = browser._cookies

    def visit(_number: int) -> int:
        tab = town.browser()
        tab._cookies = cookies
        return tab.get(town.callback, query_string=query).status_code

    with ThreadPoolExecutor(4) as tabs:
        statuses = sorted(tabs.map(visit, range(4)))
    assert statuses == [303, 400, 400, 400]


def test_b1_of_two_redemptions_at_once_one_code_goes_to_the_provider(town: Town) -> None:
    started = town.start()
    back = town.to_app(town.browser(), started.query)
    with ThreadPoolExecutor(4) as apps:
        list(apps.map(lambda _number: town.redeem(back, started), range(4)))
    assert town.exchanges() == 1
    assert town.how_many("users", "connections") == {"users": 1, "connections": 1}


def test_b1_a_posted_answer_waits_for_its_handle_alone(town: Town) -> None:
    browser = town.browser()
    query = returned_query(town, browser)
    held = town.app.test_client().post(town.callback, data=query)
    assert browser.get(town.callback, query_string=query).status_code == 400  # what is held is not overtaken
    again = town.app.test_client().post(town.callback, data=query | {"code": "another"})
    assert again.status_code == 400
    handle = answer_of(held.headers["Location"])["handle"]
    assert browser.get(town.callback, query_string={"handle": handle[:-1]}).status_code == 400
    assert town.browser().get(town.callback, query_string={"handle": handle}).status_code == 400  # another browser


# B2: mix-up ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spoil", [lambda iss: iss + "/", lambda iss: "https://evil.example", str.upper, lambda iss: None]
)
def test_b2_an_answer_of_another_issuer_is_not_exchanged(town: Town, spoil: Any) -> None:
    assert answer_of(mixed_up(town, spoil).headers["Location"])["error"] == "server_error"
    assert town.exchanges() == 0


def test_b2_an_issuer_that_comes_twice_is_refused(town: Town) -> None:
    browser = town.browser()
    query = returned_query(town, browser)
    twice = urlencode([*query.items(), ("iss", query["iss"])])
    assert browser.get(f"{town.callback}?{twice}").status_code == 400


def test_b2_twin_without_comparing_the_issuer_the_answer_is_taken(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(returning, "_check_issuer", lambda *_args: None)
    assert "code" in answer_of(mixed_up(town, lambda _iss: "https://evil.example").headers["Location"])


def mixed_up(town: Town, spoil: Any) -> Any:
    browser = town.browser()
    query = returned_query(town, browser)
    spoilt = spoil(query.pop("iss"))
    return browser.get(town.callback, query_string=query | ({} if spoilt is None else {"iss": spoilt}))


# B5, and our own page -----------------------------------------------------------------------------------------


def test_b5_a_token_in_the_front_channel_is_not_taken(town: Town) -> None:
    browser = town.browser()
    query = returned_query(town, browser)
    answer = browser.get(town.callback, query_string=query | {"access_token": "injected"})
    assert answer_of(answer.headers["Location"])["error"] == "server_error"


def test_our_form_cannot_be_sent_from_elsewhere(town: Town) -> None:
    browser, started = town.browser(), town.start()
    page = town.page(browser, started.query)
    assert town.submit(browser, page, form_token="guessed").status_code == 400
    assert town.submit(town.browser(), page).status_code == 400  # without this browser's cookie
    assert town.submit(browser, page).status_code == 303
    assert town.submit(browser, page).status_code == 400  # and once


def test_a_flow_row_that_was_changed_in_the_database_is_as_if_it_never_was(town: Town) -> None:
    started = town.start()
    back = town.to_app(town.browser(), started.query)
    with town.gateway.store.transaction() as tx:
        tx.run("UPDATE authorizations SET client_id = :other", other=town.house.other.id)
    assert town.redeem(back, started).json["code"] == "unknown_code"  # type: ignore[index]
    assert town.exchanges() == 0


def test_an_identity_that_was_moved_to_another_user_signs_nobody_in(town: Town) -> None:
    town.sign_up("ada")
    mallory = town.sign_up("mallory")["claims"]["sub"]
    with town.gateway.store.transaction() as tx:
        tx.run("UPDATE identities SET sub = :mallory", mallory=mallory)
    started = town.start()
    answer = town.redeem(town.to_app(town.browser(), started.query), started)
    assert answer.status_code == 500
    assert "id_token" not in answer.text
