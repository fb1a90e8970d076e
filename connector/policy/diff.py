"""What changes from one version to the next, cell by cell, and the notice that clause 7 owes people of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from connector.model.tags import Obligation, Use
from connector.policy.boxes import boxes_by_use
from connector.policy.overlays import OWN
from connector.policy.space import Box, Cells
from connector.policy.versions import Version, closed, opened
from connector.policy.words import OWED, phrase

MOST_PHRASES: Final = 8


@dataclass(frozen=True, slots=True)
class Change:
    """One use that a version opens, closes, or owes less for.

    Attributes:
        kind: opened, closed or eased.
        terms: whose terms it is under, where only under those; else `OWN`.
        flow: the sentence for people.
        boxes: exactly which cells, under this use.
        cells: how many.
        owed: what is no longer owed, where it is eased.
    """

    kind: str
    use: Use
    terms: str
    flow: str
    boxes: tuple[Box, ...]
    cells: int
    owed: Obligation | None = None

    def __str__(self) -> str:
        under = f" under the terms of {self.terms}" if self.terms else ""
        less = f" without {self.owed}" if self.owed else ""
        shown = "; ".join(_exactly(box) for box in self.boxes[:MOST_PHRASES])
        more = "; …" if len(self.boxes) > MOST_PHRASES else ""
        return f"{self.kind} {self.use}{under}{less}: {self.cells} cells: {shown}{more}"


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything that changes between two versions."""

    older: Version
    newer: Version
    changes: tuple[Change, ...]

    @property
    def widens(self) -> bool:
        """Whether anything becomes possible that was not, or is done with less owed."""
        return any(change.kind != "closed" for change in self.changes)

    def count(self, kind: str) -> int:
        """How many cells were opened, closed or eased."""
        return sum(change.cells for change in self.changes if change.kind == kind)


def difference(older: Version, newer: Version) -> Difference:
    """The cells that change, under our own rules and under each provider's terms."""
    changes = [*_changes(older, newer, OWN, {})]
    already = _by_kind(older, newer, OWN)
    for terms in sorted({overlay.name for version in (older, newer) for overlay in version.book.overlays}):
        changes += _changes(older, newer, terms, already)
    return Difference(older, newer, tuple(changes))


def notice(found: Difference, *, contact: str) -> str:
    """The notice in plain words. It says all that changes, and nothing of anybody."""
    day = datetime.fromtimestamp(found.newer.effective_at / 1000, UTC).strftime("%-d %B %Y")
    lines = [f"Our privacy policy changes on {day} (version {found.newer.name}).", ""]
    for kind, head in _HEADS.items():
        said = [change for change in found.changes if change.kind == kind]
        if said:
            lines += [head, "", *(line for change in said for line in _told(change, found)), ""]
    if not found.changes:
        lines += ["Nothing changes in what may happen with your information.", ""]
    lines += [
        "What ends, ends for everyone on that day. What is new counts for you only once you use the service after",
        "this notice was posted, and what you had agreed to before is asked again where it would reach further.",
        f"Questions: {contact}",
    ]
    return "\n".join(lines) + "\n"


_HEADS: Final[Mapping[str, str]] = {
    "opened": "What becomes possible:",
    "eased": "What we did each time and no longer promise:",
    "closed": "What ends:",
}


def _told(change: Change, found: Difference) -> Iterator[str]:
    overlay = found.newer.overlay(change.terms) or found.older.overlay(change.terms)
    whose = f" (of what came under the terms of {overlay.title})" if overlay else ""
    less = f" No longer with {OWED[change.owed]}." if change.owed else ""
    yield f"- {change.flow}{less}{whose} This is about:"
    yield from (f"  - {phrase(box)}" for box in change.boxes[:MOST_PHRASES])
    if len(change.boxes) > MOST_PHRASES:
        yield f"  - and {len(change.boxes) - MOST_PHRASES} more cases; ask us for the whole list"


def _changes(older: Version, newer: Version, terms: str, already: Mapping[str, Cells]) -> Iterator[Change]:
    flows = {**older.book.flows, **newer.book.flows}
    for kind, cells in _by_kind(older, newer, terms).items():
        named, _, owed = kind.partition(" ")
        rest = cells - already[kind] if kind in already else cells
        for use, boxes in boxes_by_use(rest).items():
            flow = flows.get(str(use), f"{str(use).capitalize()}.")
            size = rest.blocks[use.index].bit_count()
            yield Change(named, use, terms, flow, boxes, size, Obligation(owed) if owed else None)


def _by_kind(older: Version, newer: Version, terms: str) -> dict[str, Cells]:
    found = {"opened": opened(older, newer, terms), "closed": closed(older, newer, terms)}
    before, after = older.tables_under(terms), newer.tables_under(terms)
    for word in Obligation:
        found[f"eased {word}"] = (before.carried[word][0] & after.allowed) - after.carried[word][0]
    return found


def _exactly(box: Box) -> str:
    return ", ".join(f"{name} in {'/'.join(sorted(words))}" for name, words in box.words.items()) or "whatever the tags"
