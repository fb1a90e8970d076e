"""What the policy promises at the doors: no password of another service is taken, and a word about cookies."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from connector.storage import Store
from tests.clock import ManualClock
from tests.gateways import basic
from tests.signing_up import Town, make_town

SECRET = "canary-hunter2-of-facebook"
ASKING = re.compile(r"type=.password|name=.[a-z_]*passw|autocomplete=.current-password", re.IGNORECASE)


@pytest.fixture
def town(tmp_path: Path, store: Store, clock: ManualClock) -> Town:
    return make_town(tmp_path, store, clock)


def test_clause_2a_nothing_asks_for_the_password_of_another_service(town: Town) -> None:
    document = town.app.test_client().get("/openapi.json").json
    assert document is not None
    assert "passw" not in json.dumps(document["paths"]).lower()
    templates = Path(__file__).resolve().parents[2] / "connector/http/pages/templates"
    pages = list(templates.rglob("*.html"))
    assert len(pages) > 20
    assert [page.name for page in pages if ASKING.search(page.read_text(encoding="utf-8"))] == []


def test_clause_2a_a_password_that_is_sent_all_the_same_is_refused_and_kept_nowhere(
    town: Town, capfd: pytest.CaptureFixture[str]
) -> None:
    http, client = town.app.test_client(), basic(town.house.web, town.house.web_secret)
    asked = {"username": "ada", "password": SECRET}
    refused = http.post("/oauth/token", data={"grant_type": "password", **asked}, headers=client)
    assert refused.json["error"] == "unsupported_grant_type"  # type: ignore[index]
    started, query = town.pushed()
    browser = town.browser()
    page = town.page(browser, query)
    town.submit(browser, page, **asked)
    town.redeem(town.to_app(town.browser(), town.pushed()[1]), started, **asked)
    said = "".join(capfd.readouterr())
    rows = str([town.rows(table) for table in ("authorizations", "ledger_entries", "idempotency_keys")])
    files = [file for file in town.house.folder.rglob("*") if file.is_file()]
    assert len(said) > 100
    assert SECRET not in said + rows + refused.text
    assert [file.name for file in files if SECRET.encode() in file.read_bytes()] == []


def test_clause_2b_a_browser_without_cookies_is_told_so_and_nothing_goes_on(town: Town) -> None:
    _, query = town.pushed()
    browser = town.browser()
    page = town.page(browser, query)
    elsewhere = town.submit(town.app.test_client(use_cookies=False), page)
    assert elsewhere.status_code == 400
    assert "cookie" in elsewhere.text.lower()
    assert town.exchanges() == 0
