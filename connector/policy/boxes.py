"""A set of cells as boxes again: exact, without overlap, few enough to be read.

Where two words of a dimension open the same, they stand together; what a dimension does not part, is left out of the
box. The union of the boxes is the set, cell by cell.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from connector.model.tags import Use, Word
from connector.policy.space import DIMENSIONS, STANDING_NAMES, TAG_NAMES, USES, WIDTH, Box, Cells

_INNER: Final = TAG_NAMES + STANDING_NAMES
_Words = tuple[tuple[str, tuple[Word, ...]], ...]


def boxes_by_use(cells: Cells) -> dict[Use, tuple[Box, ...]]:
    """For each use with cells in the set, the boxes of tags and standings under it, in the order of the uses."""
    return {USES[use]: inner_boxes(cells.blocks[use]) for use in sorted(cells.blocks) if cells.blocks[use]}


def inner_boxes(bits: int) -> tuple[Box, ...]:
    """The boxes of one use's bits."""
    return tuple(Box({name: frozenset(words) for name, words in each}) for each in _split(bits, 0, WIDTH))


@lru_cache(maxsize=4096)
def _split(bits: int, place: int, width: int) -> tuple[_Words, ...]:
    if not bits:
        return ()
    if place == len(_INNER):
        return ((),)
    name = _INNER[place]
    words = list(DIMENSIONS[name])
    step = width // len(words)
    alike: dict[int, list[Word]] = {}
    for word in words:
        alike.setdefault(bits >> (word.rank * step) & ((1 << step) - 1), []).append(word)
    free = len(alike) == 1
    return tuple(
        rest if free else ((name, tuple(group)), *rest)
        for part, group in alike.items()
        for rest in _split(part, place + 1, step)
    )
