"""How much of a version its promises hold in place: weaken each rule in turn and see whether a promise breaks.

A mutant drops a rule, turns its effect round, frees one dimension of it or of one of its exceptions, drops an
exception, or drops an obligation. One that changes no cell and no obligation is equivalent and does not count. The
score is the share of the others that break a promise; who survives is still caught by the golden hash of the table.
The refusals of providers' terms are weakened alike, under their own promises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from connector.policy.proof import find_overlay_violations, find_violations, find_widenings, promised_cells
from connector.policy.rules import Effect, Overlay, Rule
from connector.policy.space import Cells
from connector.policy.versions import Sums, Tables, Version, with_cells


@dataclass(frozen=True, slots=True)
class Score:
    """What became of the mutants; `survivors` says in words which weakening no promise notices."""

    mutants: int
    equivalent: int
    killed: int
    survivors: tuple[str, ...]

    @property
    def share(self) -> float:
        """Killed among those that are not equivalent, 0 to 1."""
        counted = self.mutants - self.equivalent
        return self.killed / counted if counted else 1.0


def score(version: Version) -> Score:
    """Try every mutant of a version's rules, and of the terms of providers."""
    book, promised = version.book, promised_cells(version.book)

    def breaks(tables: Tables) -> bool:
        return any(True for _ in find_violations(book, tables, promised))

    terms = [_try_overlay(version, overlay, promised) for overlay in book.overlays]
    tried = [_try(with_cells(book.rules), version.tables, breaks), *terms]
    return Score(
        mutants=sum(each.mutants for each in tried),
        equivalent=sum(each.equivalent for each in tried),
        killed=sum(each.killed for each in tried),
        survivors=tuple(name for each in tried for name in each.survivors),
    )


def _try_overlay(version: Version, overlay: Overlay, promised: Mapping[str, Cells]) -> Score:
    own = with_cells(version.book.rules)

    def breaks(tables: Tables) -> bool:
        widened = any(True for _ in find_widenings(version.book, overlay, version.tables, tables))
        return widened or any(True for _ in find_overlay_violations(version.book, overlay, tables, promised))

    return _try(with_cells(overlay.rules), version.tables_under(overlay.name), breaks, beside=own)


def _try(
    whole: list[tuple[Rule, Cells]],
    sound: Tables,
    breaks: Callable[[Tables], bool],
    beside: Sequence[tuple[Rule, Cells]] = (),
) -> Score:
    mutants = equivalent = killed = 0
    survivors: list[str] = []
    for place, (rule, _) in enumerate(whole):
        rest = Sums.of([*beside, *whole[:place], *whole[place + 1 :]])
        for name, changed in mutants_of(rule):
            mutants += 1
            tables = rest.with_rules(with_cells(changed))
            if tables == sound:
                equivalent += 1
            elif breaks(tables):
                killed += 1
            else:
                survivors.append(f"{rule.id}: {name}")
    return Score(mutants, equivalent, killed, tuple(survivors))


def mutants_of(rule: Rule) -> Iterator[tuple[str, list[Rule]]]:
    """Each weakening of a rule with its name; an empty list is the rule dropped."""
    yield "dropped", []
    for name, changed in _changes(rule):
        yield name, [changed]


def _changes(rule: Rule) -> Iterator[tuple[str, Rule]]:
    if rule.effect is not Effect.OBLIGE:
        turned = Effect.DENY if rule.effect is Effect.ALLOW else Effect.ALLOW
        yield f"turned to {turned}", replace(rule, effect=turned)
    for dimension in rule.box.words:
        yield f"{dimension} freed", replace(rule, box=rule.box.without(dimension))
    for number, exception in enumerate(rule.exceptions):
        rest = rule.exceptions[:number], rule.exceptions[number + 1 :]
        yield f"exception {number + 1} dropped", replace(rule, exceptions=(*rest[0], *rest[1]))
        for dimension in exception.words:
            freed = (*rest[0], exception.without(dimension), *rest[1])
            yield f"exception {number + 1}: {dimension} freed", replace(rule, exceptions=freed)
    for word in rule.obligations:
        left = tuple(other for other in rule.obligations if other is not word)
        yield f"obligation {word} dropped", replace(rule, obligations=left)
