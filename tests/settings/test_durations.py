"""Lengths of time are read as people write them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.settings.durations import parse_duration, show_duration


@pytest.mark.parametrize(
    ("written", "length"),
    [
        ("7d", timedelta(days=7)),
        ("6h", timedelta(hours=6)),
        ("60s", timedelta(minutes=1)),
        ("30m", timedelta(minutes=30)),
        (" 2w ", timedelta(days=14)),
    ],
)
def test_a_number_and_a_unit_is_a_length(written, length):
    assert parse_duration(written) == length


@pytest.mark.parametrize("written", ["", "7", 7, "d", "-7d", "0d", "7 d", "7y", "1.5h", "7d6h", None, True, "\u0667d"])
def test_anything_else_is_refused_with_an_example(written):
    with pytest.raises(ValueError, match="60s"):
        parse_duration(written)


@given(st.integers(1, 999_999_999))
def test_what_is_shown_reads_back_as_the_same(seconds):
    length = timedelta(seconds=seconds)
    assert parse_duration(show_duration(length)) == length
