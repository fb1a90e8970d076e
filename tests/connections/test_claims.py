"""One refresh at a time: claimed before it is sent, taken over when its owner died, fenced when it lands."""

from __future__ import annotations

import pytest

from connector import connections
from connector.connections import after_ambiguous, backoff_ms
from connector.model.states import ConnectionState

LEASE_MS = 15_000


@pytest.fixture
def established(store, vault, new, landed, clock):
    with store.transaction() as tx:
        return connections.establish(tx, vault, new(), landed(), now=clock.now())


def claim(store, vault, worker="wrk_a", **how):
    """A claim by who found the first tokens too old."""
    given = {"seen_generation": 1, **how}
    with store.transaction() as tx:
        return connections.claim_refresh(tx, vault, "con_a", worker=worker, lease_ms=LEASE_MS, **given)


def test_a_claim_is_an_intent_in_the_database(established, store, vault, clock):
    claimed = claim(store, vault)
    assert claimed.connection.state is ConnectionState.REFRESHING
    assert claimed.connection.intent_at == clock.now()
    assert claimed.fence == established.fence + 1


def test_a_second_claim_gets_nothing_while_the_first_lives(established, store, vault):
    claim(store, vault)
    assert claim(store, vault, worker="wrk_b") is None


def test_a_claim_is_taken_over_once_its_lease_is_over(established, store, vault, clock):
    first = claim(store, vault)
    clock.advance(LEASE_MS / 1000 + 1)
    second = claim(store, vault, worker="wrk_b")
    assert second.taken_over
    assert second.fence == first.fence + 1


def test_a_claim_of_a_dead_worker_is_taken_over_at_once(established, store, vault):
    claim(store, vault)
    assert claim(store, vault, worker="wrk_b", dead_owners=frozenset({"wrk_a"})).taken_over


def test_the_first_intent_survives_a_takeover_because_a_grace_counts_from_it(established, store, vault, clock):
    first = claim(store, vault)
    clock.advance(1)
    second = claim(store, vault, worker="wrk_b", dead_owners=frozenset({"wrk_a"}))
    assert second.connection.intent_at == first.connection.intent_at


def test_the_old_owner_cannot_land_after_a_takeover(established, store, vault, landed, clock):
    first = claim(store, vault)
    claim(store, vault, worker="wrk_b", dead_owners=frozenset({"wrk_a"}))
    with store.transaction() as tx, pytest.raises(connections.LostClaim):
        connections.reland(tx, vault, first.connection, landed(), now=clock.now(), authorized=False, fence=first.fence)


def test_a_landing_raises_the_generation_and_gives_the_claim_back(established, store, vault, landed, clock):
    claimed = claim(store, vault)
    with store.transaction() as tx:
        after = connections.reland(
            tx, vault, claimed.connection, landed(), now=clock.now(), authorized=False, fence=claimed.fence
        )
    assert (after.state, after.generation, after.lease_owner, after.intent_at) == (
        ConnectionState.ACTIVE,
        2,
        None,
        None,
    )


def test_nothing_is_claimed_before_its_next_attempt(established, store, vault, clock):
    with store.transaction() as tx:
        connections.move(
            tx, vault, established, ConnectionState.ACTIVE, columns={"next_attempt_at": clock.now() + 60_000}
        )
    assert claim(store, vault) is None
    clock.advance(60)
    assert claim(store, vault) is not None


def test_tokens_that_came_since_are_not_claimed_by_who_saw_the_old_ones(established, store, vault):
    assert claim(store, vault, seen_generation=0) is None


def test_who_saw_no_tokens_claims_only_what_is_due(established, store, vault, clock):
    assert claim(store, vault, seen_generation=None) is None
    clock.advance(3000)
    assert claim(store, vault, seen_generation=None) is not None


def test_a_postponed_connection_keeps_its_seal(established, store, vault, clock):
    with store.transaction() as tx:
        connections.postpone(tx, "con_a", clock.now() + 5_000)
        assert connections.find(tx, vault, "ten_a", "con_a").next_attempt_at == clock.now() + 5_000


def test_claims_of_the_dead_are_listed_for_recovery(established, store, vault):
    claim(store, vault)
    with store.read() as tx:
        assert connections.abandoned_claims(tx, dead_owners=frozenset(), limit=10) == []
        assert connections.abandoned_claims(tx, dead_owners=frozenset({"wrk_a"}), limit=10) == ["con_a"]


def test_an_unknown_outcome_at_a_reusable_provider_is_tried_again_soon():
    assert after_ambiguous("reusable", grace_s=0, intent_at=0, now=1_000, expires_at=9_000) == ("retry", 1_500)


def test_an_unknown_outcome_within_the_grace_is_tried_again_within_it():
    step, at = after_ambiguous("rotating", grace_s=10, intent_at=0, now=1_000, expires_at=99_000)
    assert (step, at) == ("retry", 1_500)


@pytest.mark.parametrize(("now", "at"), [(0, 400), (390, 400), (400, 400), (401, 401), (5_500, 5_500)])
def test_a_grace_shorter_than_the_usual_pause_is_not_slept_through(now, at):
    found = after_ambiguous("rotating", grace_s=0.5, intent_at=0, now=now, expires_at=60_000)
    assert found == ("retry", at)


def test_once_the_grace_must_be_over_the_retry_comes_last():
    """It counts from the request, which leaves at most five seconds after the intent."""
    assert after_ambiguous("rotating", grace_s=0.5, intent_at=0, now=5_501, expires_at=60_000) == ("probe_last", 60_000)


def test_an_unknown_outcome_at_a_strict_provider_waits_for_the_end_of_the_token():
    assert after_ambiguous("rotating", grace_s=0, intent_at=0, now=1_000, expires_at=99_000) == ("probe_last", 99_000)


def test_backoff_grows_and_stays_bounded():
    assert backoff_ms(1, 1.0) == 5_000
    assert backoff_ms(4, 1.0) == 40_000
    assert backoff_ms(99, 1.0) == 15 * 60 * 1000
    assert backoff_ms(99, 0.0) == 1_000


def reject(store, times, outcome="rejected"):
    with store.transaction() as tx:
        for _ in range(times):
            connections.note_outcome(tx, "int_a", outcome)


def test_the_brake_is_off_while_few_are_rejected(store, vault):
    reject(store, 19)
    with store.read() as tx:
        assert not connections.braked(tx, "int_a")


def test_the_brake_is_on_when_many_are_rejected_at_once(store, vault):
    reject(store, 20)
    with store.read() as tx:
        assert connections.braked(tx, "int_a")
        assert not connections.braked(tx, "int_other")


def test_the_brake_stays_off_when_the_rejected_are_few_among_many(store, vault):
    reject(store, 20)
    reject(store, 400, "landed")
    with store.read() as tx:
        assert not connections.braked(tx, "int_a")


def test_a_wrong_client_secret_brakes_at_once_and_the_brake_ends_by_itself(store, vault, clock):
    reject(store, 1, "misconfigured")
    with store.read() as tx:
        assert connections.braked(tx, "int_a")
    clock.advance(minutes=6)
    with store.read() as tx:
        assert not connections.braked(tx, "int_a")
