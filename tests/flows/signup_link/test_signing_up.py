"""Sign-up and sign-in as they should go."""

from __future__ import annotations

import base64
import hashlib

from connector import connections, consent
from connector.consent import Direction
from connector.flows.signup_link import step
from connector.model.states import ConnectionState
from connector.model.tags import Choice
from tests.clock import ManualClock
from tests.gateways import APP_CALLBACK
from tests.signing_up import NOTHING_MADE, Town, answer_of, let_write


def test_a_stock_request_ends_in_an_id_token_that_says_who_it_is(town: Town) -> None:
    tokens = town.sign_up("ada")
    claims = tokens["claims"]
    assert claims["sub"].startswith("usr_")
    assert claims["idp"] == "rehearsal"
    assert claims["connection"] == tokens["connection"]
    assert claims["name"] == "Ada Lindqvist"
    assert claims["email"] == "ada@example.org"
    assert tokens["token_type"] == "Bearer"
    assert tokens["scope"] == "openid profile email"
    half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert claims["at_hash"] == base64.urlsafe_b64encode(half).decode().rstrip("=")


def test_the_token_opens_userinfo_for_the_same_sub(town: Town) -> None:
    tokens = town.sign_up("ada")
    answer = town.app.test_client().get(
        "/oauth/userinfo", headers={"Authorization": f"Bearer {tokens['access_token']}"}
    )
    assert answer.status_code == 200
    assert answer.json["sub"] == tokens["claims"]["sub"]  # type: ignore[index]


def test_one_transaction_makes_user_identity_connection_tokens_consents_and_first_import(town: Town) -> None:
    town.sign_up("ada")
    made = town.how_many(*NOTHING_MADE)
    assert made == {"users": 1, "identities": 1, "connections": 1, "connection_tokens": 1, "consents": 4, "imports": 1}
    kinds = [row["kind"] for row in town.rows("ledger_entries")]
    for kind in ("user_created", "identity_linked", "connection_created", "consent", "provider_request"):
        assert kind in kinds


def test_a_returning_person_keeps_the_same_sub_and_connection(town: Town) -> None:
    first, second = town.sign_up("ada"), town.sign_up("ada")
    assert first["claims"]["sub"] == second["claims"]["sub"]
    assert first["connection"] == second["connection"]
    assert town.how_many("users", "connections") == {"users": 1, "connections": 1}
    assert town.rows("connections")[0]["generation"] == 2


def test_a_returning_person_keeps_the_same_sub_after_revoking(town: Town) -> None:
    first = town.sign_up("ada")
    with town.gateway.store.transaction() as tx:
        found = connections.find(tx, town.gateway.vault, town.house.tenant.id, first["connection"])
        assert found is not None
        connections.move(tx, town.gateway.vault, found, ConnectionState.REVOKED, take_over=True)
    second = town.sign_up("ada")
    assert second["claims"]["sub"] == first["claims"]["sub"]
    assert second["connection"] != first["connection"]


def test_two_accounts_with_one_email_stay_two_users(town: Town) -> None:
    state = town.rehearsal.extensions["rehearsal"]
    namesake = state.person_named("grace")
    state.profiles[namesake].fields["mail"] = state.profiles["ada"].fields["mail"]
    ada, grace = town.sign_up("ada"), town.sign_up(namesake)
    assert ada["claims"]["email"] == grace["claims"]["email"]
    assert ada["claims"]["sub"] != grace["claims"]["sub"]


def test_the_page_says_what_is_imported_under_which_version_and_ticks_nothing(town: Town) -> None:
    _started, query = town.pushed(offer_push="name emails")
    page = town.page(town.browser(), query)
    assert page.status_code == 200
    assert "Your profile" in page.text
    assert "Your contacts" in page.text
    assert "2019-03-11" in page.text
    assert "Development mode" in page.text
    assert " checked" not in page.text
    assert "<script" not in page.text
    assert "form-action" in page.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]


def test_a_browser_that_accepted_this_very_notice_goes_straight_on(town: Town) -> None:
    browser = town.browser()
    first = town.sign_up("ada", browser)
    straight = town.page(browser, town.start().query)
    assert straight.status_code == 303
    assert town.page(town.browser(), town.start().query).status_code == 200  # another browser reads it first
    assert town.page(browser, town.start(scope="openid").query).status_code == 200  # another notice is read first
    assert town.page(browser, town.start(prompt="consent").query).status_code == 200
    assert town.sign_up("ada", browser)["claims"]["sub"] == first["claims"]["sub"]


def test_an_acceptance_cannot_be_made_up(town: Town) -> None:
    browser = town.browser()
    browser.set_cookie("gw_notices_8080", "AAAA." + "B" * 43)
    assert town.page(browser, town.start().query).status_code == 200


def test_who_went_straight_on_does_not_give_anew_what_they_withdrew(town: Town) -> None:
    browser = town.browser()
    tokens = town.sign_up("ada", browser)
    vault, tenant = town.gateway.vault, town.house.tenant.id
    with town.gateway.store.transaction() as tx:
        for each in consent.of_user(tx, vault, tenant, tokens["claims"]["sub"]):
            consent.withdraw(tx, vault, each, by="subject", method="portal")
    again = town.sign_up("ada", browser)
    with town.gateway.store.read() as tx:
        choice = consent.standing(tx, vault, tokens["connection"], Direction.IMPORT, "profile")
    assert choice is Choice.WITHDRAWN
    assert "name" not in again["claims"]


def test_ticked_groups_become_push_consents_and_the_rest_does_not(town: Town) -> None:
    writing = let_write(town.house)
    started, query = town.pushed(offer_push="name emails", integration=writing.id)
    back = town.to_app(town.browser(), query, push=["emails", "addresses"])
    tokens = town.finished(back, started)
    vault = town.gateway.vault
    with town.gateway.store.read() as tx:
        given = {
            group: consent.standing(tx, vault, tokens["connection"], Direction.PUSH, group)
            for group in ("name", "emails", "addresses")
        }
        kept = [each for each in consent.of_connection(tx, vault, tokens["connection"]) if each.field_group == "emails"]
        record = consent.record_of(tx, vault, kept[0])
    assert given == {"name": Choice.NONE, "emails": Choice.GIVEN, "addresses": Choice.NONE}
    assert record["schema"].startswith("https://w3id.org/dpv")
    assert record["events"][0]["state"] == "ConsentGiven"
    assert record["notice"]["policy_version"] == "2019-03-11"
    assert record["process"][0]["fields"] == ["/emails"]
    assert {party["role"] for party in record["parties"]} == {"controller", "third_party"}


def test_import_can_be_narrowed_to_nothing(town: Town) -> None:
    started, query = town.pushed(**{"import": ""})
    tokens = town.finished(town.to_app(town.browser(), query), started)
    assert tokens["claims"]["sub"]
    assert town.how_many("imports") == {"imports": 0}
    agreed = {row["field_group"] for row in town.rows("consents")}
    assert agreed == {"claims_profile", "claims_email"}  # what the app learns by the sign-in itself, and no import


def test_a_narrowed_import_asks_for_less_at_the_provider(town: Town) -> None:
    _started, query = town.pushed(**{"import": "profile"})
    browser = town.browser()
    answer = town.submit(browser, town.page(browser, query))
    assert "contacts" not in answer_of(answer.headers["Location"])["scope"].split()


def test_linking_adds_an_account_to_the_user_that_the_app_named(town: Town) -> None:
    ada = town.sign_up("ada")
    sub = ada["claims"]["sub"]
    started, query = town.pushed(link_user=sub)
    back = town.to_app(town.browser(), query, "grace")
    linked = town.finished(back, started, link_user=sub)
    assert linked["claims"]["sub"] == sub
    assert linked["connection"] != ada["connection"]
    assert town.sign_up("grace")["claims"]["sub"] == sub


def test_a_renewal_keeps_the_connection_and_may_widen_it(town: Town) -> None:
    first = town.sign_up("ada")
    started, query = town.pushed(connection=first["connection"], provider_scope="phone")
    renewed = town.finished(town.to_app(town.browser(), query, "ada"), started)
    assert renewed["connection"] == first["connection"]
    assert "phone" in town.rows("connections")[0]["granted_scopes"]
    assert town.entries("connection_reauthorized")[-1]["widened"] is True


def test_a_form_post_answer_comes_back_by_get_with_the_cookie(town: Town) -> None:
    started, browser = town.start(), town.browser()
    back = answer_of(town.to_callback(browser, started.query))
    held = town.app.test_client().post(town.callback, data=back)  # cross-site: without our cookie
    assert held.status_code == 303
    assert back["code"] not in held.headers["Location"]
    answer = town.follow(browser, held.headers["Location"])
    assert town.finished(answer.headers["Location"], started)["claims"]["sub"]


def test_the_answer_carries_state_and_issuer(town: Town) -> None:
    started = town.start()
    back = town.to_app(town.browser(), started.query)
    assert back.startswith(APP_CALLBACK + "?")
    answer = answer_of(back)
    assert answer["state"] == started.state
    assert answer["iss"] == town.gateway.settings.server.public_url


def test_a_code_lives_no_longer_than_the_provider_s_own_less_a_margin(town: Town, clock: ManualClock) -> None:
    started = town.start()
    back = town.to_app(town.browser(), started.query)
    clock.advance(50)
    answer = town.redeem(back, started)
    assert (answer.status_code, answer.json["code"]) == (400, "code_expired")  # type: ignore[index]
    assert town.exchanges() == 0


def test_what_nobody_finished_leaves_a_ledger_line_and_nothing_else(town: Town, clock: ManualClock) -> None:
    browser = town.browser()
    town.page(town.browser(), town.start().query)  # left at our page
    town.to_callback(town.browser(), town.start().query)  # left at the provider
    town.to_app(browser, town.start().query)  # came back, never redeemed
    clock.advance(minutes=16)
    assert step(town.gateway)
    rows = town.rows("authorizations")
    assert {row["state"] for row in rows} == {"failed"}
    assert all(bytes(row["sealed"]) == b"" for row in rows)
    assert all(row["wrapped"] is None for row in town.rows("data_keys") if row["owner_kind"] == "flow")
    assert {entry["step"] for entry in town.entries("authorization_failed")} == {"choosing", "at_provider", "held"}
    assert town.how_many(*NOTHING_MADE) == NOTHING_MADE
    clock.advance(hours=25)
    step(town.gateway)
    assert town.how_many("authorizations") == {"authorizations": 0}
    assert not step(town.gateway)
