"""What a provider grants, and how it is kept and handed out: B6, B9 and B10 at the application."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Response, jsonify

from connector.clients import NewIntegration, add_integration
from connector.connections import claims
from connector.http import create_app
from connector.tokens import Flights
from providers.facebook import graph
from providers.facebook import oauth as facebook_oauth
from providers.oidc import OpenIDConnect
from providers.rehearsal.server import oauth
from providers.secret import Secret
from tests.attacks.workers import at_provider, at_worker
from tests.clock import ManualClock
from tests.signing_up import NOTHING_MADE, Town
from tests.standins import facebook

# B6: a token of another app ---------------------------------------------------------------------------------


def with_a_token_of_another_app(street: Town) -> Any:
    """Facebook answers with a token that was made for somebody else's app; what our app gets for it."""
    state = facebook.new_state()
    state.token_app_id = "999"
    standin = facebook.create_app(state)
    new = NewIntegration(
        street.house.tenant.id,
        "facebook",
        client_id=facebook.APP_ID,
        client_secret=Secret(facebook.APP_SECRET),
        settings={"base_url": "http://127.0.0.1:8096"},
    )
    with street.gateway.store.transaction() as tx:
        added = add_integration(tx, street.gateway.vault, new, development=True)
    street.egress.app = standin
    browser, started = street.browser(), street.start(integration=added.id)
    onward = urlsplit(street.submit(browser, street.page(browser, started.query)).headers["Location"])
    back = standin.test_client().get(f"{onward.path}?{onward.query}").headers["Location"]
    return street.redeem(street.follow(browser, back).headers["Location"], started)


def test_b6_a_token_that_was_made_for_another_app_signs_nobody_in(street: Town) -> None:
    assert with_a_token_of_another_app(street).json["code"] == "provider_mismatch"
    assert street.how_many(*NOTHING_MADE) == NOTHING_MADE


def test_b6_twin_without_asking_for_which_app_it_was_made_it_signs_in(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    def incurious(registration: Any, token: Secret) -> Any:
        named = [("input_token", token.reveal())]
        seen = yield from graph.read_hidden(registration, graph.app_token(registration), "debug_token", named)
        return facebook_oauth._inspection(seen["data"])

    monkeypatch.setattr(facebook_oauth, "inspect", incurious)
    assert with_a_token_of_another_app(street).status_code == 200


# B9: refresh tokens -----------------------------------------------------------------------------------------


def test_b9_workers_that_come_at_once_are_one_refresh_at_the_provider(street: Town, clock: ManualClock) -> None:
    connection = street.sign_up("ada")["connection"]
    clock.advance(hours=2)
    with ThreadPoolExecutor(4) as workers:
        answers = list(workers.map(lambda _number: at_worker(street, connection), range(4)))
    assert [one.status_code for one in answers] == [200] * 4
    assert len({one.json["access_token"] for one in answers}) == 1
    assert sum(b"grant_type=refresh_token" in (one.body or b"") for one in street.egress.asked("/token")) == 1


def met_on_the_way(street: Town, connection: str) -> list[int]:
    """The answers to two workers of two processes: the second comes while the first one's request is on its way."""
    other = create_app(replace(street.gateway, flights=Flights(), worker_id="wrk_other"))
    answers: list[int] = []

    def meanwhile(_request: Any) -> None:
        street.egress.before = lambda _request: None
        answers.append(at_worker(street, connection, other).status_code)

    street.egress.before = meanwhile
    answers.append(at_worker(street, connection).status_code)
    return answers


def test_b9_a_refresh_that_another_process_has_begun_is_not_begun_again(street: Town, clock: ManualClock) -> None:
    connection = street.sign_up("ada")["connection"]
    clock.advance(hours=2)
    assert met_on_the_way(street, connection) == [503, 200]  # the second is told to come back
    assert at_provider(street, at_worker(street, connection)) == 200


def test_b9_twin_without_the_claim_the_token_is_used_twice_and_the_provider_ends_the_grant(
    street: Town, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "_may_claim", lambda *_args, **_parts: True)
    connection = street.sign_up("ada")["connection"]
    clock.advance(hours=2)
    met_on_the_way(street, connection)
    assert at_provider(street, at_worker(street, connection)) == 401


# B10: tokens that are bound to a key ------------------------------------------------------------------------


def handed_out(street: Town, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The provider binds its token to a key and says so; what a worker gets of it."""
    honest = oauth._tokens

    def bound(*args: Any, **parts: Any) -> Response:
        answer: Response = honest(*args, **parts)
        return jsonify({**(answer.json or {}), "token_type": "DPoP"})

    monkeypatch.setattr(oauth, "_tokens", bound)
    started = street.start()
    answer = street.redeem(street.to_app(street.browser(), started.query), started)
    return at_worker(street, (answer.json or {}).get("connection", "none"))


def test_b10_a_token_that_is_bound_to_a_key_is_never_handed_out_bare(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "access_token" not in handed_out(street, monkeypatch).text
    assert street.how_many("connection_tokens") == {"connection_tokens": 0}


def test_b10_twin_where_the_type_is_not_read_a_worker_gets_it_as_a_bearer_token(
    street: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        OpenIDConnect, "read_answer", lambda _self, response: response.json() | {"token_type": "Bearer"}
    )
    assert handed_out(street, monkeypatch).json["token_type"] == "Bearer"
