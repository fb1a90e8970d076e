"""How old somebody in an import is, from what the provider says of them."""

from __future__ import annotations

from contextlib import suppress

from connector.model.tags import Age
from connector.policy import AgeRange, BirthDate, age_of
from providers.capabilities import Item

_YEAR_LENGTH = 4


def is_child(item: Item, at: int) -> bool:
    """Whether a birth date or an age range makes this a child under the age of consent. Unknown makes nobody one."""
    return Age.CHILD in {age_of(_birth_date(item.birthdate), at), age_of(_range(item.age_range), at)}


def _birth_date(text: str) -> BirthDate | None:
    """1990-05-17, 1990-05 or 1990; None for anything else, a date without its year included."""
    parts = text.split("-")
    if len(parts[0]) != _YEAR_LENGTH or not all(part.isascii() and part.isdigit() for part in parts[:3]):
        return None
    with suppress(ValueError, TypeError):
        return BirthDate(*(int(part) for part in parts[:3]))
    return None


def _range(found: tuple[int | None, int | None] | None) -> AgeRange | None:
    with suppress(ValueError, TypeError):
        return None if found is None else AgeRange(found[0] or 0, found[1])
    return None
