"""Lists in pages: at most 200 a page, and a cursor for the next.

A cursor says only where to go on. It is no secret and grants nothing: what it may reach is decided anew with each page.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from connector.model.errors import BadInput

T = TypeVar("T")

MAX_LIMIT = 200
DEFAULT_LIMIT = 50
MAX_CURSOR = 512
PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    "cursor": {"type": "string"},
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which page: how many, and after what (the last place of the page before; empty at the start)."""

    limit: int
    after: tuple[str | int, ...]


def wanted(parameters: Mapping[str, str]) -> Wanted:
    """The page that query parameters ask for.

    Raises:
        BadInput: `limit` is no number from 1 to 200, or `cursor` is none of ours.
    """
    written = parameters.get("limit", str(DEFAULT_LIMIT))
    if not (written.isascii() and written.isdigit() and len(written) <= 3 and 1 <= int(written) <= MAX_LIMIT):  # noqa: PLR2004  digits of MAX_LIMIT
        raise BadInput("bad_limit", f"limit is a number from 1 to {MAX_LIMIT}.")
    return Wanted(int(written), read_cursor(parameters["cursor"]) if "cursor" in parameters else ())


def page(
    items: Sequence[T], wanted: Wanted, *, show: Callable[[T], Any], place: Callable[[T], tuple[str | int, ...]]
) -> dict[str, Any]:
    """The answer for a page. `items` holds one more than `wanted.limit` where there is more; `place` orders them."""
    shown = items[: wanted.limit]
    more = len(items) > wanted.limit
    return {"items": [show(item) for item in shown], "next": write_cursor(place(shown[-1])) if more else None}


def write_cursor(place: tuple[str | int, ...]) -> str:
    """A place as text for a URL."""
    return base64.urlsafe_b64encode(json.dumps(place, separators=(",", ":")).encode()).rstrip(b"=").decode()


def read_cursor(cursor: str) -> tuple[str | int, ...]:
    """The place in a cursor. Raises BadInput for anything that `write_cursor` would not have written."""
    try:
        place = json.loads(
            base64.b64decode(cursor[:MAX_CURSOR] + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        )
    except (ValueError, binascii.Error, RecursionError):
        place = None
    if not isinstance(place, list) or not place or any(type(part) not in {str, int} for part in place):
        raise BadInput("bad_cursor", "The cursor is none of ours; begin again without it.")
    return tuple(place)
