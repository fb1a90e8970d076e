"""Threads that run the steps, and how they stop: claim nothing more, finish what is under way, then go."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

import structlog

from connector.flows.gateway import Gateway
from connector.model.errors import TryLater
from connector.work import Presence, Step, run_loop
from connector.worker import steps

REFRESHERS = 2
OUTWARD = 3
RECOVERY_EVERY_S = 0.1
DUE_EVERY_S = 0.25
WANTED_EVERY_S = 0.1
IDLE_S = 1.0
LISTEN_EVERY_S = 0.5
DRAIN_S = 25.0
HELD_TOLD_EVERY_S = 5.0

_log = structlog.get_logger("worker")


class Worker:
    """One worker process's threads. `run` returns once `stop` is set and everything under way has ended."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway = replace(gateway, refreshes=True)
        self._presence = Presence(gateway.store, gateway.worker_id, "worker")

    def run(self, stop: threading.Event) -> bool:
        """Work until `stop` is set; whether everything under way ended in time."""
        self._presence.start()
        threads = self._start(stop)
        _log.info("worker.started", worker=self._gateway.worker_id, threads=len(threads))
        while not stop.wait(LISTEN_EVERY_S):  # a signal that another thread took in is heard between two waits only
            pass
        self._gateway.flights.drain()
        self._gateway.wakeup.notify()
        finished = self._drained(threads)
        self._leave()
        _log.info("worker.stopped", worker=self._gateway.worker_id, finished=finished)
        return finished

    def _start(self, stop: threading.Event) -> list[threading.Thread]:
        gateway = self._gateway
        loops: list[tuple[Sequence[Step], float]] = [
            (steps.recovering(gateway, self._presence.liveness), RECOVERY_EVERY_S),
            (steps.keeping(gateway), IDLE_S),
        ]
        loops += [(steps.refreshing(gateway), DUE_EVERY_S) for _ in range(REFRESHERS)]
        loops += [(steps.outward(gateway), IDLE_S) for _ in range(OUTWARD)]
        if gateway.settings.refresh.process == "worker":
            loops.append((steps.refreshing_wanted(gateway), WANTED_EVERY_S))
        threads = [
            threading.Thread(
                target=run_loop,
                args=(todo, stop, gateway.clock, gateway.wakeup, idle_s),
                name=f"{todo[0].name}-{number}",
                daemon=True,
            )
            for number, (todo, idle_s) in enumerate(loops)
        ]
        for thread in threads:
            thread.start()
        return threads

    def _leave(self) -> None:
        try:
            self._presence.stop()
        except TryLater as problem:  # the others will see that nobody holds the sign of life
            _log.warning("worker.left_without_a_word", detail=problem.detail)

    def _drained(self, threads: list[threading.Thread]) -> bool:
        """Wait for what is under way; longer than that only for answers of providers that are not stored yet."""
        clock = self._gateway.clock
        deadline = clock.monotonic() + DRAIN_S
        for thread in threads:
            thread.join(max(0.0, deadline - clock.monotonic()))
        flights = self._gateway.flights
        landed = flights.landed(max(0.0, deadline - clock.monotonic()))
        while flights.held:
            _log.warning("worker.holding", answers=flights.held)
            landed = flights.landed(HELD_TOLD_EVERY_S)
        return landed and not any(thread.is_alive() for thread in threads)
