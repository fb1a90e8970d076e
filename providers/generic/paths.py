"""Dotted paths into an answer: `data.0.id`, `emails.[primary=true].email`.

A name picks a field, a number an element of a list, `[key=value]` the first object of a list whose field has that value
(`true`, `false` and numbers as JSON writes them). A path that leads nowhere is simply absent: None.
"""

from __future__ import annotations

import re
from typing import Any

_STEP = re.compile(r"\[([^\]=]+)=([^\]]+)\]|([^.\[\]]+)")


def at(value: Any, path: str) -> Any:
    """What is at the path; the value itself for the empty path; None where the path leads nowhere."""
    for key, wanted, name in _STEP.findall(path):
        value = _chosen(value, key, wanted) if key else _named(value, name)
        if value is None:
            return None
    return value


def _named(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return value.get(name)
    if isinstance(value, list) and name.isdecimal() and int(name) < len(value):
        return value[int(name)]
    return None


def _chosen(value: Any, key: str, wanted: str) -> Any:
    if not isinstance(value, list):
        return None
    return next((row for row in value if isinstance(row, dict) and as_text(row.get(key)) == wanted), None)


def as_text(value: Any) -> str:
    """A text, number or boolean as JSON writes it, without quotes; "" for anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | str):
        return str(value)
    return ""
