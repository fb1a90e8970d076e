"""The decision: may this be done with this value, now? It cites the clause and names what is owed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from connector.model.tags import Obligation, Standing, Tags, Use
from connector.policy.overlays import OWN
from connector.policy.versions import Verdict, Version, in_order

DEFAULT_RULE: Final = "default"
NO_VERSION_RULE: Final = "no-version"
CLOCK_RULE: Final = "clock-went-back"
_TIME_CLAUSE: Final = "7"


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer. Good for this use only: take a new one for the next.

    Attributes:
        clause: the clause of the policy that allows or refuses.
        rule_id: the rule that decided; `default` where none speaks of it.
        obligations: to be discharged before an allowed value is let go; on a refusal, what must follow.
        version: the version in effect; empty where none is.
        binding_version: the version that binds the person, None where it was not asked for.
        explanation: one sentence for people, without personal data.
        terms: the provider's terms that refused; empty where a rule of the policy itself decided.
    """

    allowed: bool
    clause: str
    rule_id: str
    obligations: tuple[Obligation, ...]
    version: str
    binding_version: str | None
    explanation: str
    terms: str = OWN


class Policy:
    """All versions in their order. No clock: every decision is told the time."""

    def __init__(self, versions: Sequence[Version], *, reached: str = "") -> None:
        """Order the versions.

        Args:
            versions: at least one.
            reached: the newest version that is known to have been in effect: from then on a moment before it is not
                believed. A clock that went back brings no older version back.

        Raises:
            PolicyUnreadable: they overlap.
        """
        self.versions = in_order(versions)
        names = [version.name for version in self.versions]
        self._reached = names.index(reached) if reached in names else -1
        self._effective = [version.effective_at for version in self.versions]
        self._posted = [version.posted_at for version in self.versions]
        self._decisions: dict[tuple[int, int, int, int], Decision] = {}

    def in_effect(self, at: int) -> Version | None:
        """The version in effect at an instant (ms); None before the first."""
        place = bisect_right(self._effective, at)
        return self.versions[place - 1] if place else None

    def binding(self, bound_at: int) -> Version | None:
        """The version that binds who last came by at an instant (ms): the newest posted by then."""
        place = bisect_right(self._posted, bound_at)
        return self.versions[place - 1] if place else None

    def known(self, name: str) -> Version | None:
        """The version of that name."""
        return next((version for version in self.versions if version.name == name), None)

    def as_posted(self, posted: Mapping[str, int], reached: str = "") -> Policy:
        """The same versions, each posted when it truly was (by name, ms). Raises PolicyUnreadable as `Policy`."""
        versions = [
            version.posted(posted[version.name]) if version.name in posted else version for version in self.versions
        ]
        return Policy(versions, reached=reached)

    def decide(  # noqa: PLR0917  the question has this many parts, and it is asked for every value
        self, use: Use, tags: Tags, standing: Standing, at: int, bound_at: int | None = None, terms: str = OWN
    ) -> Decision:
        """Whether `use` of a value with these tags is allowed at `at`, as things stand.

        Allowed is what the version in effect allows and the version that binds the person allows too. So a narrowing
        counts for everyone at once, and a widening only for those who came back after it was posted.

        Args:
            use: what is asked for.
            tags: as stamped on the value.
            standing: looked up just now.
            at: the moment of use, ms since the epoch.
            bound_at: the person's last own visit (a worker is none), ms since the epoch; None asks only the version in
                effect, for what concerns no one person.
            terms: the provider's terms that the value comes under; see `Version.terms_for`.
        """
        effective = bisect_right(self._effective, at) - 1
        binding = effective if bound_at is None else bisect_right(self._posted, bound_at) - 1
        if effective < 0 or binding < 0:
            return _no_version(self.versions[effective].name if effective >= 0 else "")
        if effective < self._reached:
            return _clock_went_back(self.versions[effective], self.versions[self._reached])
        now = self.versions[effective].matching(use.index, tags.index, standing.index, terms)
        then = now
        if binding != effective:
            then = self.versions[binding].matching(use.index, tags.index, standing.index, terms)
        key = (effective, now, -1 if bound_at is None else binding, then)
        decision = self._decisions.get(key)
        if decision is None:  # as many as there are sets of matching rules: bounded by the rules, not by use
            decision = self._decisions[key] = self._compose(*key)
        return decision

    def _compose(self, effective: int, now: int, binding: int, then: int) -> Decision:
        version = self.versions[effective]
        first = version.verdict(now)
        if binding < 0:
            return _decision(first, version, None, first.obligations)
        bound = self.versions[binding]
        second = bound.verdict(then)
        owed = tuple(word for word in Obligation if word in {*first.obligations, *second.obligations})
        if first.allowed and not second.allowed:
            return _decision(second, version, bound, second.obligations, decided_by=bound)
        return _decision(first, version, bound, owed if first.allowed else first.obligations)


def _decision(
    verdict: Verdict,
    version: Version,
    bound: Version | None,
    obligations: tuple[Obligation, ...],
    *,
    decided_by: Version | None = None,
) -> Decision:
    rule_id = verdict.rule.id if verdict.rule else DEFAULT_RULE
    meaning = verdict.rule.meaning if verdict.rule else "What the policy does not describe is not done."
    head = f"{'Allowed' if verdict.allowed else 'Refused'} by clause {verdict.clause}: {meaning}"
    if verdict.rule is not None and verdict.rule.quote:
        head += f' The policy says: "{verdict.rule.quote}"'
    overlay = (decided_by or version).overlay_of(verdict.rule) if verdict.rule else None
    if overlay is not None:
        head += f" So the terms of {overlay.title} want it ({overlay.source})."
    if decided_by is not None:
        head += f" So says version {decided_by.name}, which binds this person until they come back (clause 7)."
    name = bound.name if bound else None
    terms = overlay.name if overlay else OWN
    return Decision(verdict.allowed, verdict.clause, rule_id, obligations, version.name, name, head, terms)


def _no_version(version: str) -> Decision:
    sentence = "No version of the policy is in effect at that moment, or none had been posted at the last visit."
    refused = f"Refused by clause {_TIME_CLAUSE}: {sentence}"
    return Decision(
        allowed=False,
        clause=_TIME_CLAUSE,
        rule_id=NO_VERSION_RULE,
        obligations=(),
        version=version,
        binding_version=None,
        explanation=refused,
    )


def _clock_went_back(version: Version, reached: Version) -> Decision:
    refused = (
        f"Refused by clause {_TIME_CLAUSE}: the clock says that version {version.name} is in effect, but version "
        f"{reached.name} has been already. The clock must be set right."
    )
    return Decision(
        allowed=False,
        clause=_TIME_CLAUSE,
        rule_id=CLOCK_RULE,
        obligations=(),
        version=version.name,
        binding_version=None,
        explanation=refused,
    )


def explain(decision: Decision) -> str:
    """The decision in a few lines for a terminal or a page: the answer, the rule, what is owed, which versions."""
    lines = [decision.explanation, f"Rule: {decision.rule_id}"]
    if decision.obligations:
        when = "Owed before it happens" if decision.allowed else "Owed now"
        lines.append(f"{when}: {', '.join(word.replace('_', ' ') for word in decision.obligations)}")
    lines.append(f"Version in effect: {decision.version or 'none'}")
    if decision.binding_version is not None:
        lines.append(f"Version that binds the person: {decision.binding_version}")
    return "\n".join(lines)
