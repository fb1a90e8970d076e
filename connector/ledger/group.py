"""Group commit: many callers, one transaction.

Whoever finds nobody committing commits for all who wait; entries that arrive meanwhile are the next batch, which the
first of them commits. No caller waits for a timer, a lone caller pays for no second thread, and there is nothing to
start, to stop or to lose in a fork. `record` returns after the commit, so what it stands for may leave then and only
then; if the commit fails, everyone in the batch hears it.

A caller may say what its entry depends on: a condition that is looked at in the transaction of the commit. Where it
does not hold any more, nothing is written and the caller hears that. So nothing is handed out after the thing it is
handed out of has ended, however the two race.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import TypeAlias

from connector.ledger.entries import Entry, append_all
from connector.model.errors import ConnectorError, TryLater
from connector.storage import Store, Transaction

CAPACITY = 4096
LARGEST_BATCH = 512
WAIT_S = 15.0

Condition: TypeAlias = tuple[str, int]  # an id and its generation
Guard: TypeAlias = Callable[[Transaction, Sequence[Condition]], Collection[Condition]]


class NotRecorded(TryLater):
    """The entry is not known to be committed: what depends on it must not happen."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            "The ledger cannot be written right now, so nothing was handed out. Try again.",
            retry_after_s=2,
            code="ledger_unavailable",
            detail=detail,
        )


class NoLongerTrue(TryLater):
    """What the entry depended on has changed: nothing was written, and what it stands for must not happen."""

    def __init__(self) -> None:
        super().__init__("This changed while it was being handed out; ask again.", retry_after_s=1, code="changed")


class _Waiter:
    """One caller's entry on its way."""

    __slots__ = ("condition", "entry", "entry_id", "failure", "leads", "refused", "wake")

    def __init__(self, entry: Entry, condition: Condition | None) -> None:
        self.entry = entry
        self.condition = condition
        self.refused = False
        self.entry_id: int | None = None
        self.failure: str | None = None
        self.leads = False
        self.wake = threading.Lock()  # held until there is news; the cheapest way to sleep
        self.wake.acquire()

    def outcome(self) -> int:
        if self.refused:
            raise NoLongerTrue
        if self.entry_id is None:
            raise NotRecorded(self.failure or "the batch was given up")
        return self.entry_id


class GroupCommit:
    """The one way to record a token handout. Thread safe; one per process.

    `capacity`: how many may wait before further callers are turned away. `wait_s`: how long one waits for others'
    commits, in seconds of real time. `guard`: which conditions hold, looked at within the transaction; it also keeps
    them holding until that is over.
    """

    def __init__(
        self,
        store: Store,
        *,
        capacity: int = CAPACITY,
        largest_batch: int = LARGEST_BATCH,
        wait_s: float = WAIT_S,
        guard: Guard | None = None,
    ) -> None:
        self._store = store
        self._guard = guard
        self._capacity = capacity
        self._largest_batch = largest_batch
        self._wait_s = wait_s
        self._closed = False
        self._led = False
        self._begin_anew()
        _EVERY.add(self)

    def record(self, entry: Entry, condition: Condition | None = None) -> int:
        """Write the entry and return its id once it is committed.

        Raises:
            NoLongerTrue: the condition did not hold at the commit.
            NotRecorded: the commit failed or took too long, the queue is full, or the gateway is stopping.
        """
        waiter = _Waiter(entry, condition)
        with self._lock:
            if self._closed:
                raise NotRecorded("stopping")
            if len(self._queue) >= self._capacity:
                raise NotRecorded("the queue is full")
            self._queue.append(waiter)
            waiter.leads = not self._led
            self._led = True
        if waiter.leads or self._wait(waiter):
            self._commit_batch()
        return waiter.outcome()

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Take nothing more and wait until all that was taken is committed or failed; whether that came in time."""
        with self._lock:
            self._closed = True
            return self._idle.wait_for(lambda: not self._led, timeout_s)

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._queue: deque[_Waiter] = deque()
        self._led = False

    def _wait(self, waiter: _Waiter) -> bool:
        """Wait for news; whether it is that this caller leads the next batch."""
        if waiter.wake.acquire(timeout=self._wait_s):
            return waiter.leads
        with self._lock:
            if waiter.leads:
                return True
            if waiter in self._queue:
                self._queue.remove(waiter)
        waiter.failure = waiter.failure or "no commit in time"
        return False

    def _commit_batch(self) -> None:
        with self._lock:
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), self._largest_batch))]
        try:
            with self._store.transaction() as tx:
                written = self._permitted(tx, batch)
                ids = append_all(tx, [waiter.entry for waiter in written])
        except Exception as error:  # noqa: BLE001  whatever it was, every waiter must hear of it
            self._fail(batch, error)
        except BaseException as error:
            self._fail(batch, error)
            raise
        else:
            for waiter, entry_id in zip(written, ids, strict=True):
                waiter.entry_id = entry_id
        finally:
            self._hand_over()
            for waiter in batch:
                if waiter.wake.locked():
                    waiter.wake.release()

    def _permitted(self, tx: Transaction, batch: list[_Waiter]) -> list[_Waiter]:
        conditions = list({waiter.condition for waiter in batch if waiter.condition is not None})
        if not conditions or self._guard is None:
            return batch
        holding = self._guard(tx, conditions)
        for waiter in batch:
            waiter.refused = waiter.condition is not None and waiter.condition not in holding
        return [waiter for waiter in batch if not waiter.refused]

    def _hand_over(self) -> None:
        with self._lock:
            if not self._queue:
                self._led = False
                self._idle.notify_all()
                return
            self._queue[0].leads = True
            self._queue[0].wake.release()

    @staticmethod
    def _fail(batch: list[_Waiter], error: BaseException) -> None:
        reason = error.detail or error.code if isinstance(error, ConnectorError) else type(error).__name__
        for waiter in batch:
            waiter.failure = reason


_EVERY: weakref.WeakSet[GroupCommit] = weakref.WeakSet()


def _forget_the_parents_callers() -> None:
    """After a fork the child has none of the parent's threads: its queue and its lock begin anew."""
    for group in _EVERY:
        group._begin_anew()  # noqa: SLF001  the other half of this module


os.register_at_fork(after_in_child=_forget_the_parents_callers)
