"""Sees the machine's clock being set while the process runs, by comparing it with one that cannot be set.

For one lease after that, nothing is begun for the sole reason that its time has come: leases may look over that are
not, and everybody's tokens old that are not. What somebody waits for is done.
"""

from __future__ import annotations

import threading

import structlog

from connector.model.clock import Clock

JUMP_MS = 5_000
DRIFT = 0.001  # what a time server may slew, and more: it is no jump if it took so long

_log = structlog.get_logger("clock")


class ClockWatch:
    """One per process. `look` about once a second; `jumped` says whether the clock was set within the last lease."""

    def __init__(self, clock: Clock, *, pause_s: float = 15.0) -> None:
        self._clock, self._pause_s = clock, pause_s
        self._lock = threading.Lock()
        self._wall, self._steady = clock.now(), clock.monotonic()
        self._until = float("-inf")
        self.jumps = 0

    def look(self) -> None:
        """Compare how far both clocks came since the last look."""
        with self._lock:
            wall, steady = self._clock.now(), self._clock.monotonic()
            passed_ms = (steady - self._steady) * 1000
            off_ms = (wall - self._wall) - passed_ms
            self._wall, self._steady = wall, steady
            if abs(off_ms) <= JUMP_MS + DRIFT * passed_ms:
                return
            self._until = steady + self._pause_s
            self.jumps += 1
        _log.warning("clock.jumped", by_s=round(off_ms / 1000, 1), pause_s=self._pause_s)

    @property
    def jumped(self) -> bool:
        """Whether the clock was set a moment ago. Looks first."""
        self.look()
        return self._clock.monotonic() < self._until
