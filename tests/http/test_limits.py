"""Counting attempts: shared through Redis, alone without it."""

from __future__ import annotations

import pytest
import redis

from connector.http import limits
from connector.http.limits import FAILURES, RETRY_REDIS_S, Limits
from tests.clock import ManualClock

LIMIT = FAILURES["client"]


class Broken:
    """A shared counter whose Redis is away."""

    def __init__(self) -> None:
        self.asked = 0

    def hit(self, *_: object) -> bool:
        self.asked += 1
        raise redis.ConnectionError("canary://user:password@host")


def test_each_address_has_its_own_count(clock: ManualClock) -> None:
    counted = Limits(None, clock)
    assert [counted.within(LIMIT, "a") for _ in range(31)] == [True] * 30 + [False]
    assert counted.within(LIMIT, "b")


def test_each_limit_has_its_own_count(clock: ManualClock) -> None:
    counted = Limits(None, clock)
    for _ in range(40):
        counted.within(LIMIT, "a")
    assert counted.within(FAILURES["token"], "a")


def test_a_lost_redis_changes_nothing_but_who_counts(clock: ManualClock, capsys: pytest.CaptureFixture[str]) -> None:
    counted, broken = Limits(None, clock), Broken()
    counted._shared = broken
    assert [counted.within(LIMIT, "a") for _ in range(31)] == [True] * 30 + [False]
    assert broken.asked == 1
    clock.advance(RETRY_REDIS_S)
    counted.within(LIMIT, "a")
    assert broken.asked == 2
    logged = capsys.readouterr().out
    assert "limits.redis_lost" in logged
    assert "canary" not in logged


@pytest.mark.redis
@pytest.mark.loopback
def test_processes_share_one_count_through_redis(redis_url: str, clock: ManualClock) -> None:
    one, two = Limits(redis_url, clock), Limits(redis_url, clock)
    for _ in range(15):
        assert one.within(LIMIT, "shared")
        assert two.within(LIMIT, "shared")
    assert not one.within(LIMIT, "shared")
    assert not two.within(LIMIT, "shared")


def test_every_kind_of_failure_has_a_limit() -> None:
    assert {"client", "token"} == set(limits.FAILURES)
