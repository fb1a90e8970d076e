"""Lengths of time as people write them: `7d`, `6h`, `60s`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_WRITTEN = re.compile(r"([0-9]{1,9})([smhdw])")


def parse_duration(written: object) -> timedelta:
    """The length of time that `written` names: a whole number and one of s, m, h, d, w. Zero is not a length.

    Raises:
        ValueError: with a sentence that says how to write one.
    """
    if isinstance(written, timedelta):
        return written
    match = _WRITTEN.fullmatch(written.strip()) if isinstance(written, str) else None
    if match is None:
        raise ValueError('write a whole number and a unit (s, m, h, d or w) in quotes, such as "7d" or "60s"')
    length = timedelta(**{_UNITS[match[2]]: int(match[1])})
    if not length:
        raise ValueError('it must be longer than nothing, such as "60s"')
    return length


def show_duration(length: timedelta) -> str:
    """`length` in the largest unit that divides it: the inverse of `parse_duration`."""
    seconds = int(length.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
