"""How old a person is, from what a provider says: for the under-13 gate."""

from __future__ import annotations

import re

from connector.model.tags import Age
from connector.policy import AgeRange, BirthDate, age_of
from providers.capabilities import Account

_FULL = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_MONTH = re.compile(r"(\d{4})-(\d{2})")
_YEAR = re.compile(r"(\d{4})")


def age_by_provider(account: Account, at: int) -> Age | None:
    """OK, CHILD, or None where the provider's facts do not say. The careful one of several facts counts."""
    found = {age_of(_birth_date(account.birthdate), at), age_of(_range(account.age_range), at)}
    if Age.CHILD in found:
        return Age.CHILD
    return Age.OK if Age.OK in found else None


def _birth_date(text: str) -> BirthDate | None:
    """A date as OpenID Connect Core 5.1 writes it; a year of 0000 or none at all is unknown."""
    for form in (_FULL, _MONTH, _YEAR):
        match = form.fullmatch(text)
        if match and match.group(1) != "0000":
            return _sane(*(int(part) for part in match.groups()))
    return None


def _sane(year: int, month: int | None = None, day: int | None = None) -> BirthDate | None:
    try:
        return BirthDate(year, month, day)
    except ValueError:
        return None


def _range(found: tuple[int | None, int | None] | None) -> AgeRange | None:
    if found is None:
        return None
    low, high = found
    try:
        return AgeRange(low or 0, high)
    except ValueError:
        return None
