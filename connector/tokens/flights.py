"""One refresh per connection in this process: whoever comes second waits for the first.

Between processes the database's claim decides; this only spares the others from asking it. A flight has a thread of its
own, so that a caller who has waited long enough can go while the flight goes on, and so that a process which is asked
to end ends after its flights.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager


class Flight(Future[bool]):
    """A refresh under way; its result says whether there was anything to do."""


class Flights:
    """The refreshes under way in this process, and the answers it holds that are not stored yet."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self._under_way: dict[str, Flight] = {}
        self._holding: dict[object, float] = {}
        self._draining = threading.Event()

    def join(self, connection_id: str, fly: Callable[[], bool], *, timeout_s: float) -> bool:
        """Start `fly` for this connection, or wait for the one that is under way. Its error is everybody's.

        Raises:
            TimeoutError: the flight takes longer than `timeout_s`; it goes on.
        """
        return self.start(connection_id, fly).result(timeout_s)

    def start(self, connection_id: str, fly: Callable[[], bool]) -> Flight:
        """The flight of this connection: the one that is under way, else a new one."""
        return self._under_way_or_begun(connection_id, fly)[0]

    def begin(self, connection_id: str, fly: Callable[[], bool]) -> Flight | None:
        """A new flight of this connection; None where one is under way already."""
        flight, new = self._under_way_or_begun(connection_id, fly)
        return flight if new else None

    def _under_way_or_begun(self, connection_id: str, fly: Callable[[], bool]) -> tuple[Flight, bool]:
        with self._news:
            flight = self._under_way.get(connection_id)
            if flight is not None:
                return flight, False
            flight = self._under_way[connection_id] = Flight()
        thread = threading.Thread(
            target=contextvars.copy_context().run, args=(self._run, connection_id, flight, fly), name="refresh"
        )
        try:
            thread.start()
        except RuntimeError as error:  # no more threads: whoever waits must hear it
            self._landed(connection_id)
            flight.set_exception(error)
        return flight, True

    def _run(self, connection_id: str, flight: Flight, fly: Callable[[], bool]) -> None:
        try:
            result = fly()
        except BaseException as error:  # noqa: BLE001  it is raised where the flight is waited for
            self._landed(connection_id)
            flight.set_exception(error)
        else:
            self._landed(connection_id)
            flight.set_result(result)

    def _landed(self, connection_id: str) -> None:
        """Out of the list before the result is told: who comes now looks at the row itself."""
        with self._news:
            del self._under_way[connection_id]
            self._news.notify_all()

    @contextmanager
    def holding(self) -> Iterator[None]:
        """While an answer of a provider is in memory and not stored: the process must not exit."""
        answer = object()
        with self._news:
            self._holding[answer] = time.monotonic()
        try:
            yield
        finally:
            with self._news:
                del self._holding[answer]
                self._news.notify_all()

    @property
    def under_way(self) -> int:
        """Refreshes under way in this process."""
        with self._news:
            return len(self._under_way)

    @property
    def held(self) -> int:
        """Answers in memory that are not stored yet."""
        with self._news:
            return len(self._holding)

    @property
    def held_for_s(self) -> float:
        """For how long the oldest of them has been held, in seconds of real time. Readiness is red if that is long."""
        with self._news:
            return time.monotonic() - min(self._holding.values(), default=time.monotonic())

    def drain(self) -> None:
        """Start no more refreshes (SIGTERM); those under way finish."""
        self._draining.set()

    @property
    def draining(self) -> bool:
        """Whether the process is going down."""
        return self._draining.is_set()

    def landed(self, timeout_s: float) -> bool:
        """Wait until nothing is under way and nothing is held; whether that came in time (seconds of real time)."""
        with self._news:
            return self._news.wait_for(lambda: not self._under_way and not self._holding, timeout_s)
