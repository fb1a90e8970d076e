"""The proof: every promise, the order of restriction and the list of flows, checked in every combination."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from connector.model.tags import Action
from connector.policy.rules import Kind, Promise, Rulebook
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
        combinations: how many cells there are, all of them checked.
        allowed: how many of them are allowed.
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
    seconds: float = 0.0

    @property
    def sound(self) -> bool:
        """Whether every promise holds."""
        return not self.violations


def prove(version: Version) -> Report:
    """Check a version in every combination."""
    book, tables = version.book, version.tables
    return Report(
        version=version.name,
        combinations=COMBINATIONS,
        allowed=len(tables.allowed),
        flows_possible=len(possible_flows(tables.allowed)),
        invariants=len(book.promises) + len(MONOTONE) + 1,
        violations=tuple(find_violations(book, tables, promised_cells(book))),
        sha256=tables.allowed.sha256(),
    )


def promised_cells(book: Rulebook) -> dict[str, Cells]:
    """The cells each promise speaks of, by its id."""
    return {promise.id: Cells.of(promise.box, promise.exceptions) for promise in book.promises}


def find_violations(book: Rulebook, tables: Tables, promised: Mapping[str, Cells]) -> Iterator[Violation]:
    """Every promise that does not hold, the quickly checked first."""
    yield from _break_flows(book, tables.allowed)
    for promise in book.promises:
        cells = breaking(tables, promise, promised[promise.id])
        yield from _violation(book, promise.id, promise.clause, promise.meaning, cells)
    for dimension in MONOTONE:
        cells = opened_by_restriction(tables.allowed, dimension)
        meaning = f"A more restrictive {dimension} never opens anything."
        yield from _violation(book, f"monotone-{dimension}", book.default_clause, meaning, cells)


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
