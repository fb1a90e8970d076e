"""What a clock that is set does to refreshes: no stampede, no claim taken from the living, nobody left waiting."""

from __future__ import annotations

import pytest

from connector.flows import refresh
from connector.model.states import ConnectionState
from connector.work import dead_owners, open_liveness, register
from tests.connected import Linked, linked, recovered

HOUR_MS = 3_600_000


@pytest.fixture
def town(tmp_path, store, clock) -> Linked:
    return linked(tmp_path, store, clock)


def test_after_a_jump_nothing_is_refreshed_for_one_lease_and_then_all_of_it(town, clock):
    made = [town.connection_id, *(town.connect(f"person-{number}") for number in range(5))]
    clock.set_wall(clock.now() + HOUR_MS)
    assert refresh.due(town.gateway) == 0
    assert town.uses() == 0
    clock.advance(16)
    assert refresh.due(town.gateway) == len(made)


def test_who_waits_for_a_token_is_served_all_the_same(town, clock):
    clock.set_wall(clock.now() + HOUR_MS)
    assert town.works(town.fresh().access_token)


def claimed(town, clock):
    """A refresh under way in another process that lives."""
    from connector import connections  # noqa: PLC0415  only here

    with town.store.transaction() as tx:
        return connections.claim_refresh(
            tx, town.gateway.vault, town.connection_id, worker="wrk_other", lease_ms=15_000, seen_generation=1
        )


def test_a_claim_of_the_living_is_not_taken_over_because_the_clock_went_forward(town, clock):
    claimed(town, clock)
    clock.set_wall(clock.now() + HOUR_MS)
    assert recovered(town.gateway, frozenset()) == 0
    assert town.connection().lease_owner == "wrk_other"
    assert town.uses() == 0


def test_twin_without_the_watch_it_is(town, clock, monkeypatch):
    claimed(town, clock)
    clock.set_wall(clock.now() + HOUR_MS)
    monkeypatch.setattr(type(town.gateway.watch), "jumped", False)
    assert recovered(town.gateway, frozenset()) == 1
    assert town.connection().state is not ConnectionState.REFRESHING


def test_a_claim_of_the_dead_is_taken_over_all_the_same(town, clock):
    claimed(town, clock)
    clock.set_wall(clock.now() + HOUR_MS)
    assert recovered(town.gateway, frozenset({"wrk_other"})) == 1


def test_the_dead_are_known_though_the_clock_went_back(town, clock, store):
    with store.transaction() as tx:
        register(tx, "wrk_dead", "worker", "host", 1)
    clock.set_wall(clock.now() - HOUR_MS)
    liveness = open_liveness(store, "wrk_me")
    with store.read() as tx:
        dead_owners(tx, liveness)  # on PostgreSQL a sign that is missing once may be back at the next look
        clock.advance(1)
        assert dead_owners(tx, liveness) == {"wrk_dead"}
