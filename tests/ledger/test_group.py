from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from connector.ledger import Entry, GroupCommit, Kind, NotRecorded, get, sequence, show, verify
from connector.storage.errors import DatabaseUnavailable


def handout(n=0):
    return Entry(Kind.TOKEN_HANDOUT, "ten_a", None, {"generation": n})


class Gate:
    """A store whose transactions wait for the test, count themselves, and fail when told to."""

    def __init__(self, store):
        self._store = store
        self.open = threading.Event()
        self.entered = threading.Semaphore(0)
        self.batches = 0
        self.failure = None

    @contextmanager
    def transaction(self):
        self.batches += 1
        self.entered.release()
        self.open.wait(30)
        with self._store.transaction() as tx:
            yield tx
            if self.failure:
                raise self.failure


def until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_an_entry_is_committed_when_record_returns(store):
    entry_id = GroupCommit(store).record(handout(7))
    with store.read() as tx:
        assert get(tx, entry_id).facts == {"generation": 7}


def test_entries_that_arrive_during_a_commit_are_one_batch(store):
    gate = Gate(store)
    group = GroupCommit(gate)
    with ThreadPoolExecutor(20) as pool:
        first = pool.submit(group.record, handout())
        gate.entered.acquire()
        rest = [pool.submit(group.record, handout(n)) for n in range(1, 20)]
        until(lambda: len(group._queue) == 19)
        gate.open.set()
        ids = [first.result(), *[future.result() for future in rest]]
    assert gate.batches == 2
    with store.read() as tx:
        assert [get(tx, entry_id).facts["generation"] for entry_id in ids] == list(range(20))


def test_a_batch_is_no_larger_than_allowed(store):
    gate = Gate(store)
    group = GroupCommit(gate, largest_batch=4)
    with ThreadPoolExecutor(11) as pool:
        futures = [pool.submit(group.record, handout())]
        gate.entered.acquire()
        futures += [pool.submit(group.record, handout(n)) for n in range(1, 11)]
        until(lambda: len(group._queue) == 10)
        gate.open.set()
        assert len({future.result() for future in futures}) == 11
    assert gate.batches == 1 + 3


def test_when_the_commit_fails_every_waiter_hears_it_and_nothing_is_kept(store):
    gate = Gate(store)
    gate.failure = DatabaseUnavailable("disk full")
    group = GroupCommit(gate)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(group.record, handout())
        gate.entered.acquire()
        rest = [pool.submit(group.record, handout(n)) for n in range(7)]
        until(lambda: len(group._queue) == 7)
        gate.open.set()
        for future in [first, *rest]:
            with pytest.raises(NotRecorded) as refusal:
                future.result()
            assert refusal.value.detail == "disk full"
    with store.read() as tx:
        assert show(tx) == []
    gate.failure = None
    assert group.record(handout()) > 0


def test_a_defect_in_the_commit_reaches_every_waiter_too(store):
    gate = Gate(store)
    gate.open.set()
    gate.failure = ZeroDivisionError("secret")
    with pytest.raises(NotRecorded) as refusal:
        GroupCommit(gate).record(handout())
    assert refusal.value.detail == "ZeroDivisionError"


def test_an_interrupted_committer_leaves_the_way_free(store):
    gate = Gate(store)
    gate.open.set()
    gate.failure = KeyboardInterrupt()
    group = GroupCommit(gate)
    with pytest.raises(KeyboardInterrupt):
        group.record(handout())
    gate.failure = None
    assert group.record(handout()) > 0


def test_a_caller_beyond_the_capacity_is_turned_away_at_once(store):
    gate = Gate(store)
    group = GroupCommit(gate, capacity=2)
    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(group.record, handout())]
        gate.entered.acquire()
        futures += [pool.submit(group.record, handout()) for _ in range(2)]
        until(lambda: len(group._queue) == 2)
        with pytest.raises(NotRecorded, match="ledger_unavailable"):
            group.record(handout())
        gate.open.set()
        assert len({future.result() for future in futures}) == 3


def test_who_waited_too_long_is_told_so_and_the_others_go_on(store):
    gate = Gate(store)
    group = GroupCommit(gate, wait_s=0.05)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(group.record, handout(1))
        gate.entered.acquire()
        with pytest.raises(NotRecorded) as refusal:
            group.record(handout(2))
        gate.open.set()
        assert first.result() > 0
    assert refusal.value.detail == "no commit in time"
    assert group.record(handout(3)) > 0
    with store.read() as tx:
        assert [entry.facts["generation"] for entry in show(tx)] == [3, 1]


def test_stop_waits_for_what_was_taken_and_takes_nothing_more(store):
    gate = Gate(store)
    group = GroupCommit(gate)
    with ThreadPoolExecutor(2) as pool:
        future = pool.submit(group.record, handout())
        gate.entered.acquire()
        assert group.stop(0.01) is False
        with pytest.raises(NotRecorded):
            group.record(handout())
        gate.open.set()
        assert group.stop() is True
        assert future.result() > 0


def test_many_callers_in_two_processes_worth_of_groups_lose_nothing(store, open_another):
    groups = [GroupCommit(store), GroupCommit(open_another())]
    with ThreadPoolExecutor(16) as pool:
        ids = list(pool.map(lambda n: groups[n % 2].record(handout(n)), range(400)))
    assert len(set(ids)) == 400
    with store.transaction() as tx:
        assert sequence(tx) == 400
        assert verify(tx).ok
    with store.read() as tx:
        assert [get(tx, entry_id).facts["generation"] for entry_id in ids] == list(range(400))


def test_a_child_forked_in_the_middle_of_a_commit_can_record(sqlite_store):
    gate = Gate(sqlite_store)
    group = GroupCommit(gate)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(group.record, handout(1))
        gate.entered.acquire()
        with group._lock:  # the worst moment: the parent holds the lock too
            child = fork(lambda: record_in_child(group, sqlite_store))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        gate.open.set()
        assert future.result() > 0


def record_in_child(group, store):
    store.dispose()
    group._store = store
    group._wait_s = 2
    group.record(handout(2))


def fork(action):
    child = os.fork()
    if child == 0:
        try:
            action()
        except BaseException:  # noqa: BLE001  the exit code tells the parent
            os._exit(1)
        os._exit(0)
    return child
