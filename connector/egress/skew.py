"""How far a provider's clock is from ours, by the Date of its answers (RFC 9110 section 6.6.1).

Nothing is decided by it: lifetimes count from when we sent, on our own clock. It is told, because signed times (ID
tokens, assertions, signals) are refused where clocks differ, and then nobody thinks of the clock.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import structlog
from prometheus_client import Gauge

from providers.exchange import Response

WORTH_TELLING_S = 30.0

SKEW = Gauge(
    "connector_provider_clock_skew_seconds",
    "How far the provider's clock is ahead of ours, by its last answer to a refresh.",
    ["provider"],
    multiprocess_mode="mostrecent",
)

_log = structlog.get_logger("clock")


def skew_s(response: Response, now: int) -> float | None:
    """Seconds that the other clock is ahead at `now` (ms); None where the answer does not say, or came from a cache."""
    said = response.headers.get("date")
    if said is None or "age" in response.headers:
        return None
    try:
        return parsedate_to_datetime(said).timestamp() - now / 1000
    except (ValueError, OverflowError):
        return None


def note_skew(provider: str, response: object, now: int) -> None:
    """Keep it for the metrics, and say in the log where it is much. Anything but an answer says nothing."""
    found = skew_s(response, now) if isinstance(response, Response) else None
    if found is None:
        return
    SKEW.labels(provider).set(found)
    if abs(found) > WORTH_TELLING_S:
        _log.warning("clock.skewed", provider=provider, ahead_s=round(found))
