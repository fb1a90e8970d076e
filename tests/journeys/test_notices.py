"""What a person is told, where, and what they say to it: through the app, their own pages, and mail."""

from __future__ import annotations

import mailbox
import re
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from connector import inbox
from connector.egress.mail import MailFailure, MailFolder
from connector.flows import import_records, post_notices
from connector.inbox import Announcement
from connector.storage import Store
from tests.clock import ManualClock
from tests.gateways import APP_RETURN, api_token, bearer
from tests.signing_up import Town, make_town

DAY_MS = 86_400_000
TITLE, WORDS = "Your data and Partner Shop", "Partner Shop would get your name to greet you with."
PARTNER = {
    "name": "partner",
    "title": "Partner Shop",
    "fields": ["name", "emails"],
    "purposes": ["service", "personalise"],
    "contact": "privacy@partner.example",
    "since": "2020-01-01",
}


@pytest.fixture
def town(tmp_path: Path, store: Store, clock: ManualClock) -> Town:
    return make_town(tmp_path, store, clock, affiliates=[PARTNER])  # type: ignore[arg-type]  # a list of sections


def signed_up(town: Town, person: str = "ada") -> str:
    sub = str(town.sign_up(person)["claims"]["sub"])
    while import_records.step(town.gateway):
        pass
    return sub


def announce(town: Town, kind: Any = "sharing", topic: str = "partner") -> None:
    with town.gateway.store.transaction() as tx:
        new = Announcement(kind, topic, TITLE, [WORDS], 30 * DAY_MS)
        inbox.announce(tx, town.gateway.vault, town.house.tenant.id, new)
    while post_notices.spread(town.gateway):
        pass


def api(town: Town, method: str, path: str, **more: Any) -> Any:
    token = api_token(town.app, town.house.web, town.house.web_secret)
    return town.app.test_client().open(path, method=method, headers=bearer(token), **more)


def portal(town: Town, sub: str, **headers: str) -> tuple[Any, str]:
    """A browser on the person's own pages, and its form token."""
    link = api(town, "POST", f"/v1/users/{sub}/portal", json={"return_url": APP_RETURN}).json["url"]
    browser = town.browser()
    secret = urlsplit(link).query.removeprefix("link=")
    assert browser.post("/portal/enter", data={"link": secret}, headers=headers).status_code == 303
    token = re.findall(r'name="form_token" value="([^"]+)"', browser.get("/portal").text)[0]
    return browser, token


def letters(town: Town) -> list[Message]:
    while post_notices.send_letters(town.gateway):
        pass
    folder = town.house.folder / "mail"
    return list(mailbox.Maildir(folder, create=False)) if folder.is_dir() else []


def test_a_notice_lies_in_the_app_and_on_the_own_pages_and_an_objection_shows_in_both(town: Town) -> None:
    sub = signed_up(town)
    announce(town)
    (notice,) = api(town, "GET", f"/v1/inbox?user={sub}").json["items"]
    assert (notice["title"], notice["paragraphs"], notice["state"]) == (TITLE, [WORDS], "open")
    assert notice["may_object"]
    assert not notice["objected"]
    browser, token = portal(town, sub)
    page = browser.get("/portal/inbox").text
    assert TITLE in page
    assert "Prevent this" in page
    done = api(town, "POST", f"/v1/inbox/{notice['id']}/objection")
    assert (done.status_code, done.json["objected"], done.json["objected_by"]) == (200, True, "app")
    assert api(town, "POST", f"/v1/inbox/{notice['id']}/objection").json == done.json
    assert "You said no" in browser.get("/portal/inbox").text
    back = browser.post(f"/portal/inbox/{notice['id']}/take-back", data={"form_token": token})
    assert back.status_code == 303
    assert not api(town, "GET", f"/v1/inbox?user={sub}").json["items"][0]["objected"]
    assert [entry["stance"] for entry in town.entries("stance")] == ["no", "none"]


def test_nobody_reads_or_answers_somebody_elses_notice(town: Town) -> None:
    ada, bo = signed_up(town), signed_up(town, "bo")
    announce(town)
    theirs = api(town, "GET", f"/v1/inbox?user={bo}").json["items"][0]["id"]
    browser, token = portal(town, ada)
    assert browser.post(f"/portal/inbox/{theirs}/object", data={"form_token": token}).status_code == 404
    rival = bearer(api_token(town.app, town.house.other, town.house.other_secret))
    http = town.app.test_client()
    assert http.get(f"/v1/inbox?user={bo}", headers=rival).status_code == 404
    assert http.post(f"/v1/inbox/{theirs}/objection", headers=rival).status_code == 404
    assert town.rows("stances") == []


def test_a_notice_that_announces_no_sharing_cannot_be_objected_to(town: Town) -> None:
    sub = signed_up(town)
    announce(town, "policy", "2027-01-01")
    (notice,) = api(town, "GET", f"/v1/inbox?user={sub}").json["items"]
    assert not notice["may_object"]
    answer = api(town, "POST", f"/v1/inbox/{notice['id']}/objection")
    assert (answer.status_code, answer.json["code"]) == (400, "nothing_to_object")


def test_a_copy_goes_by_mail_with_a_way_out_and_its_address_is_in_the_ledger(town: Town) -> None:
    signed_up(town)
    announce(town)
    (letter,) = letters(town)
    assert (letter["To"], letter["Subject"]) == ("ada@example.org", TITLE)
    assert WORDS in str(letter.get_payload())
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    written = [entry for entry in town.entries("release") if entry["purpose"] == "contact"]
    assert [(entry["clause"], entry["count"]) for entry in written] == [("2c", 1)]
    assert [row["state"] for row in town.rows("mails")] == ["done"]
    assert not any("ada" in str(value) for row in town.rows("mails") for value in row.values())
    (file,) = (town.house.folder / "mail" / "new").iterdir()
    assert file.stat().st_mode & 0o077 == 0


def test_one_click_ends_all_mail_and_silences_no_notice(town: Town) -> None:
    sub = signed_up(town)
    announce(town)
    (letter,) = letters(town)
    link = urlsplit(letter["List-Unsubscribe"].strip("<>")).path
    http = town.app.test_client()
    assert "Stop mail" in http.get(link).text
    assert town.rows("stances") == [], "looking opts nobody out"
    assert http.post(link[:-2] + "zz").status_code == 404
    assert http.post(link, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    announce(town, "transfer", "buyer")
    assert len(letters(town)) == 1
    assert [row["error"] for row in town.rows("mails") if row["state"] == "refused"] == ["opted-out"]
    assert len(api(town, "GET", f"/v1/inbox?user={sub}").json["items"]) == 2
    browser, token = portal(town, sub)
    assert "You get no mail" in browser.get("/portal/inbox").text
    data = {"form_token": token, "toward": "mail", "name": "", "stance": "none"}
    assert browser.post("/portal/stances", data=data).status_code == 303
    announce(town, "policy", "2027-01-01")
    assert len(letters(town)) == 2


def test_twin_a_sender_that_forgot_to_look_at_the_preference_writes_to_who_said_no(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    sub = signed_up(town)
    browser, token = portal(town, sub)
    browser.post("/portal/stances", data={"form_token": token, "toward": "mail", "name": "", "stance": "no"})
    monkeypatch.setattr(inbox, "stance_of", lambda *_: "none")
    announce(town)
    assert len(letters(town)) == 1


def test_a_letter_that_cannot_leave_is_tried_again_and_one_that_never_can_is_not(
    town: Town, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_up(town)
    announce(town)
    failures = [MailFailure("unreachable", again=True), MailFailure("recipient", again=False)]
    sent: list[str] = []

    def send(_post: MailFolder, letter: Any) -> None:
        sent.append(letter.id)
        raise failures[len(sent) - 1]

    monkeypatch.setattr(MailFolder, "send", send)
    assert letters(town) == []
    assert [(row["state"], row["error"]) for row in town.rows("mails")] == [("queued", "unreachable")]
    clock.advance(hours=1)
    letters(town)
    assert [(row["state"], row["error"]) for row in town.rows("mails")] == [("dead", "recipient")]
    assert len(sent) == 2


def test_global_privacy_control_is_kept_from_the_first_page_on_and_shown(town: Town) -> None:
    browser = town.browser()
    browser.environ_base["HTTP_SEC_GPC"] = "1"
    started = town.start()
    page = town.page(browser, started.query)
    assert "Global Privacy Control" in page.text
    back = town.at_provider(town.submit(browser, page).headers["Location"])
    sub = town.finished(town.follow(browser, back).headers["Location"], started)["claims"]["sub"]
    (row,) = town.rows("stances")
    assert (row["toward"], row["name"], row["stance"], row["by"]) == ("affiliate", "", "no", "gpc")
    mine, token = portal(town, sub)
    assert "your browser asked for that with Global Privacy Control" in mine.get("/portal/inbox").text
    data = {"form_token": token, "toward": "affiliate", "name": "", "stance": "none"}
    assert mine.post("/portal/stances", data=data).status_code == 303
    portal(town, sub, **{"Sec-GPC": "1"})
    assert town.rows("stances")[0]["stance"] == "none", "what the person said outweighs the signal"
    assert town.app.test_client().get("/.well-known/gpc.json").json["gpc"] is True


def test_a_browser_without_the_signal_records_nothing_and_the_portal_hears_it_later(town: Town) -> None:
    sub = signed_up(town)
    assert town.rows("stances") == []
    portal(town, sub, **{"Sec-GPC": "1"})
    assert [row["by"] for row in town.rows("stances")] == ["gpc"]


def test_only_who_is_named_in_the_settings_can_be_let_in(town: Town) -> None:
    sub = signed_up(town)
    browser, token = portal(town, sub)
    assert "Partner Shop" in browser.get("/portal/inbox").text
    for toward, name, stance, status in (
        ("affiliate", "partner", "yes", 303),
        ("affiliate", "stranger", "yes", 400),
        ("mail", "", "yes", 400),
        ("transfer", "", "none", 400),
    ):
        data = {"form_token": token, "toward": toward, "name": name, "stance": stance}
        assert browser.post("/portal/stances", data=data).status_code == status
    assert [(row["name"], row["stance"]) for row in town.rows("stances")] == [("partner", "yes")]
