"""The sentences that most storms end with."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.chaos.outcome import Outcome
from tests.chaos.town import Town, Verdict


def none_lost(outcome: Outcome, town: Town, verdict: Verdict) -> None:
    """Every grant is as good as before."""
    outcome.none("lost", len(verdict.lost))
    quiet(outcome, town, verdict)


def quiet(outcome: Outcome, town: Town, verdict: Verdict) -> None:
    """Nothing died unseen, nothing hangs, and the provider never saw two requests of the living for one grant."""
    outcome.none("dead without a mark", len(verdict.silent))
    outcome.none("stuck", len(verdict.stuck))
    outcome.none("two requests at once", len(town.in_flight.doubles))


def within(true: Callable[[], bool], seconds: float) -> float:
    """Wait until it is so; after how many seconds it was, or `seconds` where it never was."""
    began = time.monotonic()
    while not true() and time.monotonic() - began < seconds:
        time.sleep(0.05)
    return time.monotonic() - began
