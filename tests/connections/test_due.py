"""What is due is one range of one index, on both databases, whatever else there is in the table."""

from __future__ import annotations

import pytest

from connector import connections
from connector.connections import claims


class Explained:
    """A transaction that answers nothing and keeps the plan of what it was asked."""

    def __init__(self, tx) -> None:
        self._tx = tx
        self.dialect = tx.dialect
        self.plan = ""

    def now(self) -> int:
        return self._tx.now()

    def all(self, sql: str, **params):
        word = "EXPLAIN QUERY PLAN" if self._tx.dialect == "sqlite" else "EXPLAIN"
        rows = self._tx.all(f"{word} {sql}", **params)
        self.plan = "\n".join(str(tuple(dict(row).values())[-1]) for row in rows)
        return []


def plan_of(store, ask) -> str:
    with store.transaction() as tx:
        if tx.dialect == "postgresql":  # a table of a few rows is read whole; the question is whether it has to be
            tx.run("SET LOCAL enable_seqscan = off")
        explained = Explained(tx)
        ask(explained)
    return explained.plan


def test_what_is_due_is_read_from_its_index_in_order(store):
    plan = plan_of(store, lambda tx: connections.due_refreshes(tx, limit=100))
    assert "ix_connections_due" in plan
    assert "sort" not in plan.lower()
    assert "temp b-tree" not in plan.lower()


def test_who_is_waited_for_is_found_by_an_index(store):
    plan = plan_of(store, lambda tx: connections.wanted_refreshes(tx, limit=100))
    assert "ix_connections_wanted" in plan


def test_twin_spelt_otherwise_the_index_is_of_no_use(store, monkeypatch):
    monkeypatch.setattr(
        claims, "DUE_AT", "(CASE WHEN refresh_at < next_attempt_at THEN next_attempt_at ELSE refresh_at END)"
    )
    plan = plan_of(store, lambda tx: connections.due_refreshes(tx, limit=100))
    assert "sort" in plan.lower() or "temp b-tree" in plan.lower()


@pytest.fixture
def three(store, vault, new, landed, clock):
    with store.transaction() as tx:
        for name, lifetime_s in (("con_late", 7200), ("con_soon", 1200), ("con_never", None)):
            connections.establish(tx, vault, new(name), landed(lifetime_s=lifetime_s), now=clock.now())
    clock.advance(7000)


def due(store) -> list[str]:
    with store.read() as tx:
        return connections.due_refreshes(tx, limit=10)


def test_due_refreshes_are_listed_longest_overdue_first(three, store):
    assert due(store) == ["con_soon", "con_late"]


def test_what_waits_for_a_provider_is_not_due_before_its_next_attempt(three, store, clock):
    with store.transaction() as tx:
        connections.postpone(tx, "con_soon", clock.now() + 60_000)
    assert due(store) == ["con_late"]
    clock.advance(60)
    assert due(store) == ["con_late", "con_soon"]


def test_who_is_waited_for_comes_first_and_only_while_it_is_these_tokens(three, store, vault):
    with store.transaction() as tx:
        late = connections.find_for_update(tx, vault, "con_late")
        never = connections.find_for_update(tx, vault, "con_never")
        assert connections.want_refresh(tx, late)
        assert connections.want_refresh(tx, never)
    assert due(store)[-1] == "con_soon"
    with store.read() as tx:
        assert sorted(connections.wanted_refreshes(tx, limit=10)) == ["con_late", "con_never"]
    with store.transaction() as tx:
        claim = connections.claim_refresh(tx, vault, "con_late", worker="wrk_a", lease_ms=15_000)
        assert claim is not None
        assert not connections.want_refresh(tx, late)
    with store.read() as tx:
        assert connections.wanted_refreshes(tx, limit=10) == ["con_never"]
