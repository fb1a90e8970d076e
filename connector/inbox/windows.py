"""The states of a notice for one person: announced, open for objection, closed, effective. A function of time alone.

Announced: it is said, and does not lie in this person's inbox yet. Open: it lies there, and the time to object runs.
Closed: that time is over, and what it announces does not begin yet. Effective: now it may. An objection is taken in
every one of them; it stands until the person takes it back.
"""

from __future__ import annotations

from enum import StrEnum

from connector.model.tags import Notice


class Window(StrEnum):
    """Where a notice stands for one person."""

    ANNOUNCED = "announced"
    OPEN = "open"
    CLOSED = "closed"
    EFFECTIVE = "effective"


def window_of(posted_at: int | None, closes_at: int | None, effective_at: int | None, now: int) -> Window:
    """The state at `now`. All in ms; `posted_at` None: not posted to this person; `closes_at` None: nothing follows."""
    if posted_at is None or now < posted_at:
        return Window.ANNOUNCED
    if closes_at is None:
        return Window.EFFECTIVE
    if now < closes_at:
        return Window.OPEN
    return Window.CLOSED if now < (effective_at or closes_at) else Window.EFFECTIVE


def in_policy_words(window: Window) -> Notice:
    """The same as decisions know it: only what is effective is clear."""
    return {
        Window.ANNOUNCED: Notice.NONE,
        Window.OPEN: Notice.WAITING,
        Window.CLOSED: Notice.WAITING,
        Window.EFFECTIVE: Notice.CLEAR,
    }[window]
