"""How often one address may be wrong, or may start something: shared through Redis where there is one.

What grants nothing is counted; what carries good credentials is not, so that nobody can lock a client out by being
wrong in its name. Without Redis, or while it is lost, each process counts for itself.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import cast

import redis
import structlog
from flask import current_app, request
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage, RedisStorage, Storage
from limits.strategies import SlidingWindowCounterRateLimiter

from connector.model.clock import Clock
from connector.model.errors import TooMany

EXTENSION = "account_connector_limits"
RETRY_REDIS_S = 10.0

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Limit:
    """So many in a minute, counted under a name."""

    name: str
    item: RateLimitItem


FAILURES = {
    "client": Limit("failed-client", RateLimitItemPerMinute(30)),
    "token": Limit("failed-token", RateLimitItemPerMinute(60)),
}
STARTS = Limit("start", RateLimitItemPerMinute(240))  # browsers at /oauth/authorize and /callback, per address


class Limits:
    """Counters, in Redis where it can be reached and else in this process."""

    def __init__(self, redis_url: str | None, clock: Clock) -> None:
        self._local = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._shared = None if redis_url is None else SlidingWindowCounterRateLimiter(_redis(redis_url))
        self._clock = clock
        self._lost_until = 0.0
        self._lock = threading.Lock()

    def within(self, limit: Limit, who: str) -> bool:
        """Count one for `who`; whether that is still within the limit."""
        if self._shared is not None and self._clock.monotonic() >= self._lost_until:
            try:
                return self._shared.hit(limit.item, limit.name, who)
            except redis.RedisError as error:
                self._lose(error)
        return self._local.hit(limit.item, limit.name, who)

    def _lose(self, error: redis.RedisError) -> None:
        with self._lock:
            self._lost_until = self._clock.monotonic() + RETRY_REDIS_S
        _log.warning("limits.redis_lost", kind=type(error).__name__, again_in_s=RETRY_REDIS_S)


def too_many_failures(kind: str) -> None:
    """Count a failed authentication of this address. Raises TooMany beyond the limit."""
    _count(FAILURES[kind])


def too_many_starts() -> None:
    """Count a flow that a browser at this address starts or returns to. Raises TooMany beyond the limit."""
    _count(STARTS)


def _count(limit: Limit) -> None:
    limits = cast("Limits", current_app.extensions[EXTENSION])
    if not limits.within(limit, request.remote_addr or "unknown"):
        raise TooMany("Too many attempts from this address; wait a minute.", retry_after_s=60)


def _redis(url: str) -> Storage:
    return RedisStorage(url.replace("unix://", "redis+unix://", 1), socket_timeout=0.5, socket_connect_timeout=0.5)
