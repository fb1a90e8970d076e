"""How the service is used, for the operator: figures that name nobody, by construction (clause 2b).

Counts of people per month and kind of event, from the ledger. A figure that a group smaller than the threshold makes
up is not said, and neither is what would let it be computed:

- every figure is rounded down to a multiple of the threshold, so that two figures never differ by a single person;
- there are no totals and no finer parts, so that nothing that is not said is the rest of something that is;
- only months that are over are spoken of, and what was counted stays counted when somebody leaves: the same report,
  asked for before and after whatever happens, says the same.

The decision `use us improve` on aggregate usage is taken before anything is counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from connector import ledger
from connector.flows.gateway import Gateway
from connector.flows.release import decided
from connector.model.tags import Account, Category, Choice, Form, Link, Notice, Source, Standing, Tags, Use

# What is counted, in words, and the kinds of ledger entries that say so. Nothing in them tells what was in a value.
ACTIVITIES: Final[Mapping[str, tuple[str, ...]]] = {
    "signed up": ("user_created",),
    "connected an account": ("connection_created",),
    "imported": ("import",),
    "sent a change on": ("push_outcome",),
    "looked at their own pages": ("portal_opened",),
    "disconnected an account": ("revoked",),
    "took a copy": ("exported",),
}
MONTHS: Final = 12
_USE = Use.of("use", "us", "improve")
_TAGS = Tags(Category.USAGE, Source.OBSERVED, form=Form.AGGREGATE)
_STANDING = Standing(Account.OPEN, Link.NONE, Choice.NONE, Notice.NONE)


@dataclass(frozen=True, slots=True)
class Usage:
    """A report. `rows`: month → activity → people, None where it is not said. `threshold` as in the settings."""

    threshold: int
    clause: str
    rows: Mapping[str, Mapping[str, int | None]]


def usage(gateway: Gateway, tenant_id: str) -> Usage:
    """How many people did what, in the months that are over. Raises RefusedByPolicy where the policy changed."""
    now = gateway.clock.now()
    decision = decided(gateway.policy, _USE, _TAGS, _STANDING, at=now, bound_at=None)
    threshold = gateway.settings.policy.aggregate_threshold
    rows: dict[str, dict[str, int | None]] = {}
    with gateway.store.read() as tx:
        for month, since, until in _months(now):
            counted = {
                activity: ledger.people_who(tx, tenant_id, kinds, since=since, until=until)
                for activity, kinds in ACTIVITIES.items()
            }
            rows[month] = {activity: said(people, threshold) for activity, people in counted.items()}
    return Usage(threshold, decision.clause, rows)


def said(people: int, threshold: int) -> int | None:
    """The figure as it may be said: a multiple of the threshold, or nothing for a group that is too small.

    Nobody is said as nothing too: that nobody did something is about each of them.
    """
    return people // threshold * threshold or None


def _months(now: int) -> list[tuple[str, int, int]]:
    """The months that are over, newest first: name, first moment, first moment after (ms, UTC)."""
    today = datetime.fromtimestamp(now / 1000, UTC)
    year, month = today.year, today.month
    found: list[tuple[str, int, int]] = []
    after = _ms(year, month)
    for _ in range(MONTHS):
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
        begin = _ms(year, month)
        found.append((f"{year}-{month:02}", begin, after))
        after = begin
    return found


def _ms(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp() * 1000)
