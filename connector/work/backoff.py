"""How long to wait before the next try."""

from __future__ import annotations

from collections.abc import Callable

BASE_MS = 5_000
CAP_MS = 15 * 60_000


def backoff_ms(
    attempts: int,
    draw: Callable[[], float],
    *,
    base_ms: int = BASE_MS,
    cap_ms: int = CAP_MS,
    at_least_ms: int = 0,
) -> int:
    """Milliseconds until the next try: full jitter over an exponential bound.

    `attempts`: how many were made, 1 after the first. `draw`: a number in [0, 1), handed in. `at_least_ms`: what the
    other side asked for (Retry-After); it is kept, and jitter comes on top, so that not all come back at once.
    """
    bound = min(cap_ms, base_ms * 2 ** min(max(attempts - 1, 0), 30))
    return at_least_ms + int(draw() * bound)
