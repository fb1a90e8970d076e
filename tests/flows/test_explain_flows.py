"""Every flow for one person: what it says is what would be decided, and the switch it names does close it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from connector.connections import Connection
from connector.consent import Direction
from connector.flows import explain_flows
from connector.flows.portal_choices import withdraw
from connector.flows.provider_terms import terms_of
from connector.flows.standings import decision_on, ground_of
from connector.model.errors import NotFound
from connector.model.tags import Category, Use
from connector.people import PortalSession
from connector.policy import OWN, flows
from connector.records import of_cards, of_person
from connector.storage import Store
from tests.agreed import WRITING, agree, grant_scopes, imported
from tests.clock import ManualClock
from tests.connected import Linked, linked
from tests.gateways import APP_RETURN

CONTACTS = "https://www.googleapis.com/auth/contacts.readonly"


@pytest.fixture
def town(tmp_path: Path, store: Store, clock: ManualClock) -> Linked:
    return linked(tmp_path, store, clock)


def told(town: Linked, **narrowed: str) -> dict[str, explain_flows.FlowView]:
    connection = town.connection()
    found = explain_flows.flows_of(town.gateway, connection.tenant_id, connection.sub, **narrowed)
    return {view.flow: view for view in found}


def test_every_possible_flow_is_listed_with_a_clause_and_nothing_else(town: Linked) -> None:
    agree(town, "import", "profile", "contacts")
    found = told(town)
    possible = {f"{one.action} {one.recipient} {one.purpose}" for one in flows(town.gateway.policy)}
    assert set(found) == possible
    assert all(view.clauses and view.meaning for view in found.values())
    assert found["export owner account"].open
    assert not found["share acquirer transfer"].open
    assert found["share acquirer transfer"].clauses == ("3c",)


def test_every_open_case_that_came_in_or_goes_out_names_the_switch_that_closes_it(town: Linked) -> None:
    agree(town, "import", "profile", "contacts")
    agree(town, "push", "phones")
    cases = [case for view in told(town).values() for case in view.cases if case.open and case.provider]
    assert cases
    without = {case.category for case in cases if case.switch is None and "figures" not in case.what}
    assert without <= {"credential"}


def test_turning_the_switch_that_is_named_closes_the_flow(town: Linked) -> None:
    (one,) = agree(town, "push", "phones")
    before = told(town, action="push", category="contact")["push provider sync"]
    phones = next(case for case in before.cases if case.what.startswith("Phones"))
    assert phones.open
    assert phones.switch == explain_flows.Switch(
        "Switch off phones for Rehearsal", f"/portal/accounts/{town.connection_id}"
    )
    connection = town.connection()
    session = PortalSession(connection.tenant_id, town.house.web.id, connection.sub, APP_RETURN, "f", 0)
    withdraw(town.gateway, session, one)
    assert not told(town, action="push")["push provider sync"].open


def test_what_is_explained_is_what_is_decided_on_the_values_themselves(town: Linked) -> None:
    grant_scopes(town, *WRITING)
    agree(town, "import", "profile", "contacts")
    imported(town)
    connection = town.connection()
    explained = {
        (view.flow, case.category): (case.open, case.rule)
        for view in told(town).values()
        for case in view.cases
        if case.source == "imported" and "figures" not in case.what
    }
    compared = 0
    with town.store.read() as tx:
        ground = ground_of(town.gateway, tx, connection.tenant_id, connection.sub)
        cards = of_person(tx, connection.tenant_id, connection.sub, kind="self")
        for value in of_cards(tx, [card.id for card in cards]):
            for flow in ("use us service", "use us personalise", "show owner account", "share agent service"):
                decision = decision_on(town.gateway, ground, Use.of(*flow.split()), value)
                assert explained[flow, value.tags.category.value] == (decision.allowed, decision.rule_id)
                compared += 1
    assert compared > 8


def test_nobody_is_explained_to_for_a_stranger(town: Linked) -> None:
    with pytest.raises(NotFound):
        explain_flows.flows_of(town.gateway, town.house.tenant.id, "usr_" + "a" * 26)


def at_google(town: Linked, *scopes: str, declined: tuple[str, ...] = ()) -> Connection:
    return replace(town.connection(), provider="google", granted_scopes=scopes, declined_scopes=declined)


def test_a_value_comes_under_its_providers_terms_by_the_scope_that_brings_it(town: Linked) -> None:
    policy = town.gateway.policy
    assert terms_of(policy, at_google(town, "openid", "email"), Category.CONTACT) == OWN
    both = at_google(town, "openid", "email", CONTACTS)
    assert terms_of(policy, both, Category.PEOPLE) == "google"
    assert terms_of(policy, both, Category.CONTACT) == OWN
    assert terms_of(policy, town.connection(), Category.CONTACT) == OWN
    facebook = replace(town.connection(), provider="facebook", granted_scopes=("public_profile",))
    assert terms_of(policy, facebook, Category.PROFILE) == "facebook"


def test_a_scope_that_was_taken_back_still_binds_what_it_brought(town: Linked) -> None:
    assert terms_of(town.gateway.policy, at_google(town, "openid", declined=(CONTACTS,)), Category.PEOPLE) == "google"


def test_decisions_on_stored_values_are_taken_under_the_terms(town: Linked) -> None:
    grant_scopes(town, *WRITING)
    agree(town, "import", "profile")
    imported(town)
    connection = town.connection()
    mail = Use.of("share", "agent", "contact")
    with town.store.read() as tx:
        ground = ground_of(town.gateway, tx, connection.tenant_id, connection.sub)
        cards = of_person(tx, connection.tenant_id, connection.sub, kind="self")
        value = next(one for one in of_cards(tx, [card.id for card in cards]) if one.tags.category is Category.CONTACT)
    assert decision_on(town.gateway, ground, mail, value).allowed
    theirs = replace(connection, provider="facebook", granted_scopes=("email",))
    there = replace(ground, connections={connection.id: theirs})
    refused = decision_on(town.gateway, there, mail, value)
    assert (refused.rule_id, refused.terms) == ("facebook-no-mailing-agent", "facebook")
    assert ground.choice(connection.id, Direction.IMPORT, "profile").value == "given"
