"""Connections that are moved in: whose they become, what is closed until their person has looked, and the attacks."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from connector.flows import adopt
from connector.flows.adopt import Mover, wanted_from
from connector.flows.import_records.running import step as import_step
from connector.flows.portal import portal_link
from connector.flows.revoke import revoke
from connector.model.errors import BadInput, NotFound
from connector.model.states import Ended
from providers.rehearsal.server.people import child_birthday
from tests.clock import ManualClock
from tests.gateways import APP_RETURN, api_token, bearer
from tests.moving_in import Movers, movers_of
from tests.signing_up import NOTHING_MADE, Town


@pytest.fixture
def movers(town: Town) -> Movers:
    return movers_of(town)


def token_of(movers: Movers, connection: str, purpose: str = "service") -> Any:
    headers = bearer(api_token(movers.town.app, movers.client, movers.secret))
    return movers.town.app.test_client().post(
        f"/v1/connections/{connection}/token", json={"purpose": purpose}, headers=headers
    )


def import_of(movers: Movers, connection: str) -> Any:
    headers = bearer(api_token(movers.town.app, movers.client, movers.secret))
    return movers.town.app.test_client().post(f"/v1/connections/{connection}/imports", headers=headers)


def own_pages(town: Town, sub: str) -> tuple[FlaskClient, str]:
    link = portal_link(town.gateway, town.house.web, sub, APP_RETURN)
    browser = town.browser()
    browser.post("/portal/enter", data={"link": link.reveal()})
    return browser, re.findall(r'name="form_token" value="([^"]+)"', browser.get("/portal").text)[0]


def confirmed(town: Town, moved: dict[str, Any], **ticked: str) -> Any:
    """The person looks at it on their own pages, and sends the form back."""
    browser, stamp = own_pages(town, moved["user"])
    page = browser.get(f"/portal/accounts/{moved['id']}/notice")
    assert page.status_code == 200, page.text
    notice = re.findall(r'name="notice" value="([^"]+)"', page.text)[0]
    form = {"form_token": stamp, "notice": notice, "age": "yes", **ticked}
    return browser.post(f"/portal/accounts/{moved['id']}/notice", data=form)


# The way in ------------------------------------------------------------------------------------------


def test_an_adopted_connection_hands_out_and_imports_and_pushes_nothing_before_its_person_has_looked(
    movers: Movers,
) -> None:
    moved = movers.moved(movers.granted())
    assert (moved["outcome"], moved["verified"], moved["confirmed"], moved["state"]) == (
        "adopted",
        True,
        False,
        "active",
    )
    assert token_of(movers, moved["id"]).status_code == 200
    assert token_of(movers, moved["id"], "account").json["clause"] == "4"
    refused = token_of(movers, moved["id"], "sync")
    assert (refused.status_code, refused.json["clause"]) == (403, "3a")
    refused = import_of(movers, moved["id"])
    assert (refused.status_code, refused.json["clause"]) == (403, "0")
    assert movers.town.how_many("consents", "imports", "records") == {"consents": 0, "imports": 0, "records": 0}


def test_the_person_sees_who_moved_it_in_and_opens_what_they_tick(movers: Movers) -> None:
    town = movers.town
    moved = movers.moved(movers.granted("ada", "openid", "profile", "email", "contacts", "profile:write"))
    browser, _ = own_pages(town, moved["user"])
    page = browser.get(f"/portal/accounts/{moved['id']}").text
    assert "Not yet confirmed by you" in page
    assert "Moved in by mover on" in page
    assert browser.get(f"/portal/accounts/{moved['id']}/push/name").status_code == 409
    assert confirmed(town, moved, **{"import:profile": "yes", "push:name": "yes"}).status_code == 303
    chosen = {(row["direction"], row["field_group"]): row["choice"] for row in town.rows("consents")}
    assert chosen == {("import", "profile"): "given", ("push", "name"): "given"}
    while import_step(town.gateway):
        pass
    assert town.how_many("records")["records"] > 0
    assert token_of(movers, moved["id"], "sync").status_code == 200
    assert "Not yet confirmed" not in browser.get(f"/portal/accounts/{moved['id']}").text
    assert browser.get(f"/portal/accounts/{moved['id']}/notice").status_code == 409
    kinds = [kind for kind in ("connection_adopted", "adoption_confirmed") if town.entries(kind)]
    assert kinds == ["connection_adopted", "adoption_confirmed"]


def test_whoever_ticks_nothing_has_confirmed_and_opened_nothing(movers: Movers) -> None:
    moved = movers.moved(movers.granted())
    assert confirmed(movers.town, moved).status_code == 303
    assert movers.town.how_many("consents", "imports") == {"consents": 0, "imports": 0}
    assert token_of(movers, moved["id"]).status_code == 200


def test_a_child_that_says_so_ends_everything(movers: Movers) -> None:
    moved = movers.moved(movers.granted())
    assert confirmed(movers.town, moved, age="no").status_code == 303
    assert token_of(movers, moved["id"]).status_code in {403, 410}
    assert [row["reason"] for row in movers.town.rows("revocations")] == ["under_age"]


def test_signing_in_later_finds_the_same_person_and_opens_the_import(movers: Movers) -> None:
    town = movers.town
    moved = movers.moved(movers.granted())
    signed_in = town.sign_up("ada")
    assert signed_in["claims"]["sub"] == moved["user"]
    assert signed_in["connection"] == moved["id"]
    assert town.how_many("users", "connections") == {"users": 1, "connections": 1}
    assert import_of(movers, moved["id"]).status_code == 202
    assert token_of(movers, moved["id"], "sync").status_code == 200


def test_a_pushed_reauthorisation_shows_the_notice_and_confirms(movers: Movers) -> None:
    town = movers.town
    moved = movers.moved(movers.granted())
    started, query = town.pushed(connection=moved["id"], scope="openid")
    town.finished(town.to_app(town.browser(), query), started)
    assert movers.town.entries("adoption_confirmed") == [
        entry for entry in town.entries("adoption_confirmed") if entry["method"] == "page"
    ]
    assert import_of(movers, moved["id"]).status_code == 202


def test_an_account_is_added_to_the_user_that_the_app_names(movers: Movers) -> None:
    sub = movers.town.sign_up("bob")["claims"]["sub"]
    assert movers.moved({**movers.granted("ada"), "user": sub})["user"] == sub
    assert movers.town.how_many("users")["users"] == 1


def test_an_adopted_connection_is_refreshed_like_any_other(movers: Movers, clock: ManualClock) -> None:
    line = movers.granted()
    moved = movers.moved(line)
    clock.advance(3600)
    answer = token_of(movers, moved["id"])
    assert answer.status_code == 200, answer.text
    assert answer.json["access_token"] != line["access_token"]
    assert movers.provider.live_access(answer.json["access_token"]) is not None


def test_a_token_whose_end_nobody_names_is_refreshed_at_its_first_use(movers: Movers) -> None:
    line = movers.granted()
    del line["expires_at"], line["obtained_at"]
    assert token_of(movers, movers.moved(line)["id"]).json["access_token"] != line["access_token"]


# Again -----------------------------------------------------------------------------------------------


def test_the_same_tokens_again_change_nothing(movers: Movers) -> None:
    line = movers.granted()
    first = movers.moved(line)
    before, entered = movers.town.rows("connections"), movers.town.rows("ledger_entries")
    again = movers.moved(line, 200)
    assert (again["outcome"], again["id"]) == ("unchanged", first["id"])
    assert movers.town.rows("connections") == before
    new = movers.town.rows("ledger_entries")[len(entered) :]
    assert [entry["kind"] for entry in new] == ["provider_request"]  # it was asked whose the tokens are, and no more


def test_older_tokens_never_replace_newer_ones_and_newer_ones_replace_older(movers: Movers, clock: ManualClock) -> None:
    old = movers.granted()
    clock.advance(100)
    new = movers.granted()
    first = movers.moved(old)
    assert movers.moved(new, 200)["outcome"] == "renewed"
    assert movers.moved(old, 200)["outcome"] == "kept"
    undated = {name: value for name, value in movers.granted().items() if name != "obtained_at"}
    assert movers.moved(undated, 200)["outcome"] == "kept"
    assert token_of(movers, first["id"]).json["access_token"] == new["access_token"]


def test_what_the_gateway_refreshed_is_newer_than_what_the_old_system_holds(movers: Movers, clock: ManualClock) -> None:
    line = movers.granted()
    moved = movers.moved(line)
    clock.advance(3600)
    ours = token_of(movers, moved["id"]).json["access_token"]
    assert (
        movers.moved(line | {"unsafe_skip_verification": True, "subject": movers.subject()}, 200)["outcome"] == "kept"
    )
    assert token_of(movers, moved["id"]).json["access_token"] == ours


def test_unverified_tokens_replace_none_of_a_connection_that_lives(movers: Movers, clock: ManualClock) -> None:
    movers.moved(movers.granted())
    clock.advance(100)
    newer = movers.granted() | {"unsafe_skip_verification": True, "subject": movers.subject()}
    answer = movers.post(newer)
    assert (answer.status_code, answer.json["code"]) == (409, "verify_to_replace")  # type: ignore[index]


def test_an_idempotency_key_answers_the_same_and_the_database_keeps_no_token(movers: Movers) -> None:
    line = movers.granted()
    first, again = movers.post(line, key="k1"), movers.post(line, key="k1")
    assert (first.status_code, again.status_code, first.json) == (201, 201, again.json)


# No --------------------------------------------------------------------------------------------------


def code_of(movers: Movers, line: dict[str, Any]) -> tuple[int, str]:
    answer = movers.post(line)
    return answer.status_code, answer.json["code"]  # type: ignore[index]


def test_a_token_of_another_account_is_refused(movers: Movers) -> None:
    line = movers.granted("bob") | {"subject": movers.subject("ada")}
    assert code_of(movers, line) == (409, "account_mismatch")
    assert movers.town.how_many(*NOTHING_MADE) == NOTHING_MADE


def test_twin_with_the_unsafe_switch_the_wrong_account_gets_in(movers: Movers) -> None:
    line = movers.granted("bob") | {"subject": movers.subject("ada"), "unsafe_skip_verification": True}
    assert movers.moved(line)["verified"] is False


def test_an_account_of_another_user_is_refused_and_names_nobody(movers: Movers) -> None:
    ada = movers.town.sign_up("ada")["claims"]["sub"]
    bob = movers.town.sign_up("bob")["claims"]["sub"]
    answer = movers.post({**movers.granted("ada"), "user": bob})
    assert (answer.status_code, answer.json["code"]) == (409, "account_already_linked")  # type: ignore[index]
    assert ada not in answer.text


def test_another_tenants_integration_does_not_exist(movers: Movers) -> None:
    with pytest.raises(NotFound):
        adopt.adopt(movers.town.gateway, Mover(movers.town.house.other_tenant.id), wanted_from(movers.granted()))


def test_without_its_own_scope_nobody_moves_in(movers: Movers) -> None:
    web = api_token(movers.town.app, movers.town.house.web, movers.town.house.web_secret)
    assert movers.post(movers.granted(), token=web).status_code == 403


def test_a_dead_token_is_refused_with_the_way_out(movers: Movers, clock: ManualClock) -> None:
    line = movers.granted()
    clock.advance(3601)
    assert code_of(movers, line) == (400, "token_rejected")


def test_a_provider_that_is_down_refuses_nothing_for_good(movers: Movers) -> None:
    line = movers.granted()
    movers.town.rehearsal.test_client().post(
        "/_control/faults", json=[{"endpoint": "userinfo", "kind": "status", "status": 503}]
    )
    assert movers.post(line).status_code == 503
    movers.town.rehearsal.test_client().post("/_control/faults", json=[])
    assert movers.moved(line)["outcome"] == "adopted"


def test_what_a_person_ended_is_not_begun_again_by_anybody_else(movers: Movers) -> None:
    moved = movers.moved(movers.granted())
    revoke(movers.town.gateway, movers.town.house.tenant.id, moved["id"], by=Ended.PERSON)
    assert code_of(movers, movers.granted()) == (410, "revoked")


def test_a_childs_account_is_refused_remembered_and_nothing_is_kept(movers: Movers, clock: ManualClock) -> None:
    movers.provider.profiles["ada"].fields["born"] = child_birthday(clock.now())
    line = movers.granted()
    assert code_of(movers, line) == (403, "under_age")
    assert movers.town.how_many("refused_accounts", "users") == {"refused_accounts": 1, "users": 0}
    later = line | {"unsafe_skip_verification": True, "subject": movers.subject()}
    assert code_of(movers, later) == (403, "under_age")


def test_nobody_comes_in_whose_age_nobody_stated(movers: Movers) -> None:
    movers.provider.profiles["ada"].fields["born"] = ""
    assert code_of(movers, movers.granted() | {"age_stated": False}) == (400, "age_unknown")


@pytest.mark.parametrize(
    ("change", "status"), [({"integration": "int_none"}, 404), ({"user": "usr_none"}, 404), ({"password": "x"}, 400)]
)
def test_what_is_not_there_or_not_known_is_refused(movers: Movers, change: dict[str, Any], status: int) -> None:
    line = movers.granted() | change
    answer = movers.post(line)
    assert answer.status_code == status
    assert line["access_token"] not in answer.text


LINE = {"integration": "rehearsal", "access_token": "t0ken", "scopes": ["openid"]}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"access_token": ""}, "access_token"),
        ({"access_token": "s3cret token"}, "access_token"),
        ({"refresh_token": "s3cret" * 9999}, "refresh_token"),
        ({"scopes": None}, "scopes"),
        ({"scopes": ["s3cret word"]}, "scopes"),
        ({"expires_at": 1_900_000_000_000}, "expires_at"),
        ({"expires_at": "2026-11-02T10:00:00"}, "expires_at"),
        ({"obtained_at": "s3cret"}, "obtained_at"),
        ({"age_stated": "s3cret"}, "age_stated"),
        ({"token_type": "DPoP"}, "token_type"),
        ({"password": "s3cret"}, "password"),
        ({"unsafe_skip_verification": True}, "subject"),
    ],
)
def test_what_cannot_be_taken_is_named_by_its_field_and_never_by_its_value(change: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput) as refusal:
        wanted_from(LINE | change)
    assert refusal.value.hint.startswith(field)
    assert "s3cret" not in str(refusal.value)


def test_a_wanted_connection_shows_no_token() -> None:
    assert "t0ken" not in repr(wanted_from(LINE))
