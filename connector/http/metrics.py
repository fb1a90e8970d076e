"""What the HTTP door counts, for Prometheus. Labels are routes and statuses: never ids, names or values."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

ANSWERS = Counter("connector_http_answers", "Answers by method, route and status.", ["method", "route", "status"])
SECONDS = Histogram(
    "connector_http_seconds",
    "Seconds until the answer, by route.",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)


def answered(method: str, route: str, status: int, seconds: float) -> None:
    """Count one answer."""
    ANSWERS.labels(method if method in _METHODS else "other", route, str(status)).inc()
    SECONDS.labels(route).observe(seconds)
