"""Choices that a newer policy made stale: they open nothing more, are marked, shown, and asked again."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from connector import connections, consent
from connector.connections import Connection
from connector.consent import Consent, Direction
from connector.flows import choices, stale_choices
from connector.flows.announce_policy import announce_version
from connector.flows.gateway import Gateway
from connector.flows.policy_versions import admit, record_in_force
from connector.flows.standings import ground_of
from connector.http import create_app
from connector.ledger import show
from connector.model.tags import Category, Choice
from connector.people import PortalSession
from connector.policy.carried import IMPORT, PUSH, carried, widened
from connector.policy.rules import Rule
from connector.storage import Store
from tests.agreed import agree
from tests.clock import ManualClock
from tests.connected import Linked, linked
from tests.gateways import APP_RETURN, api_token, bearer
from tests.policy.shipped import policy
from tests.policy.successors import NAME, followed_by, narrower, same, successor, wider
from tests.signing_up import Town, make_town

DAY = 86_400_000
WINDOW = timedelta(days=30)


@pytest.fixture
def town(tmp_path: Path, store: Store, clock: ManualClock) -> Linked:
    return linked(tmp_path, store, clock)


def after(town: Linked | Town, clock: ManualClock, change) -> Gateway:
    """The same gateway, some time after a new version was announced and took effect."""
    found = followed_by(successor(change, effective_at=clock.now() + 31 * DAY))
    announce_version(town.gateway.store, town.gateway.vault, found, NAME, window=WINDOW, contact="x@y")
    clock.advance(days=32)
    return replace(town.gateway, policy=admit(town.gateway.store, found, WINDOW))


def choice(gateway: Gateway, connection: Connection, direction: Direction, group: str) -> Choice:
    with gateway.store.read() as tx:
        return choices.standing(gateway, tx, connection, direction, group)


def kept(town: Linked, consent_id: str) -> Consent:
    with town.store.read() as tx:
        found = consent.find(tx, town.gateway.vault, town.house.tenant.id, consent_id)
    assert found is not None
    return found


def test_clause_7_a_choice_whose_flows_widened_is_stale_at_once_and_others_are_not(town: Linked, clock) -> None:
    agree(town, "push", "phones")
    agree(town, "import", "profile", "contacts")
    connection = town.connection()
    gateway = after(town, clock, wider)
    assert choice(gateway, connection, Direction.PUSH, "phones") is Choice.STALE
    assert choice(gateway, connection, Direction.IMPORT, "profile") is Choice.GIVEN
    assert choice(gateway, connection, Direction.IMPORT, "contacts") is Choice.GIVEN
    with gateway.store.read() as tx:
        assert ground_of(gateway, tx, connection.tenant_id, connection.sub).pushed_to("phones") == []


@pytest.mark.parametrize("change", [narrower, same])
def test_clause_7_what_narrows_or_only_reads_otherwise_asks_nobody_again(town: Linked, clock, change) -> None:
    agree(town, "push", "phones")
    gateway = after(town, clock, change)
    assert choice(gateway, town.connection(), Direction.PUSH, "phones") is Choice.GIVEN


def test_a_choice_under_a_version_that_nobody_knows_is_stale(town: Linked) -> None:
    (one,) = agree(town, "import", "profile")
    with town.store.read() as tx:
        found = replace(kept(town, one), policy_version="2017-01-01")
        assert choices.choice_now(town.gateway, found, town.connection(), tx.now()) is Choice.STALE


def test_a_worker_marks_stale_choices_once_with_event_and_entry(town: Linked, clock) -> None:
    (one, other) = (*agree(town, "push", "phones"), *agree(town, "import", "profile"))
    gateway = after(town, clock, wider)
    assert stale_choices.step(gateway) == 2
    assert stale_choices.step(gateway) == 0
    assert (kept(town, one).choice, kept(town, other).choice) == (Choice.STALE, Choice.GIVEN)
    with town.store.read() as tx:
        events = consent.record_of(tx, gateway.vault, kept(town, one))["events"]
        entries = [entry for entry in show(tx, limit=500) if entry.facts.get("event") == "invalidated"]
    assert (events[-1]["state"], events[-1]["policy_version"], events[-1]["by"]) == (
        "ConsentInvalidated",
        NAME,
        "system",
    )
    assert [entry.facts["consent"] for entry in entries] == [one]


@pytest.mark.parametrize("swept", [False, True], ids=["before the worker", "after the worker"])
def test_clause_7_a_person_is_asked_again_on_their_own_pages(town: Linked, clock, swept) -> None:
    (one,) = agree(town, "push", "phones")
    gateway = after(town, clock, wider)
    if swept:
        stale_choices.step(gateway)
    app = create_app(gateway)
    browser, form_token = inside(town, app)
    page = browser.get(f"/portal/accounts/{town.connection_id}")
    assert "Paused: the policy reaches further" in page.text
    asked = browser.get(f"/portal/choices/{one}/renew")
    assert asked.status_code == 200
    assert "that the service saw or that came from another account" in asked.text
    assert "<script" not in asked.text
    answer = browser.post(f"/portal/choices/{one}/renew", data={"form_token": form_token})
    assert answer.status_code == 303
    assert choice(gateway, town.connection(), Direction.PUSH, "phones") is Choice.GIVEN
    again = kept(town, one)
    assert (again.policy_version, again.generation) == (NAME, 2)
    with town.store.read() as tx:
        record = consent.record_of(tx, gateway.vault, again)
    assert record["supersedes"] == f"{one}/1"
    assert record["notice"]["policy_version"] == NAME
    assert browser.get(f"/portal/choices/{one}/renew").status_code == 409


def test_a_stale_choice_can_be_taken_back(town: Linked, clock) -> None:
    (one,) = agree(town, "push", "phones")
    gateway = after(town, clock, wider)
    stale_choices.step(gateway)
    browser, form_token = inside(town, create_app(gateway))
    assert browser.post(f"/portal/choices/{one}/withdraw", data={"form_token": form_token}).status_code == 303
    assert kept(town, one).choice is Choice.WITHDRAWN


def test_clause_7_signing_in_again_asks_again_and_renews(tmp_path, store, clock) -> None:
    town = make_town(tmp_path, store, clock)
    first = town.sign_up("ada")
    gateway = after(town, clock, _profile_transferred)
    (connection,) = {one.connection_id for one in chosen(town, first)}
    with store.read() as tx:
        found = connections.find(tx, gateway.vault, town.house.tenant.id, connection)
    assert found is not None
    assert choice(gateway, found, Direction.IMPORT, "profile") is Choice.STALE
    Town(replace(town.house, gateway=gateway), town.rehearsal).sign_up("ada")
    assert choice(gateway, found, Direction.IMPORT, "profile") is Choice.GIVEN
    assert {one.policy_version for one in chosen(town, first) if one.field_group == "profile"} == {NAME}


def chosen(town: Town, signed: dict) -> list[Consent]:
    with town.gateway.store.read() as tx:
        return consent.of_user(tx, town.gateway.vault, town.house.tenant.id, signed["claims"]["sub"])


def _profile_transferred(rule: Rule) -> Rule:
    """What was imported is used for more than is said today."""
    return replace(rule, box=rule.box.without("purpose")) if rule.id == "imported-served" else rule


def test_nobody_else_can_say_yes_again(town: Linked, clock) -> None:
    (one,) = agree(town, "push", "phones")
    gateway = after(town, clock, wider)
    stranger = PortalSession(town.house.tenant.id, town.house.web.id, "usr_" + "a" * 26, APP_RETURN, "f", 0)
    with pytest.raises(Exception, match="choice"):
        stale_choices.agree_again(gateway, stranger, one)


def test_what_a_push_and_an_import_carry_is_apart() -> None:
    version, contact = policy().versions[0], frozenset({Category.CONTACT})
    assert set(carried(version, PUSH, contact).words()["purpose"]) == {"sync"}
    imports = carried(version, IMPORT, contact).words()
    assert imports["source"] == ("imported",)
    assert "sync" not in imports["purpose"]


def test_a_new_use_of_what_was_imported_makes_the_import_stale_though_no_choice_names_it() -> None:
    """Withdrawing would close it, so agreeing opens it."""
    widest = successor(_aggregates_for_people, effective_at=1)
    version, people = policy().versions[0], frozenset({Category.PEOPLE})
    assert widened(version, widest, IMPORT, people)
    assert not widened(version, widest, IMPORT, frozenset({Category.CONTACT}))


def _aggregates_for_people(rule: Rule) -> Rule:
    if rule.id == "imported-people-served":
        box = rule.box.without("purpose")
        return replace(rule, box=box)
    return rule


def inside(town: Linked, app):
    """A browser that is signed in on the person's own pages, and its form token."""
    browser = app.test_client()
    token = api_token(app, town.house.web, town.house.web_secret)
    made = app.test_client().post(
        f"/v1/users/{town.connection().sub}/portal", json={"return_url": APP_RETURN}, headers=bearer(token)
    )
    entered = browser.post("/portal/enter", data={"link": made.json["url"].partition("link=")[2]})
    assert entered.status_code == 303
    return browser, re.findall(r'name="form_token" value="([^"]+)"', browser.get("/portal").text)[0]


def test_a_version_in_force_is_recorded_before_choices_are_marked(town: Linked, clock) -> None:
    agree(town, "push", "phones")
    gateway = replace(town.gateway, policy=followed_by(successor(wider, effective_at=clock.now())))
    assert stale_choices.step(gateway) == 0
    record_in_force(town.store, gateway.policy)
    assert stale_choices.step(gateway) == 1
