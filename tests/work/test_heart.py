from __future__ import annotations

import time

from structlog.testing import capture_logs

from connector.storage.errors import DatabaseUnavailable
from connector.work import Claimed, Heart, claim
from connector.work import heart as heart_module


def take(store, owner, lease_ms=15_000):
    with store.transaction() as tx:
        return claim(tx, "imports", owner, 1, lease_ms)


def queue(store):
    with store.transaction() as tx:
        tx.run(
            "INSERT INTO imports (id, tenant_id, connection_id, number, asked_by, created_at)"
            " VALUES ('imp_1', 'ten_a', 'con_a', 1, 'app', 0)"
        )


def until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_beat_renews_what_is_held_and_marks_what_is_lost(store, clock):
    queue(store)
    heart = Heart(store, "a", 15_000)
    [mine] = take(store, "a")
    with heart.keep("imports", mine) as held:
        clock.advance(10)
        heart.beat()
        clock.advance(10)
        assert take(store, "b") == []
        clock.advance(10)
        [theirs] = take(store, "b")
        heart.beat()
        assert held.lost.is_set()
        heart.beat()
    heart.stop()
    assert theirs.fence == mine.fence + 1


def test_the_heart_beats_by_itself_and_stops(store):
    queue(store)
    heart = Heart(store, "a", 30)
    with heart.keep("imports", Claimed("imp_none", 1, 1)) as held:
        until(held.lost.is_set)
    heart.stop()
    heart.beat()


def test_a_heart_without_work_has_no_thread(store):
    Heart(store, "a", 30).stop()


def test_a_database_that_is_away_does_not_stop_the_heart(store, monkeypatch):
    heart = Heart(store, "a", 30)
    answers = iter([DatabaseUnavailable("gone")])

    def failing(*_):
        for error in answers:
            raise error
        return False

    monkeypatch.setattr(heart_module, "heartbeat", failing)
    with capture_logs() as logs, heart.keep("imports", Claimed("imp_1", 1, 1)) as held:
        until(held.lost.is_set)
    heart.stop()
    assert [(entry["event"], entry["detail"]) for entry in logs] == [("work.heartbeat_failed", "gone")]
