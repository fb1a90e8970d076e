"""Redis only wakes: with it, without it, and with it lost halfway, the same is done and nothing is lost."""

from __future__ import annotations

import threading
import time

import pytest

from connector.model.clock import SystemClock
from connector.work import ProcessWakeup
from connector.worker import Worker, steps
from providers.rehearsal.server import Config
from tests.connected import linked_over_sockets

pytestmark = pytest.mark.loopback


def eventually(true, within_s=20.0):
    until = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < until, "it did not come to that in time"
        time.sleep(0.02)


def works_through(town, losing=lambda: None):
    """A worker refreshes again and again while `losing` happens in the middle."""
    stop = threading.Event()
    ended: list[bool] = []
    thread = threading.Thread(target=lambda: ended.append(Worker(town.gateway).run(stop)))
    thread.start()
    eventually(lambda: town.connection().generation >= 2)
    losing()
    before = town.connection().generation
    eventually(lambda: town.connection().generation >= before + 2)
    town.gateway.wakeup.notify()
    stop.set()
    thread.join(30)
    assert ended == [True]
    assert town.most_at_once() == 1
    assert town.provider.oracle.report()["reuse"] == []
    assert town.works(town.fresh().access_token)
    town.gateway.wakeup.close()


CONFIG = {"access_token_s": 3}


def test_a_worker_works_without_redis(tmp_path, open_another):
    with linked_over_sockets(tmp_path, open_another(SystemClock()), SystemClock(), config=Config(**CONFIG)) as town:
        assert isinstance(town.gateway.wakeup, ProcessWakeup)
        works_through(town)


def test_a_worker_works_with_redis_lost_and_found_halfway(tmp_path, open_another, own_redis):
    with linked_over_sockets(
        tmp_path, open_another(SystemClock()), SystemClock(), config=Config(**CONFIG), redis={"url": own_redis.url}
    ) as town:
        works_through(town, own_redis.stop)
        own_redis.start()


def test_the_most_urgent_comes_first(tmp_path, sqlite_store, clock):
    from tests.connected import linked  # noqa: PLC0415  the other two need none of it

    gateway = linked(tmp_path, sqlite_store, clock).gateway
    assert [step.name for step in steps.outward(gateway)] == [
        "revoke",
        "deliver",
        "import",
        "mail",
        "forward_erasures",
    ]
    assert [step.name for step in steps.refreshing(gateway)] == ["refresh"]
