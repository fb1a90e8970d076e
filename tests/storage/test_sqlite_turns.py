"""SQLite has one writer. Of a process only one thread asks for it at a time: the others would only take its time."""

from __future__ import annotations

import os
import threading
import time

import pytest

from connector.storage import sqlite
from connector.storage.errors import DatabaseUnavailable

WAITING = 12


class Watched:
    """The clock of the module under test; remembers who slept between two looks."""

    def __init__(self) -> None:
        self.slept: set[int] = set()

    monotonic = staticmethod(time.monotonic)

    def sleep(self, seconds: float) -> None:
        self.slept.add(threading.get_ident())
        time.sleep(seconds)


def test_of_many_threads_that_wait_for_the_writer_only_one_asks_again_and_again(sqlite_store, monkeypatch):
    watched = Watched()
    monkeypatch.setattr(sqlite, "time", watched)
    done: list[int] = []

    def write() -> None:
        with sqlite_store.transaction() as tx:
            done.append(tx.now())

    with sqlite_store.transaction():
        threads = [threading.Thread(target=write) for _ in range(WAITING)]
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        assert len(watched.slept) == 1
        assert done == []
    for thread in threads:
        thread.join()
    assert len(done) == WAITING


def test_who_never_gets_its_turn_hears_that_the_database_is_busy(sqlite_store, monkeypatch):
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 50)
    with sqlite_store._turn, pytest.raises(DatabaseUnavailable), sqlite_store.transaction():
        pass


def test_a_child_that_was_forked_in_the_middle_of_a_turn_can_write(sqlite_store):
    with sqlite_store._turn:
        pid = os.fork()
        if pid == 0:
            try:
                os._exit(0 if sqlite_store._turn.acquire(timeout=20) else 1)
            finally:
                os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
