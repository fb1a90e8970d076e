"""Who gets onto a person's own pages, and whose form is taken there."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from connector import consent
from connector.flows.edit_profile import edit_profile
from connector.people import LINK_MS, SESSION_MS
from connector.storage import Store
from tests.clock import ManualClock
from tests.gateways import APP_RETURN, api_token, bearer
from tests.signing_up import Town, let_write, make_town


@pytest.fixture
def town(tmp_path: Path, store: Store, clock: ManualClock) -> Town:
    return make_town(tmp_path, store, clock)


def link_for(town: Town, sub: str, **body: str):
    token = api_token(town.app, town.house.web, town.house.web_secret)
    return town.app.test_client().post(
        f"/v1/users/{sub}/portal", json={"return_url": APP_RETURN, **body}, headers=bearer(token)
    )


def secret_in(url: str) -> str:
    return urlsplit(url).query.removeprefix("link=")


def inside(town: Town, sub: str) -> tuple[FlaskClient, str]:
    """A browser that is signed in, and its form token."""
    browser = town.browser()
    answer = browser.post("/portal/enter", data={"link": secret_in(link_for(town, sub).json["url"])})
    assert answer.status_code == 303
    page = browser.get("/portal")
    assert page.status_code == 200
    return browser, re.findall(r'name="form_token" value="([^"]+)"', page.text)[0]


def two(town: Town) -> tuple[dict, dict]:
    return town.sign_up("ada"), town.sign_up("bob")


def test_a_return_url_that_is_not_registered_is_refused(town: Town) -> None:
    sub = town.sign_up("ada")["claims"]["sub"]
    for url in ("https://evil.example/", APP_RETURN + "/", APP_RETURN.upper()):
        assert link_for(town, sub, return_url=url).json["code"] == "unregistered_return_url"


def test_nobody_gets_a_link_for_a_stranger_or_another_tenants_person(town: Town) -> None:
    sub = town.sign_up("ada")["claims"]["sub"]
    assert link_for(town, "usr_" + "a" * 26).status_code == 404
    token = api_token(town.app, town.house.other, town.house.other_secret)
    answer = town.app.test_client().post(
        f"/v1/users/{sub}/portal", json={"return_url": APP_RETURN}, headers=bearer(token)
    )
    assert answer.status_code == 404


def test_a_link_is_over_after_a_minute_and_a_session_after_fifteen(town: Town, clock: ManualClock) -> None:
    sub = town.sign_up("ada")["claims"]["sub"]
    late = secret_in(link_for(town, sub).json["url"])
    clock.advance(LINK_MS / 1000 + 1)
    assert town.browser().post("/portal/enter", data={"link": late}).status_code == 401
    browser, _ = inside(town, sub)
    clock.advance(SESSION_MS / 1000 - 1)
    assert browser.get("/portal").status_code == 200
    clock.advance(2)
    assert browser.get("/portal").status_code == 401


def test_a_used_link_opens_nothing(town: Town) -> None:
    sub = town.sign_up("ada")["claims"]["sub"]
    link = secret_in(link_for(town, sub).json["url"])
    assert town.browser().post("/portal/enter", data={"link": link}).status_code == 303
    assert town.browser().post("/portal/enter", data={"link": link}).status_code == 401


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_looking_at_a_link_does_not_use_it_up(town: Town, method: str) -> None:
    sub = town.sign_up("ada")["claims"]["sub"]
    url = urlsplit(link_for(town, sub).json["url"])
    town.browser().open(url.path, query_string=url.query, method=method)
    assert town.browser().post("/portal/enter", data={"link": secret_in(url.geturl())}).status_code == 303


def test_the_cookie_is_for_this_site_alone_and_no_script_reads_it(town: Town) -> None:
    sub = town.sign_up("ada")["claims"]["sub"]
    answer = town.browser().post("/portal/enter", data={"link": secret_in(link_for(town, sub).json["url"])})
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("gw_portal_8080=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie


ACTIONS = (
    "/portal/export",
    "/portal/delete",
    "/portal/leave",
    "/portal/accounts/{con}/disconnect",
    "/portal/accounts/{con}/push/name",
    "/portal/choices/{cns}/withdraw",
)


@pytest.mark.parametrize("path", ACTIONS)
def test_a_form_without_the_sessions_token_or_from_another_site_does_nothing(town: Town, path: str) -> None:
    mine = town.sign_up("ada")
    browser, token = inside(town, mine["claims"]["sub"])
    where = path.format(con=mine["connection"], cns=town.rows("consents")[0]["id"])
    good = {"form_token": token, "when": "now", "sure": "yes"}
    before = town.how_many("ledger_entries", "revocations")
    for data, headers in (
        ({**good, "form_token": ""}, {}),
        ({**good, "form_token": "guessed"}, {}),
        (good, {"Sec-Fetch-Site": "cross-site"}),
        (good, {"Sec-Fetch-Site": "same-site"}),
    ):
        assert browser.post(where, data=data, headers=headers).status_code == 400
    assert town.browser().post(where, data=good).status_code == 401
    assert town.how_many("ledger_entries", "revocations") == before


def test_another_sessions_form_token_is_not_this_ones(town: Town) -> None:
    sub = town.sign_up("ada")["claims"]["sub"]
    (first, _), (_, other) = inside(town, sub), inside(town, sub)
    assert first.post("/portal/export", data={"form_token": other}).status_code == 400


def test_nobody_reaches_what_is_somebody_elses(town: Town) -> None:
    ada, bob = two(town)
    browser, token = inside(town, ada["claims"]["sub"])
    theirs = f"/portal/accounts/{bob['connection']}"
    consent = next(row["id"] for row in town.rows("consents") if row["connection_id"] == bob["connection"])
    for path in (theirs, f"{theirs}/push/name", f"{theirs}/disconnect", "/portal/receipts/rcp_" + "a" * 26):
        assert browser.get(path).status_code == 404
    for path in (f"{theirs}/push/name", f"{theirs}/disconnect", f"/portal/choices/{consent}/withdraw"):
        data = {"form_token": token, "when": "now"}
        assert browser.post(path, data=data).status_code == 404
    assert {row["state"] for row in town.rows("connections")} == {"active"}


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("portal_sessions", "sub = :other"),
        ("portal_sessions", "expires_at = expires_at + 86400000"),
        ("portal_sessions", "return_url = 'https://evil.example/'"),
        ("portal_links", "sub = :other"),
    ],
)
def test_a_row_that_was_changed_in_the_database_opens_nothing(town: Town, table: str, change: str) -> None:
    ada, bob = two(town)
    link = secret_in(link_for(town, ada["claims"]["sub"]).json["url"])
    browser, _ = inside(town, ada["claims"]["sub"])
    with town.gateway.store.transaction() as tx:
        params = {"other": bob["claims"]["sub"]} if ":other" in change else {}
        tx.run(f"UPDATE {table} SET {change}", **params)
    answer = (
        browser.get("/portal") if table == "portal_sessions" else browser.post("/portal/enter", data={"link": link})
    )
    assert answer.status_code == 401


def test_twin_without_the_seal_somebody_elses_pages_would_open(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, bob = two(town)
    browser, _ = inside(town, ada["claims"]["sub"])
    with town.gateway.store.transaction() as tx:
        tx.run("UPDATE portal_sessions SET sub = :other", other=bob["claims"]["sub"])
    monkeypatch.setattr("vault.DataKey.check_row", lambda *_parts: None)
    assert bob["connection"] in browser.get("/portal").text


def test_signing_off_ends_the_session_at_the_gateway_too(town: Town) -> None:
    browser, token = inside(town, town.sign_up("ada")["claims"]["sub"])
    held = browser.get_cookie("gw_portal_8080").value
    assert browser.post("/portal/leave", data={"form_token": token}).status_code == 200
    again = town.browser()
    again.set_cookie("gw_portal_8080", held)
    assert again.get("/portal").status_code == 401


def test_a_session_ends_with_its_person(town: Town) -> None:
    sub = town.sign_up("ada")["claims"]["sub"]
    browser, _ = inside(town, sub)
    token = api_token(town.app, town.house.web, town.house.web_secret)
    assert town.app.test_client().delete(f"/v1/users/{sub}", headers=bearer(token)).status_code == 200
    assert browser.get("/portal").status_code == 401


def test_opening_the_pages_is_the_persons_own_visit(town: Town, clock: ManualClock) -> None:
    sub = town.sign_up("ada")["claims"]["sub"]
    before = town.rows("users")[0]["last_visit_at"]
    clock.advance(days=3)
    link_for(town, sub)
    assert town.rows("users")[0]["last_visit_at"] == before
    inside(town, sub)
    assert town.rows("users")[0]["last_visit_at"] == clock.now()
    assert len(town.entries("portal_opened")) == 1


def able_to_write(town: Town) -> dict:
    """Ada, signed up with the scope that lets her profile be written."""
    started, query = town.pushed(integration=let_write(town.house).id)
    browser = town.browser()
    answer = town.submit(browser, town.page(browser, query))
    back = town.at_provider(answer.headers["Location"])
    redirected = town.follow(browser, back)
    return town.finished(redirected.headers["Location"], started)


def test_switching_on_shows_the_request_keeps_a_record_and_sends_from_then_on(town: Town) -> None:
    mine = able_to_write(town)
    sub, account = mine["claims"]["sub"], f"/portal/accounts/{mine['connection']}"
    edit_profile(town.gateway, town.house.web, sub, {"nicknames": {"n": {"name": "Countess"}}})
    assert town.how_many("deliveries") == {"deliveries": 0}
    browser, token = inside(town, sub)
    preview = browser.get(f"{account}/push/name").text
    assert "PATCH" in preview
    assert "Countess" in preview
    assert town.how_many("deliveries") == {"deliveries": 0}, "a preview sends nothing"
    for _ in range(2):
        assert browser.post(f"{account}/push/name", data={"form_token": token}).status_code == 303
    edit_profile(town.gateway, town.house.web, sub, {"nicknames": {"n": {"name": "Ada"}}})
    assert town.how_many("deliveries") == {"deliveries": 1}
    with town.gateway.store.read() as tx:
        given = consent.of_connection(tx, town.gateway.vault, mine["connection"])
        (push,) = [one for one in given if one.direction == "push"]
        record = consent.record_of(tx, town.gateway.vault, push)
    assert record["notice"]["shown"] == ["provider_policy_link", "exact_request"]
    assert record["process"][0]["clause"] == "3a"
    assert [event["method"] for event in record["events"]] == ["portal"]
    assert browser.post(f"/portal/choices/{push.id}/withdraw", data={"form_token": token}).status_code == 303
    assert {row["state"] for row in town.rows("deliveries")} == {"void"}


def test_nothing_is_offered_that_the_account_cannot_take(town: Town) -> None:
    mine = town.sign_up("ada")
    browser, token = inside(town, mine["claims"]["sub"])
    path = f"/portal/accounts/{mine['connection']}/push/name"
    assert browser.get(path).status_code == 409
    assert browser.post(path, data={"form_token": token}).status_code == 409
    assert [row for row in town.rows("consents") if row["direction"] == "push"] == []


def test_what_came_from_outside_is_escaped(town: Town) -> None:
    mine = town.sign_up("ada")
    edit_profile(
        town.gateway, town.house.web, mine["claims"]["sub"], {"nicknames": {"n": {"name": "<script>alert(1)</script>"}}}
    )
    browser, _ = inside(town, mine["claims"]["sub"])
    page = browser.get("/portal/data")
    assert "<script" not in page.text
    assert "&lt;script&gt;" in page.text
    assert "script-src" not in page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
