"""Many refreshes claimed in one commit: each as if it had been claimed alone."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from connector import connections
from connector.model.states import ConnectionState
from tests.unguarded import unguarded

LEASE_MS = 15_000
IDS = ["con_c", "con_a", "con_b"]


@pytest.fixture
def due(store, vault, new, landed, clock):
    """Three connections whose refresh is due."""
    with store.transaction() as tx:
        for one in IDS:
            connections.establish(tx, vault, new(one), landed(), now=clock.now())
    clock.advance(3000)


def claim(store, vault, ids=IDS, worker="wrk_a", **how):
    with store.transaction() as tx:
        return connections.claim_refreshes(tx, vault, ids, worker=worker, lease_ms=LEASE_MS, **how)


def read(store, vault, one):
    with store.read() as tx:
        return connections.find(tx, vault, "ten_a", one)


def test_all_that_is_due_is_claimed_in_the_order_it_was_asked_for(due, store, vault):
    assert [one.connection.id for one in claim(store, vault)] == IDS
    for claimed in claim(store, vault, worker="wrk_b", dead_owners=frozenset({"wrk_a"})):
        assert claimed.taken_over
        assert read(store, vault, claimed.connection.id) == claimed.connection  # its seal holds


def test_each_is_claimed_exactly_as_one_by_itself(due, store, vault):
    many = {one.connection.id: one for one in claim(store, vault, ["con_a"])}["con_a"]
    with store.transaction() as tx:
        alone = connections.claim_refresh(tx, vault, "con_b", worker="wrk_a", lease_ms=LEASE_MS)
    assert alone is not None
    assert (many.fence, many.lease_until, many.taken_over) == (alone.fence, alone.lease_until, alone.taken_over)
    assert asdict(many.connection) == {**asdict(alone.connection), "id": "con_a"}


def test_what_is_held_done_unknown_or_not_due_is_left_out(due, store, vault, new, landed, clock):
    claim(store, vault, ["con_c"])
    with store.transaction() as tx:
        connections.establish(tx, vault, new("con_later"), landed(), now=clock.now())
    found = claim(store, vault, [*IDS, "con_later", "con_nobody"], worker="wrk_b")
    assert [one.connection.id for one in found] == ["con_a", "con_b"]
    assert claim(store, vault, []) == []


def test_a_lease_that_is_over_counts_only_where_the_clock_can_be_believed(due, store, vault, clock):
    claim(store, vault)
    clock.advance(LEASE_MS / 1000 + 1)
    assert claim(store, vault, worker="wrk_b", leases_count=False) == []
    assert [one.taken_over for one in claim(store, vault, worker="wrk_b")] == [True] * 3


def test_who_was_claimed_among_many_and_taken_over_cannot_land(due, store, vault, landed, clock):
    first = claim(store, vault)[0]
    claim(store, vault, worker="wrk_b", dead_owners=frozenset({"wrk_a"}))
    with store.transaction() as tx, pytest.raises(connections.LostClaim):
        connections.reland(tx, vault, first.connection, landed(), now=clock.now(), authorized=False, fence=first.fence)


def test_a_row_without_its_seal_keeps_the_others_from_nothing_and_is_left_alone(due, store, vault, clock):
    with unguarded(store), store.transaction() as tx:
        tx.run("UPDATE connections SET granted_scopes = '[\"all\"]' WHERE id = 'con_a'")
    assert [one.connection.id for one in claim(store, vault)] == ["con_c", "con_b"]
    with store.read() as tx:
        assert connections.due_refreshes(tx, limit=10) == []
        row = tx.one("SELECT state, next_attempt_at FROM connections WHERE id = 'con_a'")
    assert (row["state"], row["next_attempt_at"]) == (ConnectionState.ACTIVE, clock.now() + 60_000)


def test_a_hundred_are_two_statements_beside_the_key(due, store, vault):
    class Counting:
        def __init__(self, tx) -> None:
            self._tx, self.dialect, self.now = tx, tx.dialect, tx.now
            self.asked: list[str] = []

        def __getattr__(self, name):
            def ask(sql, *rows, **given):
                self.asked.append(sql)
                return getattr(self._tx, name)(sql, *rows, **given)

            return ask

    with store.transaction() as tx:
        counting = Counting(tx)
        assert len(connections.claim_refreshes(counting, vault, IDS, worker="wrk_a", lease_ms=LEASE_MS)) == 3
    assert len([sql for sql in counting.asked if "data_keys" not in sql and "tenant_keys" not in sql]) == 2


@pytest.mark.parametrize("database_kind", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True)
def test_what_another_transaction_holds_is_passed_over_without_waiting(due, store, vault):
    with store.transaction() as other:
        connections.find_for_update(other, vault, "con_c")
        assert [one.connection.id for one in claim(store, vault)] == ["con_a", "con_b"]
