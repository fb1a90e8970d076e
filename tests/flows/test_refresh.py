"""Refresh step by step: one at a time, written down before it is sent, held until stored, sorted when it fails."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from connector import connections, tokens
from connector.connections import ambiguity, brake
from connector.flows import refresh, refresh_attempt
from connector.flows.provider_grant import grant_for, renewed_after_refusal
from connector.flows.revoke import revoke, tell_providers
from connector.model.errors import Conflict, TryLater
from connector.model.states import ConnectionState, Ended
from connector.storage.errors import DatabaseUnavailable
from providers.exchange import NetworkFailure, Response
from providers.rehearsal.server import Config
from providers.secret import Secret
from tests.connected import Linked, linked, recovered


@pytest.fixture
def town(tmp_path, store, clock) -> Linked:
    return linked(tmp_path, store, clock)


def over(town: Linked) -> None:
    town.gateway.clock.advance(301)


def forced(town: Linked, *outcomes):
    """These outcomes for the next requests to the token endpoint, instead of Rehearsal's."""
    waiting = list(outcomes)

    def before(request):
        return waiting.pop(0) if waiting and request.url.endswith("/token") else None

    town.gateway.egress.before = before


def answer(body: bytes, status: int = 200) -> Response:
    return Response(status, {"content-type": "application/json"}, body)


# Landing -------------------------------------------------------------------------------------------


def test_a_refresh_stores_both_new_tokens_under_the_next_generation(town):
    over(town)
    town.fresh()
    after = town.connection()
    assert (after.state, after.generation, after.lease_owner, after.intent_at) == (
        ConnectionState.ACTIVE,
        2,
        None,
        None,
    )
    assert town.works(town.held_grant().access_token)
    assert town.refresh_works()
    assert town.entries("refresh")[-1]["outcome"] == "landed"


def test_refresh_after_refresh_goes_on(town):
    for _ in range(4):
        over(town)
        town.fresh()
    assert town.connection().generation == 5
    assert town.provider.oracle.report()["reuse"] == []


def test_an_answer_without_a_refresh_token_keeps_the_old_one(tmp_path, store, clock):
    town = linked(tmp_path, store, clock, config=Config(rotation="none"))
    before = town.held_grant().refresh_token
    over(town)
    town.fresh()
    assert town.held_grant().refresh_token == before
    over(town)
    assert town.works(town.fresh().access_token)


def test_a_refresh_token_that_was_replaced_long_ago_never_comes_back(town):
    first = town.held_grant().refresh_token
    over(town)
    town.fresh()
    held = town.held_grant().refresh_token
    over(town)
    forced(
        town,
        answer(
            b'{"access_token":"a","token_type":"Bearer","expires_in":300,"refresh_token":"%b"}'
            % first.reveal().encode()
        ),
    )
    town.fresh()
    assert town.held_grant().refresh_token == held


@pytest.mark.parametrize(
    ("expires_in", "lifetime_s"),
    [(b"-1", 300), (b"0", 300), (b"1e18", 300), (b'"3600"', 3600), (b"null", 300), (b"{}", 300)],
)
def test_an_absurd_lifetime_is_brought_to_sense(town, expires_in, lifetime_s):
    over(town)
    forced(town, answer(b'{"access_token":"a","token_type":"Bearer","refresh_token":"r","expires_in":%b}' % expires_in))
    assert town.fresh().expires_in_s == lifetime_s


def test_scopes_that_the_provider_narrowed_are_believed(town):
    over(town)
    forced(
        town,
        answer(
            b'{"access_token":"a","token_type":"Bearer","refresh_token":"r","expires_in":300,"scope":"openid profile"}'
        ),
    )
    assert town.fresh().scopes == ("openid", "profile")


# One at a time -------------------------------------------------------------------------------------


def test_a_thousand_callers_of_one_expired_connection_are_one_call_to_the_provider(tmp_path, sqlite_store, clock):
    town = linked(tmp_path, sqlite_store, clock)
    over(town)
    begin = threading.Barrier(50)
    got: list[str] = []

    def ask():
        begin.wait()
        got.extend(town.fresh().access_token.reveal() for _ in range(20))

    threads = [threading.Thread(target=ask) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1000
    assert set(got) == {town.held_grant().access_token.reveal()}
    assert (town.uses(), town.most_at_once()) == (1, 1)


def test_two_gateways_on_one_database_are_one_call_to_the_provider(town, open_another, clock):
    over(town)
    second = replace(
        town.gateway,
        store=open_another(clock),
        flights=tokens.Flights(),
        worker_id="wrk_second",
    )
    inside, go_on = threading.Event(), threading.Event()

    def before(request):
        if request.url.endswith("/token"):
            inside.set()
            go_on.wait(5)

    town.gateway.egress.before = before
    got: list[str] = []
    first = threading.Thread(target=lambda: got.append(town.fresh().access_token.reveal()))
    first.start()
    assert inside.wait(5)
    other = threading.Thread(target=lambda: got.append(town.fresh(gateway=second).access_token.reveal()))
    other.start()
    go_on.set()
    first.join()
    other.join()
    assert len(set(got)) == 1
    assert town.uses() == 1


def test_who_saw_the_old_tokens_does_not_refresh_those_that_came_since(town):
    over(town)
    seen = town.connection()
    town.fresh()
    refresh.refresh_now(town.gateway, seen)
    assert town.uses() == 1


def test_a_caller_who_waits_too_long_is_told_to_come_back_while_the_flight_goes_on(town, monkeypatch):
    over(town)
    monkeypatch.setattr(refresh, "WAIT_S", 0.05)
    go_on = threading.Event()
    town.gateway.egress.before = lambda request: go_on.wait(5) and None
    with pytest.raises(TryLater, match="refresh_under_way"):
        town.fresh()
    go_on.set()
    assert town.gateway.flights.landed(5)
    assert town.connection().generation == 2


# Intent before the call, hold after it -------------------------------------------------------------


class Failing:
    """A store whose transactions fail while `away` is set."""

    def __init__(self, store):
        self._store = store
        self.away = 0

    def __getattr__(self, name):
        return getattr(self._store, name)

    def transaction(self):
        if self.away > 0:
            self.away -= 1
            raise DatabaseUnavailable("attempt to write a readonly database")
        return self._store.transaction()


def test_without_a_durable_intent_nothing_is_sent(town):
    over(town)
    failing = Failing(town.store)
    failing.away = 1_000
    with pytest.raises(TryLater):
        town.fresh(gateway=replace(town.gateway, store=failing))
    assert town.uses() == 0
    assert town.gateway.egress.requests == []


def test_an_answer_is_held_while_the_database_is_away_and_stored_afterwards(town):
    over(town)
    failing = Failing(town.store)
    seen: list[int] = []

    def before(request):
        if request.url.endswith("/token"):
            failing.away = 5

    town.gateway.egress.before = before
    real_sleep = town.gateway.clock.sleep

    class Watching:
        def __getattr__(self, name):
            return getattr(town.gateway.clock, name)

        def sleep(self, seconds):
            seen.append(town.gateway.flights.held)
            real_sleep(seconds)

    handed = town.fresh(gateway=replace(town.gateway, store=failing, clock=Watching()))
    assert seen == [1, 1, 1, 1, 1]
    assert town.gateway.flights.held == 0
    assert town.works(handed.access_token)
    assert town.refresh_works()


def test_an_answer_is_held_whatever_the_reason_is(town, monkeypatch):
    over(town)
    honest = connections.reland
    failures = [RuntimeError("no one thought of this")] * 3

    def reland(*given, **named):
        if failures:
            raise failures.pop()
        return honest(*given, **named)

    monkeypatch.setattr(connections, "reland", reland)
    town.fresh()
    assert failures == []
    assert town.refresh_works()


# Late answers --------------------------------------------------------------------------------------


def during_the_call(town, act):
    """Run `act` after the provider was asked and before its answer is stored."""
    honest = town.gateway.egress._outcome

    def outcome(request):
        given = honest(request)
        if request.url.endswith("/token"):
            act()
        return given

    town.gateway.egress._outcome = outcome


def orphans(town) -> int:
    with town.store.read() as tx:
        return tx.one("SELECT COUNT(*) AS n FROM orphan_tokens")["n"]


def test_an_answer_that_comes_after_the_revocation_becomes_an_orphan_and_is_revoked_too(town, clock):
    over(town)
    during_the_call(town, lambda: revoke(town.gateway, town.house.tenant.id, town.connection_id, by=Ended.PERSON))
    from connector.model.errors import Gone  # noqa: PLC0415  only here

    with pytest.raises(Gone):
        town.fresh()
    assert orphans(town) == 1
    clock.advance(60)
    assert tell_providers(town.gateway) == 1
    assert town.provider.live_tokens() == []


def test_an_answer_that_comes_after_the_keys_are_gone_is_handed_back_at_once(town, clock):
    over(town)

    def revoked_and_shredded():
        revoke(town.gateway, town.house.tenant.id, town.connection_id, by=Ended.PERSON)
        with town.store.transaction() as tx:
            town.gateway.vault.destroy(tx, town.connection().token_owner)
            tokens.drop(tx, town.connection_id)

    during_the_call(town, revoked_and_shredded)
    with pytest.raises(Exception, match="revoked"):
        town.fresh()
    assert orphans(town) == 0
    assert town.provider.live_tokens() == []


def test_an_answer_lands_late_where_whoever_took_over_gave_up(town, clock):
    """A process was frozen past its lease; its answer is the only one that works, so it is not thrown away."""
    over(town)
    second = replace(town.gateway, flights=tokens.Flights(), worker_id="wrk_second")

    def taken_over():
        clock.advance(refresh.LEASE_MS / 1000 + 1)
        forced(town, NetworkFailure("maybe", "deadline"))
        recovered(second, frozenset())

    during_the_call(town, once(taken_over))
    handed = town.fresh()
    assert town.works(handed.access_token)
    assert town.refresh_works()
    assert orphans(town) == 0


def once(act):
    done: list[bool] = []

    def run():
        if not done:
            done.append(True)
            act()

    return run


def test_an_answer_that_comes_after_a_newer_one_overwrites_nothing(tmp_path, store, clock):
    town = linked(tmp_path, store, clock, config=Config(rotation="grace", grace_s=60))
    over(town)
    second = replace(town.gateway, flights=tokens.Flights(), worker_id="wrk_second")

    def refreshed_by_another():
        with store.transaction() as tx:  # as recovery does once a provider's grace is in its catalogue entry
            found = connections.find_for_update(tx, town.gateway.vault, town.connection_id)
            connections.move(tx, town.gateway.vault, found, ConnectionState.ACTIVE, take_over=True)
        refresh.refresh_now(second, town.connection())

    during_the_call(town, once(refreshed_by_another))
    town.fresh()
    assert town.connection().generation == 2
    assert orphans(town) == 1
    assert town.refresh_works()


# How failures are sorted ---------------------------------------------------------------------------

REFUSED = answer(b'{"error":"invalid_grant"}', 400)


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (answer(b'{"error":"invalid_client"}', 401), "misconfigured"),
        (answer(b'{"error":"invalid_scope"}', 400), "refused"),
        (answer(b'{"error":"slow_down"}', 429), "try_later"),
        (answer(b'{"error":"temporarily_unavailable"}', 503), "try_later"),
        (answer(b"<html>Bad gateway</html>", 502), "ambiguous"),
        (answer(b"\x00<not json>"), "ambiguous"),
        (answer(b"{}"), "ambiguous"),
        (answer(b'{"access_token":7,"token_type":"Bearer"}'), "ambiguous"),
        (NetworkFailure("no", "connect_failed"), "try_later"),
        (NetworkFailure("maybe", "deadline"), "ambiguous"),
        (NetworkFailure("maybe", "broken_answer"), "ambiguous"),
        (answer(b"no", 418), "try_later"),
    ],
)
def test_nothing_but_the_providers_own_word_ends_a_grant(town, outcome, reason):
    town.gateway.clock.advance(250)
    forced(town, outcome)
    assert town.fresh().stale
    after = town.connection()
    assert (after.state, after.reason) == (ConnectionState.ACTIVE, reason)
    assert after.next_attempt_at > town.gateway.clock.now()
    assert after.generation == 1


def test_a_grant_that_the_provider_ended_needs_the_person(town):
    over(town)
    town.provider.end_grants()
    with pytest.raises(Conflict, match="needs_reauth"):
        town.fresh()
    after = town.connection()
    assert (after.state, after.reason) == (ConnectionState.NEEDS_REAUTH, "grant_invalid")


def test_a_provider_that_says_when_to_come_back_is_not_asked_before(town, clock):
    over(town)
    town.faults({"kind": "rate_limit", "retry_after_s": 120})
    with pytest.raises(TryLater) as first:
        town.fresh()
    assert first.value.retry_after_s >= 120
    asked = len(town.gateway.egress.asked("/token"))
    clock.advance(60)
    town.faults()
    with pytest.raises(TryLater) as second:
        town.fresh()
    assert second.value.retry_after_s >= 60
    assert len(town.gateway.egress.asked("/token")) == asked
    clock.advance(61)
    assert town.works(town.fresh().access_token)


def test_after_an_outage_an_expired_connection_comes_back_by_itself(town, clock):
    over(town)
    town.faults({"kind": "status", "status": 503})
    with pytest.raises(TryLater):
        town.fresh()
    assert town.connection().state is ConnectionState.EXPIRED
    town.faults()
    clock.advance(refresh_attempt.LONGEST_WHILE_WANTED_MS / 1000 + 1)
    assert refresh.due(town.gateway) == 1
    assert town.connection().state is ConnectionState.ACTIVE


def test_a_wrong_registration_is_told_apart_from_people_who_left(town):
    over(town)
    forced(town, answer(b'{"error":"invalid_client"}', 401))
    with pytest.raises(TryLater):
        town.fresh()
    town.gateway.clock.advance(31)
    forced(town, REFUSED)
    with pytest.raises(TryLater):  # the brake: what follows a wrong secret proves nothing about a person
        town.fresh()
    assert town.connection().state is not ConnectionState.NEEDS_REAUTH


def test_when_everybodys_grant_fails_at_once_the_brake_keeps_most_of_them(town, clock):
    made = [town.connection_id, *(town.connect(f"person-{number}") for number in range(brake.ENOUGH + 10))]
    over(town)
    town.faults({"kind": "status", "status": 400, "body": {"error": "invalid_grant"}})
    for one in made:
        with pytest.raises((Conflict, TryLater)):
            town.fresh(one)
    lost = [one for one in made if town.connection(one).state is ConnectionState.NEEDS_REAUTH]
    assert len(lost) < brake.ENOUGH
    town.faults()
    clock.advance(31)
    for one in set(made) - set(lost):
        assert town.works(town.fresh(one).access_token)


def test_twin_without_the_brake_everybody_is_lost(town, monkeypatch):
    monkeypatch.setattr(connections, "braked", lambda _tx, _integration: False)
    made = [town.connection_id, *(town.connect(f"person-{number}") for number in range(brake.ENOUGH + 10))]
    over(town)
    town.faults({"kind": "status", "status": 400, "body": {"error": "invalid_grant"}})
    for one in made:
        with pytest.raises(Conflict):
            town.fresh(one)


# Unknown outcomes ----------------------------------------------------------------------------------


def processed_but_unheard(town):
    """The provider does it, and the answer is lost on the way: once."""
    honest = town.gateway.egress._outcome

    def outcome(request):
        given = honest(request)
        if request.url.endswith("/token"):
            town.gateway.egress._outcome = honest
            return NetworkFailure("maybe", "broken_answer")
        return given

    town.gateway.egress._outcome = outcome


def test_a_strict_provider_is_not_probed_while_the_current_token_lives(town, clock):
    clock.advance(250)
    processed_but_unheard(town)
    handed = town.fresh()
    assert handed.stale
    assert town.works(handed.access_token)
    clock.advance(20)
    assert town.fresh().stale
    assert refresh.due(town.gateway) == 0
    assert town.uses() == 1


def test_a_strict_provider_is_probed_once_when_nothing_is_left_to_lose(town, clock):
    clock.advance(250)
    processed_but_unheard(town)
    town.fresh()
    clock.advance(51)
    with pytest.raises(Conflict, match="needs_reauth"):
        town.fresh()
    assert town.connection().reason == "refresh_lost"
    assert town.uses() == 2


def test_a_request_that_never_arrived_loses_nothing_at_a_strict_provider(town, clock):
    clock.advance(250)
    forced(town, NetworkFailure("maybe", "deadline"))
    assert town.fresh().stale
    clock.advance(51)
    assert town.works(town.fresh().access_token)


@pytest.fixture
def graceful(tmp_path, store, clock, monkeypatch) -> Linked:
    """A provider that forgives a repeated use for half a minute, and says so in its catalogue entry."""
    town = linked(tmp_path, store, clock, config=Config(rotation="grace", grace_s=30))
    honest = refresh_attempt.integrated

    def with_grace(*asked):
        whole = honest(*asked)
        facts = replace(whole.entry.refresh, grace_s=30)
        return replace(whole, entry=replace(whole.entry, refresh=facts))

    monkeypatch.setattr(refresh_attempt, "integrated", with_grace)
    return town


def test_a_provider_with_a_grace_is_asked_again_within_it(graceful, clock):
    clock.advance(250)
    processed_but_unheard(graceful)
    assert graceful.fresh().stale
    clock.advance(1)
    assert refresh.due(graceful.gateway) == 1
    assert graceful.works(graceful.fresh().access_token)
    assert graceful.refresh_works()


def test_past_the_grace_the_last_probe_waits_for_the_end_of_the_token(graceful, clock):
    clock.advance(250)
    processed_but_unheard(graceful)
    graceful.fresh()
    clock.advance(1)
    forced(graceful, NetworkFailure("maybe", "deadline"))
    refresh.due(graceful.gateway)
    clock.advance(35)
    forced(graceful, NetworkFailure("maybe", "deadline"))
    refresh.due(graceful.gateway)
    after = graceful.connection()
    assert after.next_attempt_at == after.expires_at


def test_a_provider_that_does_not_rotate_is_simply_asked_again(tmp_path, store, clock, monkeypatch):
    town = linked(tmp_path, store, clock, config=Config(rotation="none"))
    honest = refresh_attempt.integrated

    def reusable(*asked):
        whole = honest(*asked)
        return replace(whole, entry=replace(whole.entry, refresh=replace(whole.entry.refresh, model="reusable")))

    monkeypatch.setattr(refresh_attempt, "integrated", reusable)
    clock.advance(250)
    processed_but_unheard(town)
    town.fresh()
    clock.advance(1)
    assert not town.fresh().stale


# In the background ---------------------------------------------------------------------------------


def test_a_connection_is_refreshed_before_its_token_ends(town, clock):
    clock.advance(200)
    assert refresh.due(town.gateway) == 0
    clock.advance(45)
    assert refresh.due(town.gateway) == 1
    assert town.connection().generation == 2
    assert refresh.due(town.gateway) == 0


def test_two_workers_with_the_same_list_refresh_each_connection_once(town, clock):
    clock.advance(250)
    second = replace(town.gateway, flights=tokens.Flights(), worker_id="wrk_second")
    assert refresh.due(town.gateway) == 1
    [(_, flight)] = refresh._start(second, [town.connection_id], frozenset())  # read before the first one claimed it
    assert not flight.result(30)
    assert town.uses() == 1


def test_one_damaged_row_does_not_keep_the_others_waiting(town, clock):
    others = [town.connect(f"person-{number}") for number in range(3)]
    with town.store.transaction() as tx:
        tx.run("UPDATE connections SET issuer = 'https://elsewhere.test' WHERE id = :id", id=town.connection_id)
    clock.advance(250)
    refresh.due(town.gateway)
    assert [town.connection(one).generation for one in others] == [2, 2, 2]
    assert refresh.due(town.gateway) == 0


def test_a_full_bulkhead_gives_the_claim_back(town, clock):
    clock.advance(250)

    class Full:
        def drive(self, *_, **__):
            raise TryLater("Too many calls are under way.", retry_after_s=1, code="bulkhead_full")

    refresh.due(replace(town.gateway, egress=Full()))
    assert town.connection().state is ConnectionState.ACTIVE
    clock.advance(2)
    assert refresh.due(town.gateway) == 1
    assert town.connection().generation == 2


def test_an_integration_that_is_gone_gives_the_claim_back(town, clock):
    with town.store.transaction() as tx:
        tx.run("UPDATE integrations SET removed_at = 1")
    clock.advance(250)
    refresh.due(town.gateway)
    assert town.connection().state is ConnectionState.ACTIVE
    assert town.uses() == 0


# Taking over ---------------------------------------------------------------------------------------


def claimed_by(town, worker):
    with town.store.transaction() as tx:
        claim = connections.claim_refresh(
            tx, town.gateway.vault, town.connection_id, worker=worker, lease_ms=refresh.LEASE_MS, seen_generation=1
        )
    assert claim is not None
    return claim


def test_what_a_dead_process_held_is_taken_over_at_once_and_treated_as_unknown(town, clock):
    clock.advance(250)
    claimed_by(town, "wrk_dead")
    assert recovered(town.gateway, frozenset({"wrk_dead"})) == 1
    after = town.connection()
    assert (after.state, after.reason) == (ConnectionState.ACTIVE, "ambiguous")
    assert after.next_attempt_at == after.expires_at
    assert town.uses() == 0


def test_a_refresh_is_sent_as_soon_after_its_intent_as_the_policy_for_unknown_outcomes_takes_for_granted():
    assert refresh.LEASE_MS - refresh_attempt.DEADLINE_S * 1000 == ambiguity.SENT_WITHIN_MS


def test_what_a_living_process_holds_is_left_until_its_lease_is_over(town, clock):
    clock.advance(250)
    claimed_by(town, "wrk_slow")
    assert recovered(town.gateway, frozenset({"wrk_dead"})) == 0
    clock.advance(16)
    assert recovered(town.gateway, frozenset()) == 1


def test_many_claims_of_the_living_do_not_hide_one_of_the_dead(town, clock):
    clock.advance(250)
    others = [town.connect(f"person-{number}") for number in range(5)]
    for one in others:
        with town.store.transaction() as tx:
            connections.claim_refresh(tx, town.gateway.vault, one, worker="wrk_alive", lease_ms=1, seen_generation=1)
    claimed_by(town, "wrk_dead")
    with town.store.read() as tx:
        found = connections.abandoned_claims(tx, dead_owners=frozenset({"wrk_dead"}), limit=1)
    assert found == [town.connection_id]


# Going down ----------------------------------------------------------------------------------------


def test_a_process_that_goes_down_starts_no_refresh(town, clock):
    over(town)
    town.gateway.flights.drain()
    with pytest.raises(TryLater, match="draining"):
        town.fresh()
    assert refresh.due(town.gateway) == 0
    assert town.uses() == 0


# Our own workers' grants ---------------------------------------------------------------------------


def test_work_at_the_provider_gets_a_grant_that_lasts_for_it(town, clock):
    clock.advance(200)
    found = grant_for(town.gateway, town.house.tenant.id, town.connection_id)
    assert town.works(found.grant.access_token)
    assert found.connection.generation == 2


def test_a_token_that_the_provider_refuses_is_refreshed_once_by_generation(town, clock):
    clock.advance(100)
    refused = grant_for(town.gateway, town.house.tenant.id, town.connection_id)
    renewed = renewed_after_refusal(town.gateway, refused)
    assert renewed.connection.generation == 2
    assert renewed_after_refusal(town.gateway, refused).connection.generation == 2
    with pytest.raises(TryLater):
        renewed_after_refusal(town.gateway, renewed)
    assert town.uses() == 1


def test_a_secret_never_stands_in_what_was_logged(town, capsys):
    over(town)
    before = town.held_grant()
    town.fresh()
    said = capsys.readouterr()
    for secret in (before.access_token, before.refresh_token, town.held_grant().refresh_token):
        assert isinstance(secret, Secret)
        assert secret.reveal() not in said.out + said.err
