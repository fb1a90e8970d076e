from __future__ import annotations

import threading

from structlog.testing import capture_logs

from connector.model.errors import TryLater
from connector.work import NoWakeup, Step, run_loop
from connector.work.loop import QUIET_S


class Nights:
    """A wake-up that counts the waits, moves the clock, and ends the loop after some."""

    def __init__(self, clock, nights):
        self.clock, self.nights, self.waits = clock, nights, []

    def notify(self):
        pass

    def wait(self, timeout_s, stop):
        self.waits.append(timeout_s)
        self.clock.advance(1)
        if len(self.waits) >= self.nights:
            stop.set()
        return False

    def close(self):
        pass


def test_steps_run_in_turn_until_none_has_work_and_then_the_loop_waits(clock):
    left, order = {"a": 3, "b": 1}, []

    def work(name):
        order.append(name)
        left[name] -= 1
        return int(left[name] >= 0)

    wake = Nights(clock, 1)
    steps = [Step("a", lambda: work("a")), Step("b", lambda: work("b"))]
    run_loop(steps, threading.Event(), clock, wake, 1)
    assert order == ["a", "b"] * 4
    assert wake.waits == [1 - QUIET_S]


def test_a_step_that_fails_is_logged_and_rests_while_the_others_go_on(clock):
    runs = {"broken": 0, "whole": 0}

    def broken():
        runs["broken"] += 1
        raise TryLater("down", retry_after_s=1, detail="why") if runs["broken"] == 1 else ZeroDivisionError

    def whole():
        runs["whole"] += 1
        return 0

    with capture_logs() as logs:
        run_loop([Step("x", broken), Step("y", whole)], threading.Event(), clock, Nights(clock, 8), 0.001)
    assert runs == {"broken": 4, "whole": 8}  # at 0, 1, 3 and 7 seconds
    assert [(e["event"], e["step"], e["error"], e["rest_s"]) for e in logs][:2] == [
        ("work.step_failed", "x", "TryLater", 1.0),
        ("work.step_failed", "x", "ZeroDivisionError", 2.0),
    ]
    assert (logs[0]["code"], logs[0]["detail"]) == ("try_later", "why")


def test_however_long_the_database_is_away_a_step_looks_again_within_two_seconds(clock):
    def away():
        raise TryLater("down", retry_after_s=1)

    with capture_logs() as logs:
        run_loop([Step("x", away)], threading.Event(), clock, Nights(clock, 20), 0.001)
    assert [entry["rest_s"] for entry in logs][:4] == [1.0, 2.0, 2.0, 2.0]


def test_a_step_that_recovers_rests_no_longer(clock):
    answers = iter([ZeroDivisionError, 1, 0, ZeroDivisionError, 0, 0])

    def step():
        answer = next(answers)
        if answer is ZeroDivisionError:
            raise ZeroDivisionError
        return answer

    with capture_logs() as logs:
        run_loop([Step("x", step)], threading.Event(), clock, Nights(clock, 5), 0.001)
    assert [entry["rest_s"] for entry in logs] == [1.0, 1.0]


def test_stop_is_seen_between_two_steps(clock):
    stop, ran = threading.Event(), []

    def first():
        ran.append("first")
        stop.set()
        return 1

    run_loop([Step("a", first), Step("b", lambda: ran.append("b") or 1)], stop, clock, NoWakeup(), 10)
    assert ran == ["first"]
