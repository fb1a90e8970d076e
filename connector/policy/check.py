"""What the command line asks of the policy: prove the versions of a directory, list the flows that can happen."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from connector.model.errors import Misconfigured
from connector.model.tags import Category
from connector.policy.decision import Policy
from connector.policy.load import load_policy
from connector.policy.proof import Report, Violation, possible_flows, prove
from connector.policy.rules import Effect
from connector.policy.space import USES, Box, Cells
from connector.policy.versions import Version


@dataclass(frozen=True, slots=True)
class Flow:
    """One (action, recipient, purpose) that can happen.

    Attributes:
        meaning: the sentence for people.
        categories: the kinds of information that can take part.
        clauses: the clauses that allow it, in the order of the text.
    """

    action: str
    recipient: str
    purpose: str
    meaning: str
    categories: tuple[str, ...]
    clauses: tuple[str, ...]


def check(directory: Path, texts: Path | None = None, *, stopwatch: Callable[[], float] = time.perf_counter) -> Report:
    """The proof of every version under a directory, as one report on the newest with the violations of all.

    `texts` as for `load_policy`.

    Raises:
        PolicyUnreadable: when a file cannot be taken as it is.
    """
    started = stopwatch()
    reports = [prove(version) for version in load_policy(directory, texts).versions]
    violations = tuple(violation for report in reports for violation in report.violations)
    return replace(reports[-1], violations=violations, seconds=round(stopwatch() - started, 3))


class PolicyUnsound(Misconfigured):
    """A policy that breaks a promise. The hint names the clause, the promise and a combination that shows it."""

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        self.violations = violations
        others = f" {len(violations) - 1} more: connector policy check" if len(violations) > 1 else ""
        super().__init__("policy_unsound", f"{violations[0]}{others}")


def load_sound_policy(directory: Path, texts: Path | None = None) -> Policy:
    """The policy for a server to start with: loaded, and every version proven in every combination.

    `texts` as for `load_policy`.

    Raises:
        PolicyUnreadable: when a file cannot be taken as it is.
        PolicyUnsound: when a version breaks a promise.
    """
    policy = load_policy(directory, texts)
    violations = tuple(violation for version in policy.versions for violation in prove(version).violations)
    if violations:
        raise PolicyUnsound(violations)
    return policy


def flows(policy: Policy, at: int | None = None) -> tuple[Flow, ...]:
    """All that can happen under the version in effect at an instant (ms), or under the newest."""
    version = policy.versions[-1] if at is None else policy.in_effect(at)
    if version is None:
        return ()
    possible = set(possible_flows(version.tables.allowed))
    return tuple(_flow(version, use) for use in range(len(USES)) if str(USES[use]) in possible)


def _flow(version: Version, index: int) -> Flow:
    use = USES[index]
    open_cells = Cells({index: version.tables.allowed.blocks[index]})
    opening = {
        rule.clause
        for rule in version.book.rules
        if rule.effect is Effect.ALLOW and Cells.of(rule.box, rule.exceptions) & open_cells
    }
    return Flow(
        action=str(use.action),
        recipient=str(use.recipient),
        purpose=str(use.purpose),
        meaning=version.book.flows.get(str(use), ""),
        categories=tuple(str(word) for word in Category if open_cells & Cells.of(Box({"category": frozenset([word])}))),
        clauses=tuple(clause for clause in version.book.clauses if clause in opening),
    )
