"""Wake-ups: they shorten the wait and mean nothing else. Losing every one of them costs `idle_s`, no work.

None (poll), within the process, or over Redis publish/subscribe. What arrives is never read: a message is a nudge, so
whoever can write to that Redis can make workers look early and no more.
"""

from __future__ import annotations

import threading
from typing import Any, Protocol

import redis
import structlog

from connector.model.clock import Clock

SOCKET_TIMEOUT_S = 1.0
PAUSE_AFTER_FAILURE_S = 2.0
CHANNEL = "connector:work"
_SLICE_S = 0.25

_log = structlog.get_logger(__name__)


class Wakeup(Protocol):
    """How those who made work tell those who wait for it."""

    def notify(self) -> None:
        """There may be work. Never blocks and never raises."""

    def wait(self, timeout_s: float, stop: threading.Event) -> bool:
        """Wait for a nudge since the last wait, at most `timeout_s` or until `stop`; whether one came."""

    def close(self) -> None:
        """Let go of threads and sockets."""


class NoWakeup:
    """Nobody tells anybody: waiting is polling."""

    def notify(self) -> None:
        """Nobody listens."""

    def wait(self, timeout_s: float, stop: threading.Event) -> bool:
        """Wait out the time, or until `stop`."""
        stop.wait(timeout_s)
        return False

    def close(self) -> None:
        """Nothing is held."""


class ProcessWakeup:
    """Between threads of one process. Every waiter hears every nudge."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self._count = 0
        self._heard = threading.local()

    def notify(self) -> None:
        """Wake every waiter of this process; those who wait later hear it too, once."""
        with self._news:
            self._count += 1
            self._news.notify_all()

    def wait(self, timeout_s: float, stop: threading.Event) -> bool:
        """Wait in slices, so that `stop` is seen."""
        heard: int = getattr(self._heard, "count", 0)
        left = timeout_s
        with self._news:
            while self._count == heard and left > 0 and not stop.is_set():
                self._news.wait(min(left, _SLICE_S))
                left -= _SLICE_S
            self._heard.count = self._count
            return self._count != heard

    def close(self) -> None:
        """Nothing is held."""


class RedisWakeup:
    """Between processes, over one Redis channel. Within the process it works without Redis too.

    Callers never wait for Redis: one thread publishes (started by the first `notify`), one listens (started by the
    first `wait`). While Redis is away, waiting is polling; the log says so once, and once when it is back.
    """

    def __init__(self, url: str, clock: Clock, *, channel: str = CHANNEL) -> None:
        self._client = redis.Redis.from_url(
            url, socket_timeout=SOCKET_TIMEOUT_S, socket_connect_timeout=SOCKET_TIMEOUT_S, retry=None
        )
        self._clock = clock
        self._channel = channel
        self._local = ProcessWakeup()
        self._to_publish = threading.Event()
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._threads: dict[str, threading.Thread] = {}
        self._away = False

    def notify(self) -> None:
        """Wake this process at once and the others soon."""
        self._local.notify()
        self._to_publish.set()
        self._start("wakeup-publish", self._publish)

    def wait(self, timeout_s: float, stop: threading.Event) -> bool:
        """Wait for a nudge from this process or another."""
        self._start("wakeup-listen", self._listen)
        return self._local.wait(timeout_s, stop)

    def close(self) -> None:
        """End both threads."""
        self._closing.set()
        self._to_publish.set()
        for thread in self._threads.values():
            thread.join()
        self._client.close()

    def _start(self, name: str, run: Any) -> None:
        if name in self._threads:
            return
        with self._lock:
            if name not in self._threads and not self._closing.is_set():
                self._threads[name] = threading.Thread(target=run, name=name, daemon=True)
                self._threads[name].start()

    def _publish(self) -> None:
        while True:
            self._to_publish.wait()
            self._to_publish.clear()
            if self._closing.is_set():
                return
            try:
                self._client.publish(self._channel, b"")
                self._is_back()
            except redis.RedisError as error:
                self._is_away(error)

    def _listen(self) -> None:
        while not self._closing.is_set():
            try:
                with self._client.pubsub(ignore_subscribe_messages=True) as subscription:  # type: ignore[no-untyped-call]  # redis leaves it untyped
                    subscription.subscribe(self._channel)
                    self._is_back()
                    self._local.notify()  # what was said before we listened is made up for by one look
                    while not self._closing.is_set():
                        if subscription.get_message(timeout=_SLICE_S) is not None:
                            self._local.notify()
            except redis.RedisError as error:
                self._is_away(error)

    def _is_away(self, error: redis.RedisError) -> None:
        with self._lock:
            first, self._away = not self._away, True
        if first:
            _log.warning("wakeup.redis_away", error=type(error).__name__, effect="polling until it is back")
        self._closing.wait(PAUSE_AFTER_FAILURE_S)

    def _is_back(self) -> None:
        with self._lock:
            again, self._away = self._away, False
        if again:
            _log.info("wakeup.redis_back")
