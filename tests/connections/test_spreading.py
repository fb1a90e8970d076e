"""Who failed together does not come back together."""

from __future__ import annotations

import pytest

from connector import connections
from connector.connections.spreading import LONGEST_MS


@pytest.mark.parametrize(
    ("backlog", "draw", "ms"),
    [(0, 0.9, 0), (1, 1.0, 50), (2000, 0.5, 50_000), (2000, 1.0, 100_000), (10**9, 1.0, LONGEST_MS)],
)
def test_the_spread_is_a_share_of_what_so_many_take(backlog, draw, ms):
    assert connections.spread_ms(backlog, draw) == ms


def test_ten_thousand_that_failed_together_come_back_at_no_more_than_the_rate():
    at = sorted(connections.spread_ms(10_000, number / 10_000) for number in range(10_000))
    busiest = max(sum(1 for one in at if second <= one < second + 1000) for second in range(0, 20_000, 1000))
    assert busiest <= 21
    assert at[-1] > 499_000


def test_only_the_failures_of_a_provider_that_was_away_count(store, clock):
    with store.transaction() as tx:
        for outcome in ("try_later", "ambiguous", "landed", "rejected"):
            connections.note_outcome(tx, "int_a", outcome)
        connections.note_outcome(tx, "int_b", "try_later")
        assert connections.failed_lately(tx, "int_a") == 2
    clock.advance(minutes=6)
    with store.read() as tx:
        assert connections.failed_lately(tx, "int_a") == 0
