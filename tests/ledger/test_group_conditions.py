"""What an entry depends on is looked at in the transaction that commits it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from connector.ledger import Entry, GroupCommit, Kind, NoLongerTrue, show


def handout(n: int) -> Entry:
    return Entry(Kind.TOKEN_HANDOUT, "ten_a", None, {"generation": n})


def generations(store) -> set[int]:
    with store.read() as tx:
        return {entry.facts["generation"] for entry in show(tx, limit=200)}


def test_an_entry_whose_condition_does_not_hold_is_not_written_and_its_caller_hears_it(store) -> None:
    group = GroupCommit(store, guard=lambda _tx, _wanted: set())
    with pytest.raises(NoLongerTrue):
        group.record(handout(1), ("con_a", 1))
    assert generations(store) == set()


def test_the_others_of_a_batch_are_written_all_the_same(store) -> None:
    group = GroupCommit(store, guard=lambda _tx, wanted: {one for one in wanted if one[1] % 2 == 0})

    def attempt(n: int) -> bool:
        try:
            group.record(handout(n), ("con_a", n))
        except NoLongerTrue:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        written = list(pool.map(attempt, range(40)))
    assert written == [n % 2 == 0 for n in range(40)]
    assert generations(store) == set(range(0, 40, 2))


def test_the_guard_is_asked_inside_the_transaction_of_the_commit(store) -> None:
    seen = []

    def guard(tx, wanted):
        seen.append(tx.one("SELECT COUNT(*) AS n FROM ledger_entries")["n"])
        tx.run("DELETE FROM ledger_nodes")
        return set(wanted)

    GroupCommit(store, guard=guard).record(handout(1), ("con_a", 1))
    assert seen == [0]


def test_an_entry_without_a_condition_asks_nobody(store) -> None:
    def never(_tx, _wanted):
        raise AssertionError

    GroupCommit(store, guard=never).record(handout(7))
    assert generations(store) == {7}
