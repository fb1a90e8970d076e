"""One refresh per connection in this process: whoever comes second waits for the first.

Between processes the database's claim decides; this only spares the others from asking it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager


class Flight(Future[None]):
    """A refresh under way."""


class Flights:
    """The refreshes under way in this process, and the answers it holds that are not stored yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: dict[str, Flight] = {}
        self._holding = 0
        self._draining = threading.Event()

    def join(self, connection_id: str, fly: Callable[[], None], *, timeout_s: float) -> None:
        """Run `fly` for this connection, or wait for the one that runs. Its error is everybody's.

        Raises:
            TimeoutError: the flight took longer than `timeout_s`.
        """
        with self._lock:
            flight = self._under_way.get(connection_id)
            mine = flight is None
            if flight is None:
                flight = self._under_way[connection_id] = Flight()
        if not mine:
            flight.result(timeout_s)
            return
        try:
            fly()
        except BaseException as error:
            flight.set_exception(error)
            raise
        else:
            flight.set_result(None)
        finally:
            with self._lock:
                del self._under_way[connection_id]

    @contextmanager
    def holding(self) -> Iterator[None]:
        """While an answer of a provider is in memory and not stored: the process must not exit."""
        with self._lock:
            self._holding += 1
        try:
            yield
        finally:
            with self._lock:
                self._holding -= 1

    @property
    def under_way(self) -> int:
        """Refreshes under way in this process."""
        with self._lock:
            return len(self._under_way)

    @property
    def held(self) -> int:
        """Answers in memory that are not stored yet. Readiness is red while this is not zero for long."""
        with self._lock:
            return self._holding

    def drain(self) -> None:
        """Start no more refreshes (SIGTERM); those under way finish."""
        self._draining.set()

    @property
    def draining(self) -> bool:
        """Whether the process is going down."""
        return self._draining.is_set()
