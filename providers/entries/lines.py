"""On which line of a TOML file a key stands, so that a complaint can point at it.

`tomllib` keeps no places, so the text is looked through again, and only when there is something to complain about. It
knows the plain form in which entries are written: one key at the beginning of a line, tables under their headers.
"""

from __future__ import annotations

import re

_NAME = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"{_NAME}(?:\s*\.\s*{_NAME})*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]\]?")
_KEY = re.compile(rf"\s*({_DOTTED})\s*=")
_PART = re.compile(_NAME)


def line_of(text: str, *path: str) -> int:
    """The line, from 1, of the longest beginning of `path` that the text has; 1 where it has none of it.

    A row of an array of tables is named by its number, from 0: `line_of(text, "quirks", "0", "on")`.
    """
    places = _places(text)
    for end in range(len(path), 0, -1):
        if path[:end] in places:
            return places[path[:end]]
    return 1


def _places(text: str) -> dict[tuple[str, ...], int]:
    places: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    rows: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line)
        if header is not None:
            table = _parts(header.group(2))
            if header.group(1) == "[[":
                rows[table] = rows.get(table, -1) + 1
                places.setdefault(table, number)
                table = (*table, str(rows[table]))
        found = None if header is not None else _KEY.match(line)
        path = table if found is None else (*table, *_parts(found.group(1)))
        if header is not None or found is not None:
            for end in range(1, len(path) + 1):  # a header stands for the tables above it, too
                places.setdefault(path[:end], number)
    return places


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))
