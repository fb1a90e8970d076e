from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connector.work import backoff_ms
from connector.work.backoff import BASE_MS, CAP_MS


def test_the_bound_doubles_up_to_the_cap():
    bounds = [backoff_ms(n, lambda: 0.999999) + 1 for n in (1, 2, 3, 8, 9, 5000)]
    assert bounds == [BASE_MS, 2 * BASE_MS, 4 * BASE_MS, 128 * BASE_MS, CAP_MS, CAP_MS]


@given(st.integers(-1, 10_000), st.floats(0, 1, exclude_max=True), st.integers(0, 10**7))
def test_a_wait_lies_between_what_was_asked_for_and_the_cap_above_it(attempts, drawn, asked):
    assert asked <= backoff_ms(attempts, lambda: drawn, at_least_ms=asked) <= asked + CAP_MS


def test_jitter_covers_the_whole_range():
    assert backoff_ms(3, lambda: 0.0) == 0
    assert backoff_ms(3, lambda: 0.5) == 2 * BASE_MS
