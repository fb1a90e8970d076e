"""When to stop asking: a bulkhead per provider, a circuit per host.

A bulkhead keeps one slow provider from taking every thread. A circuit keeps callers from waiting for a host that does
not answer; after a pause one call is let through to see.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from connector.model.errors import TryLater

_FULL_RETRY_S = 1


class Bulkheads:
    """At most `size` exchanges at once per provider, in this process."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._under_way: dict[str, int] = {}

    @contextmanager
    def enter(self, provider: str) -> Iterator[None]:
        """A place for one exchange. Raises TryLater(provider_busy) at once where there is none."""
        with self._lock:
            count = self._under_way.get(provider, 0)
            if count >= self._size:
                raise TryLater(
                    "Too many requests to this provider are under way. Try again shortly.",
                    retry_after_s=_FULL_RETRY_S,
                    code="provider_busy",
                    detail=provider,
                )
            self._under_way[provider] = count + 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way[provider] -= 1
                if not self._under_way[provider]:
                    del self._under_way[provider]


@dataclass
class _Circuit:
    failures: int = 0
    closed_at: float = 0.0  # when calls may pass again, while failures are at the threshold
    trying: bool = False


class Circuits:
    """Opens after `threshold` network failures in a row, lets one call through after `pause_s` seconds."""

    def __init__(self, monotonic: Callable[[], float], *, threshold: int, pause_s: float) -> None:
        self._monotonic = monotonic
        self._threshold = threshold
        self._pause_s = pause_s
        self._lock = threading.Lock()
        self._circuits: dict[tuple[str, str], _Circuit] = {}

    def may_pass(self, key: tuple[str, str]) -> bool:
        """Whether a call may go out now. A call that may must be followed by `succeeded` or `failed`."""
        with self._lock:
            circuit = self._circuits.get(key)
            if circuit is None or circuit.failures < self._threshold:
                return True
            if circuit.trying or self._monotonic() < circuit.closed_at:
                return False
            circuit.trying = True
            return True

    def succeeded(self, key: tuple[str, str]) -> None:
        """The host answered, whatever it said."""
        with self._lock:
            self._circuits.pop(key, None)

    def failed(self, key: tuple[str, str]) -> None:
        """The host did not answer."""
        with self._lock:
            circuit = self._circuits.setdefault(key, _Circuit())
            circuit.failures += 1
            circuit.trying = False
            circuit.closed_at = self._monotonic() + self._pause_s
