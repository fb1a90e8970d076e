"""The proof: every promise, the order of restriction and the list of flows, checked in every combination.

And again under the terms of each provider: there nothing may be open that our own rules close, what must never be and
what is owed holds as well, and the terms keep their own promises.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from connector.model.tags import Action
from connector.policy.rules import Kind, Overlay, Promise, Rulebook
from connector.policy.space import COMBINATIONS, DIMENSIONS, USES, Box, Cells, shifted
from connector.policy.versions import Tables, Version

MONOTONE: Final = ("source", "age", "visibility", "link", "choice", "notice")


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that does not hold, with a combination that shows it.

    Attributes:
        promise: its id; `flows` and `monotone-<dimension>` for the two built-in ones.
        cell: the combination in words; empty where no cell is at fault.
        cells: how many combinations break it.
    """

    version: str
    promise: str
    clause: str
    meaning: str
    cell: str
    cells: int

    def __str__(self) -> str:
        where = f" in {self.cells} combinations, first: {self.cell}" if self.cell else ""
        return f"{self.version}: clause {self.clause}, {self.promise}: {self.meaning} Broken{where}."


@dataclass(frozen=True, slots=True)
class Report:
    """What the proof of a version found. Sound when there is no violation.

    Attributes:
        combinations: how many cells there are, all of them checked: the space under our own terms, and once more
            under those of each provider.
        allowed: how many of the first are allowed.
        terms: for each provider's terms, how many of its cells are allowed.
        flows_possible: how many of the (action, recipient, purpose) can be allowed at all.
        invariants: how many promises were checked, the built-in ones included.
        sha256: of the whole table.
        seconds: how long it took; 0 unless a stopwatch was handed in.
    """

    version: str
    combinations: int
    allowed: int
    flows_possible: int
    invariants: int
    violations: tuple[Violation, ...]
    sha256: str
    terms: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def sound(self) -> bool:
        """Whether every promise holds."""
        return not self.violations


def prove(version: Version) -> Report:
    """Check a version in every combination."""
    book, tables = version.book, version.tables
    promised = promised_cells(book)
    violations = [*find_violations(book, tables, promised)]
    under = {overlay.name: version.tables_under(overlay.name) for overlay in book.overlays}
    for overlay in book.overlays:
        violations += find_widenings(book, overlay, tables, under[overlay.name])
        violations += find_overlay_violations(book, overlay, under[overlay.name], promised)
    return Report(
        version=version.name,
        combinations=COMBINATIONS * (1 + len(under)),
        allowed=len(tables.allowed),
        flows_possible=len(possible_flows(tables.allowed)),
        invariants=_promises_checked(book),
        violations=tuple(violations),
        sha256=tables.allowed.sha256(),
        terms={name: len(found.allowed) for name, found in under.items()},
    )


def promised_cells(book: Rulebook) -> dict[str, Cells]:
    """The cells each promise speaks of, by its id."""
    promises = [*book.promises, *(promise for overlay in book.overlays for promise in overlay.promises)]
    return {promise.id: Cells.of(promise.box, promise.exceptions) for promise in promises}


def find_violations(book: Rulebook, tables: Tables, promised: Mapping[str, Cells]) -> Iterator[Violation]:
    """Every promise that does not hold, the quickly checked first."""
    yield from _break_flows(book, tables.allowed)
    for promise in book.promises:
        cells = breaking(tables, promise, promised[promise.id])
        yield from _violation(book, promise.id, promise.clause, promise.meaning, cells)
    yield from _break_order(book, tables)


def _break_order(book: Rulebook, tables: Tables, under: str = "") -> Iterator[Violation]:
    for dimension in MONOTONE:
        cells = opened_by_restriction(tables.allowed, dimension)
        meaning = f"A more restrictive {dimension} never opens anything."
        yield from _violation(book, f"{under}monotone-{dimension}", book.default_clause, meaning, cells)


def find_widenings(book: Rulebook, overlay: Overlay, own: Tables, under: Tables) -> Iterator[Violation]:
    """What a provider's terms open or let go of what is owed: nothing, or they are no overlay."""
    meaning = f"The terms of {overlay.title} open nothing."
    yield from _violation(book, f"{overlay.name}-narrows", book.default_clause, meaning, under.allowed - own.allowed)
    let_go = Cells.union((under.allowed & own.carried[word][0]) - under.carried[word][0] for word in own.carried)
    meaning = f"The terms of {overlay.title} take nothing from what is owed."
    yield from _violation(book, f"{overlay.name}-owes", book.default_clause, meaning, let_go)


def find_overlay_violations(
    book: Rulebook, overlay: Overlay, under: Tables, promised: Mapping[str, Cells]
) -> Iterator[Violation]:
    """What does not hold under a provider's terms: their own promises, and ours of what must never be or is owed."""
    ours = [promise for promise in book.promises if promise.kind is not Kind.ALWAYS and not promise.when_denied]
    for promise in (*overlay.promises, *ours):
        cells = breaking(under, promise, promised[promise.id])
        yield from _violation(book, promise.id, promise.clause, f"Under {overlay.name}: {promise.meaning}", cells)
    yield from _break_order(book, under, f"{overlay.name}-")


def _promises_checked(book: Rulebook) -> int:
    under = sum(len(overlay.promises) + 2 for overlay in book.overlays)
    return len(book.promises) + len(MONOTONE) + 1 + under


def possible_flows(allowed: Cells) -> tuple[str, ...]:
    """The (action, recipient, purpose) under which anything at all is allowed, in order."""
    return tuple(str(USES[use]) for use in sorted(allowed.blocks) if allowed.blocks[use])


def breaking(tables: Tables, promise: Promise, box: Cells) -> Cells:
    """The cells that break a promise about a box; empty when it holds."""
    if promise.kind is Kind.NEVER:
        return box & tables.allowed
    if promise.kind is Kind.ALWAYS:
        return box - tables.allowed
    subject = box - tables.allowed if promise.when_denied else box & tables.allowed
    return Cells.union(subject - tables.carried[word][promise.when_denied] for word in promise.obligations)


def opened_by_restriction(allowed: Cells, dimension: str) -> Cells:
    """The cells that a more restrictive word of a dimension opens, collecting aside.

    Derived values take the more restrictive word, so it must never give more. Collecting is no derivation: there a word
    is stamped for the first time.
    """
    derived = allowed - Cells.of(Box({"action": frozenset([Action.COLLECT])}))
    words = list(DIMENSIONS[dimension])
    return Cells.union(
        (derived & Cells.of(Box({dimension: frozenset([stricter])}))) - shifted(derived, dimension, milder, stricter)
        for milder, stricter in pairwise(words)
    )


def _break_flows(book: Rulebook, allowed: Cells) -> Iterator[Violation]:
    possible = set(possible_flows(allowed))
    wrong = [
        *((flow, "is possible but not named among the flows.") for flow in sorted(possible - set(book.flows))),
        *((flow, "is named among the flows but not possible.") for flow in sorted(set(book.flows) - possible)),
    ]
    for flow, problem in wrong:
        yield Violation(book.version, "flows", book.default_clause, f'"{flow}" {problem}', cell="", cells=0)


def _violation(book: Rulebook, promise: str, clause: str, meaning: str, cells: Cells) -> Iterator[Violation]:
    witness = cells.first()
    if witness is not None:
        yield Violation(book.version, promise, clause, meaning, str(witness), len(cells))
