"""A person, a keyboard and a real Chromium, with scripts switched off: from the app's link to the app's callback."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page

from connector.http import create_app
from connector.model.clock import SystemClock
from connector.storage import Store
from providers.rehearsal.server import Config
from providers.rehearsal.server import create_app as rehearsal_app
from tests.gateways import APP_CALLBACK, House, basic, make_house
from tests.journeys.test_sign_up_with_stock_clients import free_port
from tests.services.chromium import accessibility_findings
from tests.signing_up import Started, answer_of, fresh_start, let_write

pytestmark = [pytest.mark.loopback, pytest.mark.browser]
SHOTS = os.environ.get("SCREENSHOTS")


@pytest.fixture
def house(tmp_path: Path, sqlite_store: Store, loopback_server: Callable[..., str]) -> House:
    port = free_port()
    clock: Any = SystemClock()
    rehearsal = loopback_server(rehearsal_app(Config()))
    built = make_house(tmp_path, sqlite_store, clock, rehearsal_url=rehearsal, public_url=f"http://127.0.0.1:{port}")
    loopback_server(create_app(built.gateway), port)
    return built


def start_of(house: House, **parameters: str) -> tuple[Started, str]:
    """A request of the app, pushed; the link it sends the person with."""
    started = fresh_start(client_id=house.web.id, **parameters)
    fields = {name: value for name, value in started.query.items() if name != "client_id"}
    client = create_app(house.gateway).test_client()
    pushed = client.post("/oauth/par", data=fields, headers=basic(house.web, house.web_secret))
    query = {"client_id": house.web.id, "request_uri": (pushed.json or {})["request_uri"]}
    return started, f"{house.gateway.settings.server.public_url}/oauth/authorize?{urlencode(query)}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_is_accessible_and_fits(
    browser: Browser, house: House, axe_source: str, width: int, scheme: Any
) -> None:
    _started, link = start_of(house, offer_push="name emails phones", integration=let_write(house).id)
    with browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme) as context:
        page = context.new_page()
        page.goto(link)
        assert accessibility_findings(page, axe_source) == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        if SHOTS:
            page.screenshot(path=f"{SHOTS}/consent-{width}-{scheme}.png", full_page=True)


def test_a_person_signs_up_with_the_keyboard_alone_and_scripts_off(browser: Browser, house: House) -> None:
    started, link = start_of(house)
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        _stop_at_the_app(page)
        page.goto(link)
        page.get_by_label("I am 13 or older").focus()
        page.keyboard.press("Space")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.get_by_label("Someone else: type a name").fill("grace")
        page.get_by_role("button", name="Allow").click()
        page.wait_for_url(f"{APP_CALLBACK}?*")
        answer = answer_of(page.url)
    assert answer["state"] == started.state
    assert answer["code"]


def test_a_second_visit_in_the_same_browser_goes_straight_on(browser: Browser, house: House) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        _stop_at_the_app(page)
        page.goto(start_of(house)[1])
        page.get_by_label("I am 13 or older").check()
        page.get_by_role("button", name="Continue to Rehearsal").click()
        page.get_by_role("button", name="Allow").click()
        page.wait_for_url(f"{APP_CALLBACK}?*")
        page.goto(start_of(house)[1])
        assert page.get_by_role("button", name="Allow").is_visible()


def test_an_error_page_says_what_to_do(browser: Browser, house: House) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{house.gateway.settings.server.public_url}/callback/{house.integration.id}?state=x&code=y")
        assert "Go back to the app and start again" in page.inner_text("main")
        if SHOTS:
            page.screenshot(path=f"{SHOTS}/error.png", full_page=True)


def _stop_at_the_app(page: Page) -> None:
    """The app's own page, which is no part of this."""
    page.route(f"{APP_CALLBACK}*", lambda route: route.fulfill(status=200, body="the app"))
