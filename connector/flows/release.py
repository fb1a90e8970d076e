"""The one way a value leaves: a decision that allows it, its ledger entry written, then the plaintext.

The order matters. Whoever cannot write the entry gets nothing, so there is never a value out in the world that the
ledger does not know of.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from connector.model.errors import RefusedByPolicy
from connector.model.tags import Account, Choice, Link, Notice, Standing, Tags, Use
from connector.policy import Decision, Policy

T = TypeVar("T")


def decided(policy: Policy, use: Use, tags: Tags, standing: Standing, *, at: int, bound_at: int | None) -> Decision:
    """The decision, where it allows. Raises RefusedByPolicy with the clause where it does not."""
    decision = policy.decide(use, tags, standing, at, bound_at)
    if not decision.allowed:
        raise refused(decision)
    return decision


def refused(decision: Decision) -> RefusedByPolicy:
    """A refusal as an error for the caller: the clause, the rule and what it means."""
    return RefusedByPolicy(decision.clause, decision.explanation, detail=decision.rule_id)


def release(decision: Decision, *, record: Callable[[], object], opened: Callable[[], T]) -> T:
    """What `opened` gives, after `record` has written the entry that the decision owes.

    Args:
        decision: an allowing decision; for a set of values, the decision that covers all of them.
        record: writes the ledger entry and returns once it is durable, or raises.
        opened: opens the sealed value. Called only after `record` returned.

    Raises:
        RefusedByPolicy: the decision does not allow it.
    """
    if not decision.allowed:
        raise refused(decision)
    record()
    return opened()


def standing_of(
    *, account: str, link: Link = Link.NONE, choice: Choice = Choice.NONE, notice: Notice = Notice.NONE
) -> Standing:
    """How things stand with a person, from the words in the database."""
    return Standing(Account(account), link, choice, notice)
