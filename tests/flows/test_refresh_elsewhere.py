"""Where workers alone refresh, a listener marks the row and waits; it never speaks to a token endpoint."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from connector import tokens
from connector.flows import refresh, refresh_waiting
from connector.model.clock import SystemClock
from connector.model.errors import Conflict, TryLater
from connector.model.states import ConnectionState
from connector.worker import Worker
from tests.connected import Linked, linked


class Nobody:
    """A way out that is closed, as a listener's may be."""

    def drive(self, exchange, **_):
        raise AssertionError("a listener asked a provider for a token")


@pytest.fixture
def town(tmp_path, store, clock) -> Linked:
    made = linked(tmp_path, store, clock, refresh={"process": "worker"})
    clock.advance(301)
    return made


@pytest.fixture
def listener(town):
    """Another process: it waits in real time, as callers do, though tokens age by the test's clock."""

    class Clock:
        now = staticmethod(town.gateway.clock.now)
        monotonic = staticmethod(SystemClock().monotonic)
        sleep = staticmethod(SystemClock().sleep)

    return replace(town.gateway, egress=Nobody(), flights=tokens.Flights(), worker_id="wrk_listener", clock=Clock())


@pytest.fixture
def worker(town):
    """What a worker's thread does, until the test is over."""
    stop = threading.Event()
    gateway = replace(town.gateway, refreshes=True)

    def work():
        while not stop.wait(0.02):
            refresh.wanted(gateway)

    thread = threading.Thread(target=work)
    thread.start()
    yield gateway
    stop.set()
    thread.join()
    assert gateway.flights.landed(5)


def test_by_setting_a_listener_does_not_refresh_and_a_worker_does(town):
    assert not town.gateway.refreshes
    assert Worker(town.gateway)._gateway.refreshes


def test_a_caller_of_the_listener_gets_the_token_that_the_worker_fetched(town, listener, worker):
    assert town.works(town.fresh(gateway=listener).access_token)
    assert town.uses() == 1
    assert town.refresh_works()


def test_many_callers_are_one_request_to_the_provider(town, listener, worker):
    got: list[str] = []
    threads = [
        threading.Thread(target=lambda: got.append(town.fresh(gateway=listener).access_token.reveal()))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 8
    assert len(set(got)) == 1
    assert (town.uses(), town.most_at_once()) == (1, 1)


def test_without_a_worker_the_caller_is_told_to_come_back_and_the_wish_stays(town, listener, monkeypatch):
    monkeypatch.setattr(refresh_waiting, "WAIT_S", 0.2)
    with pytest.raises(TryLater, match="refresh_under_way"):
        town.fresh(gateway=listener)
    assert town.row()["refresh_at"] == 0
    assert refresh.wanted(replace(town.gateway, refreshes=True)) == 1
    assert town.gateway.flights.landed(5)
    assert town.works(town.fresh(gateway=listener).access_token)


def test_a_provider_that_is_down_is_told_to_the_caller_with_its_time(town, listener, worker):
    town.faults({"kind": "rate_limit", "retry_after_s": 120})
    with pytest.raises(TryLater, match="provider_unavailable") as refused:
        town.fresh(gateway=listener)
    assert refused.value.retry_after_s >= 119


def test_a_grant_that_ended_is_told_to_the_caller(town, listener, worker):
    town.provider.end_grants()
    with pytest.raises(Conflict, match="needs_reauth"):
        town.fresh(gateway=listener)
    assert town.connection().state is ConnectionState.NEEDS_REAUTH


def test_a_token_that_still_lives_is_handed_out_stale_while_no_worker_runs(tmp_path, store, clock, monkeypatch):
    town = linked(tmp_path, store, clock, refresh={"process": "worker"})
    clock.advance(250)
    monkeypatch.setattr(refresh_waiting, "WAIT_S", 0.1)
    assert town.fresh().stale
