"""Times as text."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import overload


@overload
def iso(at: int) -> str: ...
@overload
def iso(at: None) -> None: ...
@overload
def iso(at: int | None) -> str | None: ...
def iso(at: int | None) -> str | None:
    """Milliseconds since the epoch as RFC 3339 text in UTC, to the second."""
    return None if at is None else datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
