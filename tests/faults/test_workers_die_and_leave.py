"""Real worker processes: killed while they hold a claim, and asked to go while a provider has not answered yet."""

from __future__ import annotations

import signal
import time

import pytest

from connector.flows import refresh
from connector.model.states import ConnectionState
from tests.faults.conftest import eventually

pytestmark = pytest.mark.loopback


def test_what_a_killed_worker_held_is_taken_over_by_another_within_seconds(rig):
    one = rig(rotation="none", access_token_s=3, worn=True)
    town = one.linked
    victim = one.worker("after_claim:wait")
    eventually(lambda: town.connection().state is ConnectionState.REFRESHING)
    holder = town.connection().lease_owner
    one.worker()
    assert town.connection().lease_owner == holder  # a living process is left alone
    victim.send_signal(signal.SIGKILL)
    killed = time.monotonic()
    eventually(lambda: town.connection().generation > 1)
    assert time.monotonic() - killed < refresh.LEASE_MS / 1000  # by the sign of life, not by the lease
    assert town.most_at_once() == 1


def test_a_worker_that_is_asked_to_go_stores_what_the_provider_still_answers(rig):
    one = rig(rotation="strict", access_token_s=3, worn=True)
    town = one.linked
    town.faults({"kind": "delay", "delay_s": 1.5, "count": 1})
    worker = one.worker()
    eventually(lambda: town.most_at_once() == 1)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    assert town.connection().generation == 2
    assert town.refresh_works()
    assert town.provider.oracle.report()["reuse"] == []
    with town.store.read() as tx:
        assert tx.all("SELECT id FROM processes") == []


def test_a_worker_that_was_frozen_when_it_was_asked_to_go_goes_once_it_thaws(rig):
    worker = rig(rotation="strict").worker()
    for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGCONT):  # then any of its threads may take the signal in
        worker.send_signal(number)
    assert worker.wait(20) == 0


def test_a_worker_refreshes_by_itself_before_the_token_ends(rig):
    one = rig(access_token_s=4)
    one.worker()
    eventually(lambda: one.linked.connection().generation >= 3)
    assert one.linked.most_at_once() == 1
    assert one.linked.provider.oracle.report()["reuse"] == []
