from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from connector.model.clock import SystemClock
from connector.storage.schema import metadata
from connector.work import (
    TABLES,
    any_due,
    claim,
    give_back,
    heartbeat,
    leases,
    open_liveness,
    processes,
    release_dead,
    retry,
    settle,
)

LEASE_MS = 15_000


def queue(store, number, *, next_at=0, sub="usr_a"):
    with store.transaction() as tx:
        tx.many(
            "INSERT INTO deliveries (id, tenant_id, sub, connection_id, field_group, pointers, idempotency_key,"
            " created_at, next_at) VALUES (:id, 'ten_a', :sub, 'con_a', 'name', '[]', 'k', 0, :next_at)",
            [{"id": f"dlv_{n:04}", "sub": sub, "next_at": next_at + n} for n in range(number)],
        )


def take(store, owner="a", limit=10, **more):
    with store.transaction() as tx:
        return claim(tx, "deliveries", owner, limit, LEASE_MS, **more)


def row(store):
    with store.read() as tx:
        return dict(tx.one("SELECT * FROM deliveries WHERE id = 'dlv_0000'"))


def test_every_table_of_the_engine_has_the_lease_columns_and_the_index():
    for name in TABLES:
        table = metadata.tables[name]
        assert {"id", "state", "next_at", "attempts", "fence", "lease_owner", "lease_until"} <= set(
            table.columns.keys()
        )
        assert [c.name for c in next(i for i in table.indexes if i.name == f"ix_{name}_due").columns] == [
            "state",
            "next_at",
        ]


def test_what_is_due_is_claimed_oldest_first_and_once(store, clock):
    queue(store, 5, next_at=clock.now() - 4)
    first, second = take(store, limit=3), take(store, "b")
    assert sorted(c.id for c in first) == ["dlv_0000", "dlv_0001", "dlv_0002"]
    assert sorted(c.id for c in second) == ["dlv_0003", "dlv_0004"]
    assert {(c.fence, c.attempts) for c in first} == {(1, 1)}
    assert take(store) == []


def test_what_is_not_due_yet_is_left(store, clock):
    queue(store, 1, next_at=clock.now() + 1)
    assert take(store) == []
    clock.advance(0.001)
    assert len(take(store)) == 1


def test_a_condition_of_the_room_narrows_the_claim(store):
    queue(store, 2, sub="usr_b")
    assert take(store, where="work.sub = :sub", sub="usr_a") == []
    assert len(take(store, where="work.sub = :sub OR work.sub = 'x'", sub="usr_b")) == 2


def test_a_claim_uses_the_index(sqlite_store):
    with sqlite_store.read() as tx:
        plan = tx.all(
            "EXPLAIN QUERY PLAN SELECT id FROM deliveries AS work WHERE state = :s AND next_at <= :now ORDER BY next_at"
            " LIMIT 10",
            s="queued",
            now=1,
        )
    assert [step["detail"] for step in plan] == ["SEARCH work USING INDEX ix_deliveries_due (state=? AND next_at<?)"]


def test_a_lease_that_is_over_is_taken_by_another_before_new_work(store, clock):
    queue(store, 2)
    [mine] = take(store, "a", 1)
    clock.advance(LEASE_MS / 1000)
    [theirs] = take(store, "b", 1)
    assert (theirs.id, theirs.fence, theirs.attempts) == (mine.id, 2, 2)


def test_a_heartbeat_keeps_the_lease(store, clock):
    queue(store, 1)
    [mine] = take(store)
    for _ in range(5):
        clock.advance(10)
        with store.transaction() as tx:
            assert heartbeat(tx, "deliveries", mine, "a", LEASE_MS)
        assert take(store, "b") == []
    clock.advance(LEASE_MS / 1000)
    assert len(take(store, "b")) == 1
    with store.transaction() as tx:
        assert not heartbeat(tx, "deliveries", mine, "a", LEASE_MS)


def test_who_lost_the_lease_settles_and_retries_nothing(store, clock):
    queue(store, 1)
    [old] = take(store, "a")
    clock.advance(60)
    [new] = take(store, "b")
    with store.transaction() as tx:
        assert not settle(tx, "deliveries", old.id, old.fence, "done", outcome="old")
        assert not retry(tx, "deliveries", old.id, old.fence, 0)
        assert give_back(tx, "deliveries", [old]) == 0
        assert settle(tx, "deliveries", new.id, new.fence, "done", outcome="new", finished_at=tx.now())
        assert not settle(tx, "deliveries", new.id, new.fence, "failed")
    kept = row(store)
    assert (kept["state"], kept["outcome"], kept["lease_owner"]) == ("done", "new", None)
    assert take(store) == []


def test_without_the_fence_a_worker_taken_for_dead_overwrites_the_outcome(store, clock, monkeypatch):
    monkeypatch.setattr(leases, "_FENCED", "fence >= :fence")
    queue(store, 1)
    [old] = take(store, "a")
    clock.advance(60)
    [new] = take(store, "b")
    with store.transaction() as tx:
        assert settle(tx, "deliveries", new.id, new.fence, "done", outcome="new")
        assert settle(tx, "deliveries", old.id, old.fence, "failed", outcome="old")
    assert row(store)["outcome"] == "old"


def test_a_retry_waits_and_counts(store, clock):
    queue(store, 1)
    [mine] = take(store)
    with store.transaction() as tx:
        assert retry(tx, "deliveries", mine.id, mine.fence, 5_000, outcome="try again")
    assert take(store) == []
    clock.advance(5)
    [again] = take(store)
    assert (again.fence, again.attempts) == (2, 2)


def test_work_given_back_counts_as_never_tried(store):
    queue(store, 3)
    mine = take(store)
    with store.transaction() as tx:
        assert give_back(tx, "deliveries", mine[:2]) == 2
    assert {(c.fence, c.attempts) for c in take(store, "b")} == {(2, 1)}


def test_what_the_dead_held_is_due_at_once_and_their_fence_is_over(store):
    queue(store, 3)
    [dead], _ = take(store, "dead", 1), take(store, "living", 1)
    with store.transaction() as tx:
        assert release_dead(tx, "deliveries", ["dead", "nobody"]) == 1
        assert not settle(tx, "deliveries", dead.id, dead.fence, "done")
    assert {c.id for c in take(store, "b")} == {dead.id, "dlv_0002"}


def test_an_open_state_an_unknown_table_or_a_foreign_column_is_refused(store):
    queue(store, 1)
    [mine] = take(store)
    with store.transaction() as tx:
        with pytest.raises(ValueError, match="retry"):
            settle(tx, "deliveries", mine.id, mine.fence, "queued")
        for name in ("x = 1; --", "lease_until", "next_at"):
            with pytest.raises(ValueError, match="no settable column"):
                retry(tx, "deliveries", mine.id, mine.fence, 0, **{name: 9})
        with pytest.raises(ValueError, match="no table of claimable work"):
            claim(tx, "connections", "a", 1, 1)


def drain(store, owner, seen, together):
    together.wait()
    while taken := take(store, owner, 7):
        with store.transaction() as tx:
            for one in taken:
                seen.append(one.id)
                assert settle(tx, "deliveries", one.id, one.fence, "done")


def test_four_workers_at_once_do_everything_once(store, open_another):
    queue(store, 200)
    seen, together = [], threading.Barrier(4)
    stores = [open_another() for _ in range(4)]
    threads = [threading.Thread(target=drain, args=(s, f"w{n}", seen, together)) for n, s in enumerate(stores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == [f"dlv_{n:04}" for n in range(200)]


HOLDER = """
import sys, time
from connector.storage import open_store
from connector.work import claim, open_liveness, register
store = open_store(sys.argv[1])
alive = open_liveness(store, "wrk_killed")
assert alive.hold()
with store.transaction() as tx:
    register(tx, "wrk_killed", "worker", "here", 1)
    assert len(claim(tx, "deliveries", "wrk_killed", 1, 3_600_000)) == 1
print("holding", flush=True)
time.sleep(60)
"""


def test_what_a_killed_process_held_is_done_by_another_long_before_the_lease_is_over(open_another, database_url):
    store = open_another(SystemClock())
    queue(store, 1)
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER, database_url], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    try:
        assert child.stdout.readline() == b"holding\n"
        mine = open_liveness(store, "wrk_mine")
        assert mine.hold()
        time.sleep(0.05)
        with store.read() as tx:
            assert processes.dead_owners(tx, mine, grace_ms=10) == frozenset()
        child.send_signal(signal.SIGKILL)
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    deadline = time.monotonic() + 30
    while True:
        with store.transaction() as tx:
            dead = processes.dead_owners(tx, mine, grace_ms=10)
            release_dead(tx, "deliveries", dead)
            processes.forget(tx, dead)
        if taken := take(store, "wrk_mine"):
            break
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert [(c.id, c.fence) for c in taken] == [("dlv_0000", 3)]
    mine.release()


def test_what_is_due_is_seen_without_a_claim(store):
    with store.read() as tx:
        assert not any_due(tx, "deliveries")
    queue(store, 1)
    with store.read() as tx:
        assert any_due(tx, "deliveries")
    assert len(take(store, "wrk_a")) == 1
    with store.read() as tx:
        assert not any_due(tx, "deliveries")  # somebody holds it, and the lease is not over
