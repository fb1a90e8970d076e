"""Providers' terms, lived: a transfer waits for an explicit yes, mail for a live choice."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest

from connector.flows.evidence import receipt_file
from connector.flows.explain_flows import flows_of
from connector.model.errors import RefusedByPolicy
from connector.policy import Policy, Version
from connector.storage import Store
from tests.clock import ManualClock
from tests.gateways import shipped_policy
from tests.journeys.test_disclosures import BUYER, announced, give, said
from tests.journeys.test_notices import api, letters, portal, signed_up
from tests.signing_up import Town, make_town

WINDOW_DAYS = 31


@pytest.fixture(params=["google", "facebook"])
def town(tmp_path: Path, store: Store, clock: ManualClock, monkeypatch, request) -> Town:
    """A house where Rehearsal's data is under a real provider's terms."""
    shipped = shipped_policy().versions[0]
    (terms,) = [one for one in shipped.book.overlays if one.name == request.param]
    book = replace(shipped.book, overlays=(replace(terms, provider="rehearsal", scopes=("*",)),))
    policy = Policy([Version(book, shipped.sha256)])
    monkeypatch.setattr("tests.gateways.shipped_policy", lambda: policy)
    return make_town(tmp_path, store, clock)


def decide(town: Town, sub: str, what: str) -> None:
    browser, token = portal(town, sub)
    answer = browser.post(f"/portal/inbox/{item(town, sub)}/{what}", data={"form_token": token})
    assert answer.status_code == 303


def item(town: Town, sub: str) -> str:
    (notice,) = [one for one in api(town, "GET", f"/v1/inbox?user={sub}").json["items"] if one["kind"] == "transfer"]
    return str(notice["id"])


def announced_to(town: Town, clock: ManualClock) -> str:
    """Somebody with an import and something typed in, who was told and whose time is over."""
    sub = signed_up(town)
    patch = {"emails": {"e": {"address": "typed@example.org"}}}
    assert api(town, "PATCH", f"/v1/users/{sub}/profile", json=patch).status_code == 200
    announced(town, ("acquirer", "buyer"))
    clock.advance(days=WINDOW_DAYS)
    return sub


def test_clause_3c_without_a_yes_only_what_was_typed_in_goes_though_the_notice_is_over(town: Town, clock) -> None:
    sub = announced_to(town, clock)
    handed = give(town, sub, BUYER)
    assert said(handed) == {"given"}
    assert {clause for _, clause, _ in handed.withheld} == {"3c"}


def test_clause_3c_the_page_says_what_would_go_and_a_yes_lets_it_go_and_is_receipted(town: Town, clock) -> None:
    sub = announced_to(town, clock)
    browser, _ = portal(town, sub)
    assert "stays here, unless you say yes" in browser.get("/portal/inbox").text
    page = browser.get(f"/portal/inbox/{item(town, sub)}/consent").text
    for words in ("From Rehearsal", "What will happen", "buyer", "Saying nothing is a no"):
        assert words in page
    assert "checked" not in page
    decide(town, sub, "consent")
    decide(town, sub, "consent")  # twice is once
    assert [(one["toward"], one["stance"]) for one in town.entries("stance")] == [("transfer", "yes")]
    assert "Your yes to a transfer" in browser.get("/portal/receipts").text
    (kept,) = [row for row in town.rows("receipts") if row["kind"] == "transfer"]
    receipt = json.loads(receipt_file(town.gateway, town.house.tenant.id, kept["id"]))["receipt"]
    told = json.loads(base64.urlsafe_b64decode(receipt.split(".")[1] + "=="))
    assert "buyer" in json.dumps(told)
    assert said(give(town, sub, BUYER)) == {"given", "imported"}


@pytest.mark.parametrize("ends", ["take-back", "object"])
def test_clause_3c_a_yes_is_taken_back_in_one_click_and_a_no_outweighs_it(town: Town, clock, ends: str) -> None:
    sub = announced_to(town, clock)
    decide(town, sub, "consent")
    decide(town, sub, ends)
    if ends == "take-back":
        assert said(give(town, sub, BUYER)) == {"given"}
        return
    with pytest.raises(RefusedByPolicy, match="3c"):
        give(town, sub, BUYER)


def test_a_yes_before_the_notice_is_over_opens_nothing_yet(town: Town) -> None:
    sub = signed_up(town)
    announced(town, ("acquirer", "buyer"))
    decide(town, sub, "consent")
    with pytest.raises(RefusedByPolicy):
        give(town, sub, BUYER)


def test_nobody_else_says_yes_and_a_notice_that_asks_nothing_has_no_such_page(town: Town) -> None:
    ada, bo = signed_up(town), signed_up(town, "bo")
    announced(town, ("acquirer", "buyer"))
    browser, token = portal(town, ada)
    theirs = item(town, bo)
    assert browser.get(f"/portal/inbox/{theirs}/consent").status_code == 404
    assert browser.post(f"/portal/inbox/{theirs}/consent", data={"form_token": token}).status_code == 404
    assert town.rows("stances") == []


@pytest.mark.parametrize("town", ["facebook"], indirect=True)
def test_clause_2c_an_address_from_facebook_is_written_to_under_a_live_choice_and_not_without(town: Town) -> None:
    sub = signed_up(town)
    announced(town, ("acquirer", "buyer"))
    (letter,) = letters(town)
    assert letter["To"] == "ada@example.org"
    browser, token = portal(town, sub)
    for row in town.rows("consents"):
        if row["direction"] == "import" and row["choice"] == "given":
            browser.post(f"/portal/choices/{row['id']}/withdraw", data={"form_token": token})
    announced(town, ("acquirer", "another"))
    assert len(letters(town)) == 1


def test_what_is_explained_of_a_transfer_is_what_then_goes(town: Town, clock: ManualClock) -> None:
    sub = announced_to(town, clock)

    def explained() -> dict[str, tuple[bool, str]]:
        (view,) = [
            one
            for one in flows_of(town.gateway, town.house.tenant.id, sub, action="share", category="contact")
            if one.flow == "share acquirer transfer"
        ]
        assert all(case.what.endswith(", to buyer") for case in view.cases)
        return {case.source: (case.open, case.switch.words if case.switch else "") for case in view.cases}

    assert explained() == {"given": (True, "Say no to it"), "imported": (False, "")}
    decide(town, sub, "consent")
    assert explained() == {"given": (True, "Say no to it"), "imported": (True, "Take your yes back")}
    decide(town, sub, "object")
    assert explained() == {"given": (False, ""), "imported": (False, "")}
