"""The loop of a worker: do what there is, then wait."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from connector.model.clock import Clock
from connector.model.errors import ConnectorError, TryLater
from connector.work.wakeup import Wakeup

FIRST_REST_S = 1.0
LONGEST_REST_S = 60.0
LONGEST_WHILE_AWAY_S = 2.0  # a database that is away comes back, and what the dead held cannot wait for a minute then
QUIET_S = 0.02  # between two looks that found nothing, however often somebody nudges

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Step:
    """One kind of work: `run` does a batch of it and returns how much it did; 0 means there is none."""

    name: str
    run: Callable[[], int]


class _Tired:
    """A step that failed rests, longer each time, so that it does not drown the others or the log."""

    def __init__(self, step: Step, clock: Clock) -> None:
        self._step, self._clock = step, clock
        self._rest_s = FIRST_REST_S
        self._until = float("-inf")

    def run(self) -> int:
        if self._clock.monotonic() < self._until:
            return 0
        try:
            done = self._step.run()
        except Exception as error:  # noqa: BLE001  one broken step must not end the worker; it is logged and rests
            away = isinstance(error, TryLater)
            rest_s = min(self._rest_s, LONGEST_WHILE_AWAY_S) if away else self._rest_s
            self._until = self._clock.monotonic() + rest_s
            known = {"code": error.code, "detail": error.detail} if isinstance(error, ConnectorError) else {}
            _log.error("work.step_failed", step=self._step.name, error=type(error).__name__, rest_s=rest_s, **known)
            self._rest_s = min(self._rest_s * 2, LONGEST_REST_S)
            return 0
        self._rest_s = FIRST_REST_S
        return done


def run_loop(steps: Sequence[Step], stop: threading.Event, clock: Clock, wake: Wakeup, idle_s: float) -> None:
    """Run the steps in turn until none has work, wait for a nudge or `idle_s` seconds, and again, until `stop`.

    `stop` is seen between two steps: what a step began, it finishes. A step that raises is logged, rests, and is tried
    again; the others go on.
    """
    rested = [_Tired(step, clock) for step in steps]
    while not stop.is_set():
        done = 0
        for step in rested:
            if stop.is_set():
                return
            done += step.run()
        if not done:
            stop.wait(min(QUIET_S, idle_s))
            wake.wait(max(idle_s - QUIET_S, 0), stop)
