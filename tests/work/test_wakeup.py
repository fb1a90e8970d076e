from __future__ import annotations

import threading
import time

import pytest
from structlog.testing import capture_logs

from connector.work import NoWakeup, ProcessWakeup, RedisWakeup, wakeup


@pytest.fixture
def stop():
    return threading.Event()


def timed(action):
    start = time.monotonic()
    return action(), time.monotonic() - start


def until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_without_wakeups_waiting_takes_its_time_and_ends_with_stop(stop):
    none = NoWakeup()
    none.notify()
    came, took = timed(lambda: none.wait(0.05, stop))
    assert not came
    assert took >= 0.05
    stop.set()
    assert timed(lambda: none.wait(10, stop))[1] < 8
    none.close()


def test_a_nudge_wakes_every_waiter_of_the_process(stop):
    wake, woken = ProcessWakeup(), []
    threads = [threading.Thread(target=lambda: woken.append(wake.wait(10, stop))) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    wake.notify()
    for thread in threads:
        thread.join(30)
    assert woken == [True] * 3


def test_a_nudge_before_the_wait_is_heard_once(stop):
    wake = ProcessWakeup()
    wake.notify()
    assert wake.wait(10, stop)
    assert not wake.wait(0.01, stop)
    stop.set()
    assert not wake.wait(10, stop)
    wake.close()


@pytest.fixture
def over_redis(clock):
    made = []

    def make(url):
        made.append(RedisWakeup(url, clock, channel="connector:test"))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.redis
def test_a_nudge_goes_from_process_to_process_over_redis(over_redis, redis_url, stop):
    here, there = over_redis(redis_url), over_redis(redis_url)
    until(lambda: there.wait(0.25, stop))  # listening: the first look is its own nudge
    here.notify()
    assert there.wait(5, stop)


@pytest.mark.redis
def test_while_redis_is_away_nobody_blocks_or_fails_and_it_is_logged_once(over_redis, own_redis, stop, monkeypatch):
    monkeypatch.setattr(wakeup, "PAUSE_AFTER_FAILURE_S", 0.05)
    here, there = over_redis(own_redis.url), over_redis(own_redis.url)
    until(lambda: there.wait(0.25, stop))
    with capture_logs() as logs:
        own_redis.stop()
        assert timed(lambda: [here.notify() for _ in range(1000)])[1] < 1
        until(lambda: here._away and there._away)
        there.wait(0.05, stop)
        assert not there.wait(0.3, stop)
        there.notify()
        assert there.wait(5, stop)  # within the process it works without Redis
        own_redis.start()
        until(lambda: not there._away)
        there.wait(0.1, stop)
        here.notify()
        assert there.wait(5, stop)
        until(lambda: not here._away)
    assert sorted(entry["event"] for entry in logs) == ["wakeup.redis_away"] * 2 + ["wakeup.redis_back"] * 2


def test_a_redis_that_was_never_there_changes_nothing(over_redis, stop, tmp_path):
    wake = over_redis(f"unix://{tmp_path}/none.sock")
    with capture_logs():
        wake.notify()
        assert wake.wait(1, stop)
        assert not wake.wait(0.05, stop)
        until(lambda: wake._away)
