"""Whether a person is old enough, from what is known of their birth. No clock: the moment is handed in.

Unknown is an answer of its own (None): it is asked for before anything is decided. At the edges the careful side is
taken: the day is that of the last time zone on Earth (UTC-12), someone born on 29 February comes of age on 1 March, a
partial date makes a child only where every day it may mean does, and so does a range of ages.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from connector.model.tags import Age

AGE_OF_CONSENT: Final = 13
OLDEST: Final = 130
_LAST_ZONE: Final = timedelta(hours=-12)
_LEAP_YEAR: Final = 2000
_MONTHS: Final = 12


@dataclass(frozen=True, slots=True)
class BirthDate:
    """A birth date of which parts may be missing. Raises ValueError when the parts given are no date."""

    year: int | None = None
    month: int | None = None
    day: int | None = None

    def __post_init__(self) -> None:
        """Refuse what is on no calendar."""
        if self.month is None and self.day is not None:
            raise ValueError("a birth date with a day needs its month")
        parts = (_LEAP_YEAR, 1, 1), (self.year, self.month, self.day)
        date(*(default if part is None else part for default, part in zip(*parts, strict=True)))

    def days(self) -> tuple[date, date] | None:
        """The first and the last day it may mean; None without a year."""
        if self.year is None:
            return None
        if self.month is None:
            return date(self.year, 1, 1), date(self.year, 12, 31)
        if self.day is None:
            return date(self.year, self.month, 1), _last_of_month(self.year, self.month)
        exact = date(self.year, self.month, self.day)
        return exact, exact


@dataclass(frozen=True, slots=True)
class AgeRange:
    """A range of ages in whole years, both ends included; `high` None where it is open."""

    low: int = 0
    high: int | None = None

    def __post_init__(self) -> None:
        """Refuse a range that is none."""
        if self.low < 0 or (self.high is not None and self.high < self.low):
            raise ValueError("an age range runs from a lower to a higher age")


def age_of(birth: BirthDate | AgeRange | None, at: int, limit: int = AGE_OF_CONSENT) -> Age | None:
    """OK, CHILD, or None where it cannot be known.

    Args:
        birth: what is known; a range is taken as of `at`.
        at: the moment of asking, ms since the epoch.
        limit: the age in years from which a person is no child.
    """
    if birth is None:
        return None
    if isinstance(birth, AgeRange):
        return _of_range(birth, limit)
    days = birth.days()
    if days is None:
        return None
    first, last = days
    today = _today(at)
    if today.year - last.year > OLDEST:  # a stand-in year for an unknown one, such as 1604
        return None
    if today >= _birthday(last, limit):
        return Age.OK
    return Age.CHILD if today < _birthday(first, limit) else None


def _of_range(ages: AgeRange, limit: int) -> Age | None:
    if ages.high is not None and ages.high < limit:
        return Age.CHILD
    return Age.OK if ages.low >= limit else None


def _today(at: int) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at) + _LAST_ZONE).date()


def _birthday(born: date, years: int) -> date:
    try:
        return born.replace(year=born.year + years)
    except ValueError:  # 29 February, and that year has none
        return date(born.year + years, 3, 1)


def _last_of_month(year: int, month: int) -> date:
    if month == _MONTHS:
        return date(year, month, 31)
    return date(year, month + 1, 1) - timedelta(days=1)
