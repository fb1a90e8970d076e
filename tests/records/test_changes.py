"""The feed has the order of commits."""

from __future__ import annotations

import threading

import pytest

from connector.model.errors import Gone
from connector.records.changes import Change, feed, forget_person_changes, note_changes, prune_changes, sequence_changes


def change(sub: str = "usr_a", tenant: str = "ten_a", pointer: str = "/name") -> Change:
    return Change(tenant, sub, "crd_a", pointer, None, "changed", "profile")


def noted(store, *changes):
    with store.transaction() as tx:
        note_changes(tx, changes)


def sequenced(store):
    with store.transaction() as tx:
        return sequence_changes(tx)


def read(store, after=None, limit=10, tenant="ten_a"):
    with store.read() as tx:
        return feed(tx, tenant, after, limit=limit)


def test_changes_come_in_order_and_only_ones_own_tenants(store):
    noted(store, change(pointer="/name"), change(tenant="ten_b"), change(pointer="/language"))
    sequenced(store)
    found = read(store)
    assert [one.pointer for one in found.changes] == ["/name", "/language"]
    assert found.position == 3
    assert read(store, found.position).changes == ()


def test_a_page_ends_where_the_next_begins(store):
    noted(store, *(change(pointer=f"/emails/e{n}") for n in range(5)))
    sequenced(store)
    seen, after = [], None
    while True:
        found = read(store, after, limit=2)
        seen += [one.pointer for one in found.changes]
        after = found.position
        if not found.more:
            break
    assert seen == [f"/emails/e{n}" for n in range(5)]


@pytest.mark.postgresql
@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)  # SQLite has one writer: none commits late
def test_a_transaction_that_commits_late_is_not_overlooked(open_another):
    slow, fast = open_another(), open_another()
    wrote, go = threading.Event(), threading.Event()

    def late():
        with slow.transaction() as tx:
            note_changes(tx, [change(pointer="/late")])
            wrote.set()
            go.wait(30)

    thread = threading.Thread(target=late)
    thread.start()
    wrote.wait(30)
    noted(fast, change(pointer="/early"))
    sequenced(fast)
    first = read(fast)
    go.set()
    thread.join()
    sequenced(fast)
    assert [one.pointer for one in first.changes] == ["/early"]
    assert [one.pointer for one in read(fast, first.position).changes] == ["/late"]


def test_behind_the_horizon_a_cursor_has_expired(store, clock):
    noted(store, change(), change())
    sequenced(store)
    early = 0
    clock.advance(days=40)
    noted(store, change())
    sequenced(store)
    with store.transaction() as tx:
        assert prune_changes(tx, clock.now() - 1) == 2
    with pytest.raises(Gone) as gone:
        read(store, early)
    assert gone.value.code == "cursor_expired"
    assert len(read(store, 2).changes) == 1
    assert len(read(store).changes) == 1


def test_a_cursor_from_the_future_has_expired_too(store):
    with pytest.raises(Gone):
        read(store, 7)


def test_positions_are_never_given_twice_even_after_everything_was_pruned(store, clock):
    noted(store, change(), change())
    sequenced(store)
    with store.transaction() as tx:
        prune_changes(tx, clock.now() + 1)
        forget_person_changes(tx, "usr_a")
    assert read(store).changes == ()
    noted(store, change(sub="usr_b"))
    sequenced(store)
    assert [one.position for one in read(store, 2).changes] == [3]
