"""A person's own pages in a real Chromium, from sign-up to revocation and deletion; scripts are off throughout."""

from __future__ import annotations

import io
import json
import os
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from connector import consent
from connector.flows import import_records, revoke
from connector.http import create_app
from connector.ledger import verify_file
from connector.model.clock import SystemClock
from connector.storage import Store
from providers.rehearsal.server import Config
from providers.rehearsal.server import create_app as rehearsal_app
from tests.gateways import APP_CALLBACK, APP_RETURN, House, api_token, basic, bearer, make_house
from tests.journeys.test_sign_up_with_stock_clients import free_port
from tests.services.chromium import accessibility_findings
from tests.signing_up import answer_of, fresh_start, let_write

SOON_S = 30
pytestmark = [pytest.mark.loopback, pytest.mark.browser]
SHOTS = os.environ.get("SCREENSHOTS")
SIZES = [(360, "light"), (360, "dark"), (1280, "light"), (1280, "dark")]


@dataclass
class Visitor:
    """A person with a browser, and the app that they came from."""

    house: House
    page: Page
    sub: str = ""

    @property
    def base(self) -> str:
        return self.house.gateway.settings.server.public_url

    def app(self, method: str, path: str, **body: Any) -> Any:
        """A call of the web app's backend."""
        app = create_app(self.house.gateway)
        token = api_token(app, self.house.web, self.house.web_secret)
        return app.test_client().open(path, method=method, json=body or None, headers=bearer(token))

    def sign_up(self) -> None:
        started = fresh_start(client_id=self.house.web.id, integration=let_write(self.house).id)
        client = create_app(self.house.gateway).test_client()
        headers = basic(self.house.web, self.house.web_secret)
        fields = {name: value for name, value in started.query.items() if name != "client_id"}
        pushed = client.post("/oauth/par", data={**fields, "offer_push": "name emails"}, headers=headers)
        query = {"client_id": self.house.web.id, "request_uri": (pushed.json or {})["request_uri"]}
        self.page.goto(f"{self.base}/oauth/authorize?{urlencode(query)}")
        self.page.get_by_label("I am 13 or older").check()
        self.page.get_by_role("button", name="Continue to Rehearsal").click()
        self.page.get_by_role("button", name="Allow").click()
        self.page.wait_for_url(f"{APP_CALLBACK}?*")
        given = {
            "grant_type": "authorization_code",
            "code": answer_of(self.page.url)["code"],
            "redirect_uri": APP_CALLBACK,
            "code_verifier": started.verifier,
        }
        answer = client.post("/oauth/token", data=given, headers=headers).json or {}
        with self.house.gateway.store.read() as tx:
            row = tx.one("SELECT sub FROM connections WHERE id = :id", id=answer["connection"])
        assert row is not None
        self.sub = row["sub"]
        while import_records.step(self.house.gateway):
            pass

    def open_portal(self) -> None:
        link = self.app("POST", f"/v1/users/{self.sub}/portal", return_url=APP_RETURN).json["url"]
        self.page.goto(link)
        self.page.get_by_role("button", name="Continue").click()
        self.page.wait_for_url(f"{self.base}/portal")

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name).first.click()

    def follow(self, name: str) -> None:
        self.page.get_by_role("link", name=name).first.click()

    def says(self, words: str) -> bool:
        """Whether the page says so, or soon does: a key press does not wait for the page that follows."""
        return self._comes(lambda text: words in text)

    def falls_silent_about(self, words: str) -> bool:
        """Whether the page does not say so, or soon no more."""
        return self._comes(lambda text: words not in text)

    def _comes(self, to_be_so: Callable[[str], bool]) -> bool:
        until = time.monotonic() + SOON_S
        while not to_be_so(" ".join(self.page.inner_text("main").split())):
            if time.monotonic() > until:
                return False
            self.page.wait_for_timeout(50)
        return True

    def downloaded(self, click: Callable[[], None]) -> bytes:
        with self.page.expect_download() as coming:
            click()
        return Path(coming.value.path()).read_bytes()


@pytest.fixture
def house(tmp_path: Path, sqlite_store: Store, loopback_server: Callable[..., str]) -> House:
    port = free_port()
    clock: Any = SystemClock()
    rehearsal = loopback_server(rehearsal_app(Config()))
    built = make_house(tmp_path, sqlite_store, clock, rehearsal_url=rehearsal, public_url=f"http://127.0.0.1:{port}")
    loopback_server(create_app(built.gateway), port)
    return built


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 900}) as made:
        made.set_default_timeout(30_000)
        yield made


@pytest.fixture
def visitor(house: House, context: BrowserContext) -> Visitor:
    page = context.new_page()
    for url in (f"{APP_CALLBACK}*", f"{APP_RETURN}*"):
        page.route(url, lambda route: route.fulfill(status=200, content_type="text/html", body="<h1>the app</h1>"))
    visitor = Visitor(house, page)
    visitor.sign_up()
    return visitor


def test_from_sign_up_to_revocation(visitor: Visitor) -> None:
    _typed_in(visitor, {"nicknames": {"n": {"name": "Countess of Lovelace"}}})
    visitor.open_portal()
    assert visitor.says("Connected")
    visitor.follow("Rehearsal")
    assert visitor.says("Comes in from Rehearsal")

    visitor.follow("Switch on name")
    assert visitor.says("First, their rules")
    assert visitor.says("PATCH http://")
    assert visitor.says("Countess of Lovelace")
    visitor.press("Switch on")
    assert visitor.says("On since")
    visitor.press("Switch off name")
    assert visitor.falls_silent_about("On since")

    visitor.press("Stop importing your contacts")
    assert visitor.says("Not imported since")

    visitor.follow("Disconnect Rehearsal")
    assert visitor.says("your last way to sign in")
    content = visitor.downloaded(lambda: visitor.press("Download your data"))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert "manifest.json" in archive.namelist()
    visitor.press("Disconnect Rehearsal")
    assert visitor.says("Disconnected")
    assert visitor.says("is being told")
    revoke.tell_providers(visitor.house.gateway)
    visitor.page.reload()
    assert visitor.says("has confirmed that the access is gone")

    visitor.follow("Receipts")
    receipt = visitor.downloaded(lambda: visitor.follow("Download the receipt"))
    verdict = verify_file(receipt)
    assert verdict.valid, verdict.failure

    visitor.press("Sign off")
    assert visitor.says("You are signed off")
    visitor.follow("Back to web")
    assert visitor.page.inner_text("h1") == "the app"
    visitor.page.goto(f"{visitor.base}/portal")
    assert visitor.says("You are signed off here")


def test_erase_now_and_delete_with_the_keyboard_alone(visitor: Visitor) -> None:
    visitor.open_portal()
    page = visitor.page
    page.get_by_role("link", name="Delete", exact=True).focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Delete my account").focus()
    page.keyboard.press("Enter")
    assert visitor.says("Nothing was deleted")
    page.get_by_label("I am sure").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert visitor.says("Your account is deleted")
    receipt = page.locator("pre").text_content() or ""
    assert verify_file(json.dumps(json.loads(receipt)).encode()).valid
    visitor.follow("See how it stands")
    assert visitor.says("What was imported was destroyed")
    page.goto(f"{visitor.base}/portal")
    assert visitor.says("You are signed off here")


def test_a_link_works_once_and_only_by_a_click(visitor: Visitor) -> None:
    link = visitor.app("POST", f"/v1/users/{visitor.sub}/portal", return_url=APP_RETURN).json["url"]
    for _ in range(3):  # whatever looks at links on the way
        assert create_app(visitor.house.gateway).test_client().get(link.removeprefix(visitor.base)).status_code == 200
    visitor.page.goto(link)
    visitor.press("Continue")
    assert visitor.says("Your connected accounts")
    visitor.page.goto(link)
    visitor.press("Continue")
    assert visitor.says("used already")


def pages_of(visitor: Visitor) -> dict[str, str]:
    with visitor.house.gateway.store.read() as tx:
        connection = (tx.one("SELECT id FROM connections") or {})["id"]
        code = (tx.one("SELECT code FROM revocations") or {"code": ""})["code"]
    account = f"/portal/accounts/{connection}"
    pages = {
        "overview": "/portal",
        "account": account,
        "push": f"{account}/push/name",
        "disconnect": f"{account}/disconnect",
        "data": "/portal/data",
        "flows": "/portal/flows",
        "disclosures": "/portal/disclosures",
        "receipts": "/portal/receipts",
        "delete": "/portal/delete",
    }
    if not code:
        return pages
    ended = {"ended-overview": "/portal", "ended-account": account, "ended-receipts": "/portal/receipts"}
    return {**ended, "deletion": f"/deletions/{code}"}


def test_every_page_is_accessible_and_fits_in_both_schemes(visitor: Visitor, axe_source: str) -> None:
    link = visitor.app("POST", f"/v1/users/{visitor.sub}/portal", return_url=APP_RETURN).json["url"]
    visitor.page.goto(link)
    _looked_at(visitor.page, "enter", axe_source)
    visitor.open_portal()
    _typed_in(visitor, {"name": {"full": "Ada Augusta Lovelace"}, "nicknames": {"n": {"name": "Countess"}}})
    for name, path in pages_of(visitor).items():
        visitor.page.goto(f"{visitor.base}{path}")
        _looked_at(visitor.page, name, axe_source)
    visitor.page.goto(f"{visitor.base}/portal/choices/{_made_stale(visitor)}/renew")
    _looked_at(visitor.page, "renew", axe_source)
    visitor.press("Agree again")
    visitor.page.goto(f"{visitor.base}{pages_of(visitor)['disconnect']}")
    visitor.press("Disconnect Rehearsal")
    for name, path in pages_of(visitor).items():
        visitor.page.goto(f"{visitor.base}{path}")
        _looked_at(visitor.page, name, axe_source)


def _made_stale(visitor: Visitor) -> str:
    gateway = visitor.house.gateway
    with gateway.store.transaction() as tx:
        given = consent.of_user(tx, gateway.vault, visitor.house.tenant.id, visitor.sub)[0]
        return consent.invalidate(tx, gateway.vault, given, policy_version="2019-03-11").id


def _typed_in(visitor: Visitor, patch: dict[str, Any]) -> None:
    app = create_app(visitor.house.gateway)
    token = api_token(app, visitor.house.web, visitor.house.web_secret)
    answer = app.test_client().patch(
        f"/v1/users/{visitor.sub}/profile",
        data=json.dumps(patch),
        headers={**bearer(token), "Content-Type": "application/merge-patch+json"},
    )
    assert answer.status_code == 200, answer.text


def _looked_at(page: Page, name: str, axe_source: str) -> None:
    for width, scheme in SIZES:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # a literal in SIZES
        assert accessibility_findings(page, axe_source, scripts=False) == [], (name, width, scheme)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (name, width)
        if SHOTS:
            page.screenshot(path=f"{SHOTS}/{name}-{width}-{scheme}.png", full_page=True)
