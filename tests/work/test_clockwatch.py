"""A clock that is set is seen, and pauses for one lease what begins only because its time has come."""

from __future__ import annotations

import pytest

from connector.work import ClockWatch


@pytest.mark.parametrize("by_s", [3600, -3600, 6, -6])
def test_a_clock_that_is_set_pauses_for_one_lease(clock, by_s):
    watch = ClockWatch(clock, pause_s=15)
    clock.advance(1)
    clock.set_wall(clock.now() + by_s * 1000)
    assert watch.jumped
    clock.advance(14)
    assert watch.jumped
    clock.advance(2)
    assert not watch.jumped
    assert watch.jumps == 1


@pytest.mark.parametrize("by_s", [0, 4, -4])
def test_a_clock_that_is_a_little_off_pauses_nothing(clock, by_s):
    watch = ClockWatch(clock)
    clock.advance(1)
    clock.set_wall(clock.now() + by_s * 1000)
    assert not watch.jumped


def test_a_clock_that_is_slewed_for_a_day_did_not_jump(clock):
    watch = ClockWatch(clock)
    clock.advance(hours=24)
    clock.set_wall(clock.now() + 40_000)
    assert not watch.jumped
