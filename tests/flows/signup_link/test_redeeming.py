"""Redemption: everything is compared before the provider's code is touched, and what it gave is never dropped."""

from __future__ import annotations

from typing import Any

import pytest

from connector import connections
from connector.flows.signup_link import cleaning, landing, redeeming
from connector.model.tags import Age
from connector.storage.errors import DatabaseUnavailable
from providers.exchange import NetworkFailure, Request, Response
from tests.clock import ManualClock
from tests.gateways import basic
from tests.signing_up import NOTHING_MADE, Started, Town, answer_of


def came_back(town: Town, person: str = "ada", **query: str) -> tuple[str, Started]:
    started = town.start(**query)
    return town.to_app(town.browser(), started.query, person), started


def born(town: Town, birthday: str) -> str:
    """Somebody at Rehearsal with this birthday; the same person each time."""
    state = town.rehearsal.extensions["rehearsal"]
    state.profiles["ada"].fields["born"] = birthday
    return "ada"


def said(answer: Any) -> tuple[str, str]:
    return answer.json["error"], answer.json.get("code", "")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"code_verifier": "x" * 43}, "wrong_verifier"),
        ({"redirect_uri": "http://127.0.0.1:8070/other"}, "wrong_redirect_uri"),
        ({"link_user": "usr_somebody"}, "wrong_user"),
    ],
)
def test_what_is_wrong_burns_the_code_before_the_provider_hears_of_it(
    town: Town, fields: dict[str, str], code: str
) -> None:
    back, started = came_back(town)
    assert said(town.redeem(back, started, **fields)) == ("invalid_grant", code)
    assert said(town.redeem(back, started)) == ("invalid_grant", "code_used")
    assert town.exchanges() == 0
    assert town.how_many(*NOTHING_MADE) == NOTHING_MADE
    assert town.entries("authorization_failed")[-1]["grant_may_remain"] is True


def test_another_client_s_redemption_burns_the_code(town: Town) -> None:
    back, started = came_back(town)
    fields = {
        "grant_type": "authorization_code",
        "code": answer_of(back)["code"],
        "redirect_uri": "http://127.0.0.1:8070/callback",
        "code_verifier": started.verifier,
    }
    stolen = town.app.test_client().post(
        "/oauth/token", data=fields, headers=basic(town.house.other, town.house.other_secret)
    )
    assert said(stolen) == ("invalid_grant", "wrong_client")
    assert town.redeem(back, started).status_code == 400
    assert town.exchanges() == 0


def test_an_unknown_code_says_nothing(town: Town) -> None:
    assert said(town.redeem("http://x/?code=abc", town.start())) == ("invalid_grant", "unknown_code")


def test_a_code_used_twice_ends_our_tokens_and_never_the_connection(town: Town) -> None:
    back, started = came_back(town)
    tokens = town.finished(back, started)
    assert said(town.redeem(back, started)) == ("invalid_grant", "code_used")
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert town.app.test_client().get("/oauth/userinfo", headers=bearer).status_code == 401
    assert town.rows("connections")[0]["state"] == "active"
    assert town.exchanges() == 1


def test_a_code_used_again_while_it_is_being_redeemed_yields_no_token(town: Town) -> None:
    back, started = came_back(town)
    second: list[Any] = []

    def meanwhile(request: Request) -> None:
        if request.url.endswith("/token"):
            second.append(town.redeem(back, started))

    town.egress.before = meanwhile
    first = town.redeem(back, started)
    assert said(second[0]) == ("invalid_grant", "code_used")
    assert said(first) == ("invalid_grant", "code_used")
    assert town.exchanges() == 1
    assert town.how_many("connections", "access_tokens") == {"connections": 1, "access_tokens": 0}


def test_the_intent_is_durable_before_the_code_leaves(town: Town) -> None:
    back, started = came_back(town)
    seen: list[dict[str, Any]] = []

    def look(request: Request) -> None:
        if request.url.endswith("/token"):
            seen.extend(town.rows("authorizations"))

    town.egress.before = look
    town.finished(back, started)
    assert [(row["state"], row["redeemer"]) for row in seen] == [("redeeming", town.gateway.worker_id)]
    assert seen[0]["intent_at"] is not None


class Killed(BaseException):
    """The process is gone: nobody catches this."""


def test_a_redemption_whose_process_died_is_said_to_be_interrupted(
    town: Town, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    back, started = came_back(town)

    def die(*_: Any) -> None:
        raise Killed

    monkeypatch.setattr(redeeming.landing, "land", die)
    with pytest.raises(Killed):
        town.redeem(back, started)
    assert town.exchanges() == 1
    clock.advance(hours=1, minutes=1)
    assert cleaning.step(town.gateway)
    (entry,) = town.entries("authorization_failed")
    assert (entry["step"], entry["reason"], entry["grant_may_remain"]) == ("redeeming", "interrupted", True)
    assert town.how_many("connections", "users") == {"connections": 0, "users": 0}


def test_an_answer_is_held_until_the_database_is_back(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    back, started = came_back(town)
    real, failures = landing.land, [DatabaseUnavailable("away")] * 5

    def land(*args: Any) -> Any:
        if failures:
            assert town.gateway.flights.held == 1
            raise failures.pop()
        return real(*args)

    monkeypatch.setattr(redeeming.landing, "land", land)
    assert town.finished(back, started)["connection"]
    assert town.exchanges() == 1
    assert town.gateway.flights.held == 0


@pytest.mark.parametrize(
    "answer",
    [
        Response(400, {"content-type": "application/json"}, b'{"error":"invalid_grant"}'),
        Response(401, {"content-type": "application/json"}, b'{"error":"invalid_client"}'),
        Response(200, {"content-type": "text/html"}, b"<html>hello</html>"),
        Response(200, {"content-type": "application/json"}, b'{"access_token":"x","token_type":"mac"}'),
        Response(500, {}, b"Traceback (most recent call last): secret-in-a-trace"),
        Response(302, {"location": "https://evil.example/"}, b""),
        NetworkFailure("maybe", "timed_out"),
        NetworkFailure("no", "refused"),
    ],
)
def test_a_provider_that_gives_nothing_usable_leaves_nothing(town: Town, answer: Response | NetworkFailure) -> None:
    back, started = came_back(town)
    town.egress.before = lambda request: answer if request.url.endswith("/token") else None
    refused = town.redeem(back, started)
    assert refused.status_code == 400
    assert said(refused)[0] == "invalid_grant"
    assert "secret-in-a-trace" not in refused.text
    assert town.exchanges() == 1  # sent once, whatever came of it
    assert town.how_many(*NOTHING_MADE) == NOTHING_MADE
    assert town.rows("authorizations")[0]["state"] == "failed"


def test_an_account_of_another_user_is_not_linked_and_names_nobody(town: Town) -> None:
    ada, grace = town.sign_up("ada"), town.sign_up("grace")
    sub = ada["claims"]["sub"]
    started, query = town.pushed(link_user=sub)
    answer = town.redeem(town.to_app(town.browser(), query, "grace"), started, link_user=sub)
    assert said(answer) == ("invalid_grant", "account_already_linked")
    assert grace["claims"]["sub"] not in answer.text
    assert town.rows("revocations") == []  # the grant is shared with a live connection


def test_a_renewal_with_another_account_is_refused(town: Town) -> None:
    ada = town.sign_up("ada")
    started, query = town.pushed(connection=ada["connection"])
    answer = town.redeem(town.to_app(town.browser(), query, "stranger"), started)
    assert said(answer) == ("invalid_grant", "account_mismatch")
    assert [row["reason"] for row in town.rows("revocations")] == ["abandoned"]  # nobody else uses that grant
    assert town.how_many("users", "connections") == {"users": 1, "connections": 1}


def test_a_child_by_the_provider_s_word_is_refused_remembered_and_handed_back(town: Town) -> None:
    kid = born(town, "2020-02-29")
    back, started = came_back(town, kid)
    answer = town.redeem(back, started)
    assert said(answer) == ("invalid_grant", "under_age")
    assert answer.json["clause"] == "1"  # type: ignore[index]
    assert town.how_many(*NOTHING_MADE) == NOTHING_MADE
    assert town.how_many("refused_accounts", "orphan_tokens") == {"refused_accounts": 1, "orphan_tokens": 1}
    revocation = town.rows("revocations")[0]
    assert (revocation["reason"], revocation["state"], revocation["sub"]) == ("under_age", "queued", "")
    # Remembered: without a birthday it is refused just the same.
    born(town, "")
    assert said(town.redeem(*came_back(town, kid))) == ("invalid_grant", "under_age")


def test_an_existing_user_who_turns_out_to_be_a_child_is_closed(town: Town) -> None:
    kid = born(town, "")
    town.sign_up(kid)
    born(town, "2020-02-29")
    assert said(town.redeem(*came_back(town, kid)))[1] == "under_age"
    assert [row["age"] for row in town.rows("users")] == [Age.CHILD.value]


def test_no_refresh_token_in_a_repeated_sign_in_keeps_the_old_one(town: Town) -> None:
    town.sign_up("ada")
    state = town.rehearsal.extensions["rehearsal"]
    state.config.always_refresh = False
    town.sign_up("ada")
    row = town.rows("connection_tokens")[0]
    assert row["refresh"] is not None
    assert row["generation"] == 2
    with town.gateway.store.read() as tx:
        found = connections.find(tx, town.gateway.vault, town.house.tenant.id, row["connection_id"])
    assert found is not None
    assert found.can_refresh
