"""Who got something of a person hears of their leaving: agents by letter, providers where it was ticked."""

from __future__ import annotations

import mailbox
from pathlib import Path
from typing import Any

import pytest

from connector import inbox
from connector.flows import forwarding, push_update
from connector.flows.edit_profile import edit_profile
from connector.flows.erase import Erased, delete_user
from connector.flows.hand_outside import hand_outside
from connector.inbox import Toward
from connector.model.states import Ended
from connector.storage import Store
from connector.worker import steps
from tests.clock import ManualClock
from tests.journeys.test_disclosures import AFFILIATE, AGENT, COURT, PRINTER
from tests.journeys.test_notices import PARTNER, portal
from tests.signing_up import Town, let_write, make_town


@pytest.fixture
def town(tmp_path: Path, store: Store, clock: ManualClock) -> Town:
    sections: Any = {"affiliates": [{**PARTNER, "contact": "by post"}], "agents": [PRINTER]}
    return make_town(tmp_path, store, clock, **sections)


def pushed(town: Town) -> str:
    """Somebody who typed a name in, which was sent on to their account."""
    integration = let_write(town.house)
    town.callback = f"/callback/{integration.id}"
    started, query = town.pushed(integration=integration.id, offer_push="name")
    browser = town.browser()
    onward = town.submit(browser, town.page(browser, query), push=["name"])
    back = town.follow(browser, town.at_provider(onward.headers["Location"])).headers["Location"]
    sub = str(town.finished(back, started)["claims"]["sub"])
    edit_profile(town.gateway, town.house.web, sub, {"nicknames": {"n": {"name": "Sent On"}}})
    while push_update.step(town.gateway):
        pass
    assert there(town) == "Sent On"
    return sub


def there(town: Town) -> str:
    """The nickname in the person's account at the provider."""
    return str(town.rehearsal.extensions["rehearsal"].profiles["ada"].fields.get("nickname") or "")


def leave(town: Town, sub: str, **how: Any) -> Erased:
    return delete_user(town.gateway, town.house.tenant.id, sub, Ended.PERSON, **how)


def test_what_was_sent_on_is_cleared_there_where_the_person_asks_for_it(town: Town) -> None:
    done = leave(town, pushed(town), clear=True)
    assert there(town) == ""
    assert [(one.provider, one.outcome) for one in done.sent] == [("Rehearsal", "cleared")]
    assert len(town.entries("push_intent")) == len(town.entries("push_outcome")) == 2


def test_what_was_sent_on_stays_in_their_own_account_where_they_do_not(town: Town) -> None:
    done = leave(town, pushed(town))
    assert there(town) == "Sent On"
    assert [(one.outcome, "did not ask" in one.words) for one in done.sent] == [("kept", True)]


def test_a_switch_that_is_off_sends_no_removal_either_and_says_so(town: Town) -> None:
    sub = pushed(town)
    browser, token = portal(town, sub)
    (switch,) = [row for row in town.rows("consents") if row["direction"] == "push" and row["choice"] == "given"]
    browser.post(f"/portal/choices/{switch['id']}/withdraw", data={"form_token": token})
    done = leave(town, sub, clear=True)
    assert there(town) == "Sent On"
    assert [one.outcome for one in done.sent] == ["kept"]


def test_the_page_shows_what_remains_before_and_the_tick_clears(town: Town) -> None:
    sub = pushed(town)
    browser, token = portal(town, sub)
    page = browser.get("/portal/delete").text
    for words in ("What remains", "An opaque user id", "Clear it at Rehearsal too"):
        assert words in page
    gone = browser.post("/portal/delete", data={"form_token": token, "sure": "yes", "clear": "sent"})
    assert "It was cleared in your account there" in gone.text
    assert there(town) == ""


def test_an_agent_is_written_to_by_the_release_alone_and_who_has_no_address_is_listed(town: Town) -> None:
    sub = str(town.sign_up("ada")["claims"]["sub"])
    edit_profile(town.gateway, town.house.web, sub, {"name": {"full": "Ada Typed"}})
    with town.gateway.store.transaction() as tx:
        inbox.take(tx, town.gateway.vault, town.house.tenant.id, sub, Toward.AFFILIATE, "partner", "yes", by="subject")
    given = [hand_outside(town.gateway, town.house.tenant.id, sub, one) for one in (AGENT, AFFILIATE, COURT)]
    done = leave(town, sub)
    assert sorted(title for _, title in done.told) == ["Partner Shop", "Print Ltd"]
    while forwarding.tell_outsiders(town.gateway):
        pass
    (letter,) = mailbox.Maildir(town.house.folder / "mail", create=False)
    assert letter["To"] == PRINTER["contact"]
    text = str(letter)
    assert given[0].release_id in text
    assert not [word for word in ("Ada", sub, "ada@example.org") if word in text]
    with town.gateway.store.read() as tx:
        (left,) = inbox.by_hand(tx)
    assert (left.recipient, left.name, left.reference) == ("affiliate", "partner", given[1].release_id)
    assert forwarding.told_by_hand(town.gateway, left.id)
    assert not forwarding.told_by_hand(town.gateway, left.id)
    assert sorted(entry["outcome"] for entry in town.entries("forwarded")) == ["to_be_told", "told", "told"]


def test_what_was_passed_on_is_forgotten_after_a_month_and_whom_nobody_told_is_not(
    town: Town, clock: ManualClock
) -> None:
    sub = str(town.sign_up("ada")["claims"]["sub"])
    edit_profile(town.gateway, town.house.web, sub, {"name": {"full": "Ada Typed"}})
    with town.gateway.store.transaction() as tx:
        inbox.take(tx, town.gateway.vault, town.house.tenant.id, sub, Toward.AFFILIATE, "partner", "yes", by="subject")
    for one in (AGENT, AFFILIATE):
        hand_outside(town.gateway, town.house.tenant.id, sub, one)
    leave(town, sub)
    while forwarding.tell_outsiders(town.gateway):
        pass
    keep(town)
    assert len(town.rows("forwardings")) == 2
    clock.advance(days=31)
    keep(town)
    (left,) = town.rows("forwardings")
    assert (left["recipient"], left["outcome"]) == ("affiliate", "to_be_told")
    assert list(mailbox.Maildir(town.house.folder / "mail", create=False)) == []
    assert forwarding.told_by_hand(town.gateway, left["id"])
    keep(town)
    assert len(town.rows("forwardings")) == 1
    clock.advance(days=31)
    keep(town)
    assert town.rows("forwardings") == []


def keep(town: Town) -> None:
    """What the worker does about them."""
    (forget,) = [step for step in steps.keeping(town.gateway) if step.name == "forget_forwardings"]
    forget.run()
