"""What a choice opens: the cells that hang on it. Where a new version adds to them, it has to be asked again."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from connector.model.tags import Action, Category, Choice, Purpose, Source, Word
from connector.policy.overlays import OWN
from connector.policy.space import Box, Cells, shifted
from connector.policy.versions import Version

IMPORT: Final = "import"
PUSH: Final = "push"


@lru_cache(maxsize=256)
def carried(version: Version, direction: str, categories: frozenset[Category], terms: str = OWN) -> Cells:
    """The cells that a choice to import, or to push, opens: allowed with it, and not both without it and against it.

    An import carries everything that happens with what came in, a push everything on the way out.
    """
    allowed = version.tables_under(terms).allowed & _about(direction, categories)
    given = allowed & Cells.of(Box({"choice": frozenset([Choice.GIVEN])}))
    anyway = shifted(allowed, "choice", Choice.NONE, Choice.GIVEN) & shifted(
        allowed, "choice", Choice.WITHDRAWN, Choice.GIVEN
    )
    return given - anyway


@lru_cache(maxsize=256)
def carried_sha256(version: Version, direction: str, categories: frozenset[Category], terms: str = OWN) -> str:
    """A hash over the same, cell by cell."""
    return carried(version, direction, categories, terms).sha256()


@lru_cache(maxsize=256)
def widened(older: Version, newer: Version, direction: str, categories: frozenset[Category], terms: str = OWN) -> bool:
    """Whether a choice made under one version would open more under another."""
    before = carried(older, direction, categories, terms)
    return bool(carried(newer, direction, categories, terms) - before)


def _about(direction: str, categories: frozenset[Category]) -> Cells:
    kinds: dict[str, frozenset[Word]] = {"category": frozenset(categories)}
    outward = Cells.union(
        (
            Cells.of(Box({**kinds, "action": frozenset([Action.PUSH])})),
            Cells.of(Box({**kinds, "purpose": frozenset([Purpose.SYNC])})),
        )
    )
    if direction == PUSH:
        return outward
    return Cells.of(Box({**kinds, "source": frozenset([Source.IMPORTED])})) - outward
