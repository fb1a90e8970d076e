from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.model.tags import Age
from connector.policy import AgeRange, BirthDate, age_of


def at(year: int, month: int, day: int, hour: int = 12) -> int:
    """Ms since the epoch of an hour UTC; noon is where the day begins in the last time zone."""
    return round(datetime(year, month, day, hour, tzinfo=UTC).timestamp() * 1000)


NOON = at(2026, 11, 22)


def born(year: int, month: int, day: int) -> BirthDate:
    return BirthDate(year, month, day)


def test_clause_1_thirteen_years_to_the_day_is_old_enough_and_a_day_less_is_not():
    assert age_of(born(2013, 11, 22), NOON) is Age.OK
    assert age_of(born(2013, 11, 23), NOON) is Age.CHILD


def test_the_birthday_begins_with_the_last_time_zone():
    assert age_of(born(2013, 11, 22), at(2026, 11, 22, hour=11)) is Age.CHILD
    assert age_of(born(2013, 11, 22), at(2026, 11, 22, hour=12)) is Age.OK


def test_who_was_born_on_29_february_comes_of_age_on_1_march():
    assert age_of(born(2012, 2, 29), at(2025, 2, 28)) is Age.CHILD
    assert age_of(born(2012, 2, 29), at(2025, 3, 1)) is Age.OK


@pytest.mark.parametrize(
    "birth", [None, BirthDate(), BirthDate(None, 2, 29), BirthDate(1604, 5, 1), AgeRange(), AgeRange(9, 13)]
)
def test_what_cannot_be_known_is_unknown_and_no_child(birth):
    assert age_of(birth, NOON) is None


@pytest.mark.parametrize(
    ("birth", "expected"),
    [
        (BirthDate(2012), Age.OK),
        (BirthDate(2013), None),
        (BirthDate(2014), Age.CHILD),
        (BirthDate(2013, 10), Age.OK),
        (BirthDate(2013, 11), None),
        (BirthDate(2013, 12), Age.CHILD),
        (BirthDate(2030, 1, 1), Age.CHILD),
        (AgeRange(13, 17), Age.OK),
        (AgeRange(21), Age.OK),
        (AgeRange(0, 12), Age.CHILD),
        (AgeRange(12, 13), None),
    ],
)
def test_a_partial_date_or_a_range_counts_where_every_reading_agrees(birth, expected):
    assert age_of(birth, NOON) is expected


@pytest.mark.parametrize("parts", [(2013, 2, 29), (2013, 13, 1), (2013, None, 1), (0, 0, 0)])
def test_what_is_on_no_calendar_is_refused(parts):
    with pytest.raises(ValueError, match=r"."):
        BirthDate(*parts)


@pytest.mark.parametrize(("low", "high"), [(-1, 3), (9, 8)])
def test_a_range_that_is_none_is_refused(low, high):
    with pytest.raises(ValueError, match="range"):
        AgeRange(low, high)


def test_every_day_of_fifteen_years_turns_a_child_into_no_child_exactly_once():
    first, today = date(2011, 11, 1), date(2026, 11, 22)
    answers = []
    for offset in range((today - first).days + 1):
        day = first + timedelta(days=offset)
        whole_years = today.year - day.year - ((today.month, today.day) < (day.month, day.day))
        answer = age_of(born(day.year, day.month, day.day), NOON)
        assert answer is (Age.OK if whole_years >= 13 else Age.CHILD), day
        answers.append(answer)
    assert sum(a is not b for a, b in pairwise(answers)) == 1


DAYS = st.dates(date(2011, 1, 1), date(2026, 11, 22))
MOMENTS = st.integers(at(2024, 1, 1), at(2039, 1, 1))


@given(DAYS, MOMENTS, st.integers(0, 400 * 86_400_000))
def test_nobody_becomes_a_child_again(day, moment, later):
    birth = born(day.year, day.month, day.day)
    assert not (age_of(birth, moment) is Age.OK and age_of(birth, moment + later) is Age.CHILD)


@given(DAYS, MOMENTS)
def test_knowing_less_never_contradicts_knowing_more(day, moment):
    exact = age_of(born(day.year, day.month, day.day), moment)
    assert age_of(BirthDate(day.year, day.month), moment) in {exact, None}
    assert age_of(BirthDate(day.year), moment) in {exact, None}


@given(DAYS, DAYS, MOMENTS)
def test_the_younger_of_two_is_never_of_age_before_the_elder(one, other, moment):
    elder, younger = sorted([one, other])
    if age_of(born(elder.year, elder.month, elder.day), moment) is Age.CHILD:
        assert age_of(born(younger.year, younger.month, younger.day), moment) is Age.CHILD
