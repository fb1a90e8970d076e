"""When is it safe to try again after an answer that never came? Plain functions over the catalogue's facts.

A rotating provider may have used up the refresh token. With a grace the retry must come within it; without one, an
early retry can get the whole family revoked, so the current access token is served to its end and the retry comes last.

A grace runs from the request and not from the intent, and nobody knows how much later the request left: at most
SENT_WITHIN_MS. While the grace may still run the retry is made. If it comes too late, the grant had been lost with the
answer, and what the retry costs is the rest of an access token; not making it would cost grants that can be saved.
"""

from __future__ import annotations

from typing import Literal

GRACE_SHARE = 0.8
SOON_MS = 500
SENT_WITHIN_MS = 5_000  # a refresh that is claimed but not sent by then is not sent any more


def after_ambiguous(
    model: str, *, grace_s: float, intent_at: int, now: int, expires_at: int | None
) -> tuple[Literal["retry", "probe_last"], int]:
    """What to do after a refresh whose outcome is unknown, and the earliest ms at which to do it.

    Args:
        model: the catalogue's word for how refresh tokens live there.
        grace_s: how long a used refresh token still works.
        intent_at: ms when the first attempt of this refresh was written down.
        expires_at: ms when the current access token ends.
    """
    if model != "rotating":
        return "retry", now + SOON_MS
    if grace_s > 0 and now <= intent_at + SENT_WITHIN_MS + int(grace_s * 1000):
        surely_within = intent_at + int(GRACE_SHARE * grace_s * 1000)
        return "retry", min(now + SOON_MS, max(now, surely_within))
    if expires_at is not None and expires_at > now:
        return "probe_last", expires_at
    return "retry", now


def backoff_ms(attempts: int, draw: float, *, first_ms: int = 5_000, most_ms: int = 15 * 60 * 1000) -> int:
    """Full jitter: a uniform draw up to first · 2^(attempts-1), at most `most_ms`, at least a second."""
    ceiling = min(most_ms, first_ms * 2 ** min(max(attempts - 1, 0), 16))
    return max(1_000, int(draw * ceiling))
