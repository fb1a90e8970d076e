"""A clock that moves when it is told to."""

from __future__ import annotations

import threading

START = 1_767_225_600_000  # 1 January 2026, 00:00 UTC


class ManualClock:
    """Time under the test's hand. `sleep` returns at once and moves it on; threads may share it."""

    def __init__(self, now: int = START) -> None:
        self._now = now
        self._monotonic = 1_000.0
        self._lock = threading.Lock()
        self.slept: list[float] = []

    def now(self) -> int:
        """Milliseconds since the epoch, UTC."""
        with self._lock:
            return self._now

    def monotonic(self) -> float:
        """Seconds that only grow."""
        with self._lock:
            return self._monotonic

    def sleep(self, seconds: float) -> None:
        """Move on by `seconds` and remember that it was asked."""
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float = 0, *, minutes: float = 0, hours: float = 0, days: float = 0) -> int:
        """Move both clocks on; the new time in milliseconds."""
        total = seconds + 60 * (minutes + 60 * (hours + 24 * days))
        if total < 0:
            raise ValueError("time does not go back; set_wall moves the wall clock alone")
        with self._lock:
            self._now += round(total * 1000)
            self._monotonic += total
            return self._now

    def set_wall(self, now: int) -> None:
        """Set the wall clock alone, as an operator or a time server does. It may go back."""
        with self._lock:
            self._now = now
