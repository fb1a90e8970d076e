"""The states of a notice follow from time alone."""

from __future__ import annotations

import pytest

from connector.inbox.windows import Window, in_policy_words, window_of
from connector.model.tags import Notice

DAY = 86_400_000


@pytest.mark.parametrize(
    ("posted", "closes", "effective", "now", "window", "counts_as"),
    [
        (None, None, None, 5, Window.ANNOUNCED, Notice.NONE),
        (10, 10 + DAY, None, 9, Window.ANNOUNCED, Notice.NONE),
        (10, 10 + DAY, None, 10, Window.OPEN, Notice.WAITING),
        (10, 10 + DAY, 10 + 2 * DAY, 10 + DAY - 1, Window.OPEN, Notice.WAITING),
        (10, 10 + DAY, 10 + 2 * DAY, 10 + DAY, Window.CLOSED, Notice.WAITING),
        (10, 10 + DAY, 10 + 2 * DAY, 10 + 2 * DAY, Window.EFFECTIVE, Notice.CLEAR),
        (10, 10 + DAY, None, 10 + DAY, Window.EFFECTIVE, Notice.CLEAR),
        (10, None, None, 10, Window.EFFECTIVE, Notice.CLEAR),
    ],
)
def test_a_notice_is_announced_then_open_then_closed_then_effective(
    posted: int | None, closes: int | None, effective: int | None, now: int, window: Window, counts_as: Notice
) -> None:
    found = window_of(posted, closes, effective, now)
    assert found is window
    assert in_policy_words(found) is counts_as
