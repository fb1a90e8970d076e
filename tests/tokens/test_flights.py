"""One flight per connection in a process; its thread is its own, and a process that goes waits for it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from connector.tokens import Flights


def test_many_who_want_the_same_are_one_flight():
    flights, go_on, flown = Flights(), threading.Event(), []

    def fly() -> bool:
        flown.append(1)
        return go_on.wait(30)

    with ThreadPoolExecutor(50) as callers:
        waiting = [callers.submit(flights.join, "con_a", fly, timeout_s=30) for _ in range(50)]
        go_on.set()
        assert [one.result() for one in waiting] == [True] * 50
    assert sum(flown) < 50


def test_two_connections_are_two_flights():
    flights, both = Flights(), threading.Barrier(2)
    first = flights.start("con_a", lambda: both.wait(30) >= 0)
    second = flights.start("con_b", lambda: both.wait(30) >= 0)
    assert (first.result(30), second.result(30)) == (True, True)


def test_an_error_is_everybodys_and_the_next_flight_is_a_new_one():
    flights = Flights()

    def crash() -> bool:
        raise ConnectionError("no")

    with pytest.raises(ConnectionError):
        flights.join("con_a", crash, timeout_s=30)
    assert flights.join("con_a", lambda: True, timeout_s=30)


def test_who_waits_too_long_goes_and_the_flight_goes_on():
    flights, go_on = Flights(), threading.Event()
    with pytest.raises(TimeoutError):
        flights.join("con_a", lambda: go_on.wait(30), timeout_s=0.01)
    assert flights.under_way == 1
    assert not flights.landed(0.01)
    go_on.set()
    assert flights.landed(5)


def test_an_answer_that_is_held_keeps_the_process_and_says_for_how_long():
    flights = Flights()
    assert flights.held_for_s == pytest.approx(0, abs=0.01)
    with flights.holding():
        assert flights.held == 1
        assert not flights.landed(0.02)
        assert flights.held_for_s >= 0.02
    assert flights.landed(0)


def test_draining_is_told():
    flights = Flights()
    assert not flights.draining
    flights.drain()
    assert flights.draining
