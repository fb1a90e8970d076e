"""One card out of values from several sources. Nothing overwrites anything: the view selects, the values stay apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Piece:
    """An opened value as the view needs it. `imported_from` is a connection, None for what the person typed in."""

    pointer: str
    value: Any = field(repr=False)
    imported_from: str | None
    collected_at: int


def compose(pieces: Sequence[Piece]) -> dict[str, Any]:
    """The card: what the person typed in goes before, then the newest. Entries of equal key get a number."""
    card: dict[str, Any] = {"@type": "Card", "version": "1.0"}
    typed = {piece.pointer for piece in pieces if piece.imported_from is None}
    ordered = sorted(pieces, key=lambda piece: (piece.imported_from is not None, -piece.collected_at, piece.pointer))
    for piece in ordered:
        if piece.imported_from is not None and piece.pointer in typed:
            continue
        head, _, key = piece.pointer.lstrip("/").partition("/")
        if not key:
            card.setdefault(head, piece.value)
        else:
            _add(card.setdefault(head, {}), key, piece.value)
    return card


def _add(entries: dict[str, Any], key: str, value: Any) -> None:
    if value in entries.values():
        return
    free, number = key, 2
    while free in entries:
        free, number = f"{key}-{number}", number + 1
    entries[free] = value
