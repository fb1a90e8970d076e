"""A version of the policy, compiled for decisions, and the order of versions in time.

A rule's box is a product, so whether it matches is three questions: does it hold for the use, the tags, the standing?
Each use, each tags and each standing carries one bit per piece of a rule; the matching rules of a cell are the AND of
three integers. That is exact for every cell and takes well under a microsecond.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from itertools import pairwise

from connector.model.tags import Obligation
from connector.policy.rules import Effect, PolicyUnreadable, Rule, Rulebook
from connector.policy.space import STANDINGS, TAGS, USES, Cells


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one version says of a cell. `rule` is None where nothing speaks of it and the default refuses."""

    allowed: bool
    clause: str
    rule: Rule | None
    obligations: tuple[Obligation, ...]


@dataclass(frozen=True, slots=True)
class Tables:
    """The cells a version allows and, for each obligation, the allowed and the refused cells that carry it."""

    allowed: Cells
    carried: Mapping[Obligation, tuple[Cells, Cells]]


class Version:
    """One dated version. Immutable; holds its rulebook, the hash of its files, and the index for decisions."""

    def __init__(self, book: Rulebook, sha256_hex: str) -> None:
        self.book = book
        self.sha256 = sha256_hex
        self._order = _deciding_order(book.rules)
        self._uses = [0] * len(USES)
        self._tags = [0] * len(TAGS)
        self._standings = [0] * len(STANDINGS)
        self._rule_of_bit: list[Rule] = []
        self._index()
        self._verdicts: dict[int, Verdict] = {}

    def __repr__(self) -> str:
        return f"Version({self.name!r})"

    @property
    def name(self) -> str:
        """Its name, which is its date."""
        return self.book.version

    @property
    def effective_at(self) -> int:
        """From when it decides, ms since the epoch."""
        return self.book.effective_at

    @property
    def posted_at(self) -> int:
        """From when people who come back are bound by it, ms since the epoch."""
        return self.book.posted_at

    def matching(self, use: int, tags: int, standing: int) -> int:
        """The bits of all rules that speak of a cell; equal bits mean an equal verdict."""
        return self._uses[use] & self._tags[tags] & self._standings[standing]

    def verdict(self, matching: int) -> Verdict:
        """The verdict for the bits that `matching` gave. Remembered by bits: a pure function of the version."""
        known = self._verdicts.get(matching)
        if known is None:
            known = self._verdicts[matching] = self._judge(matching)
        return known

    @cached_property
    def tables(self) -> Tables:
        """The effect of all rules together, cell by cell."""
        return Sums.of([(rule, Cells.of(rule.box, rule.exceptions)) for rule in self.book.rules]).with_rules([])

    def _index(self) -> None:
        for rule in self._order:
            for piece in rule.box.minus_all(rule.exceptions):
                bit = 1 << len(self._rule_of_bit)
                self._rule_of_bit.append(rule)
                for use in piece.uses():
                    self._uses[use] |= bit
                for tags in piece.tags():
                    self._tags[tags] |= bit
                for standing in piece.standings():
                    self._standings[standing] |= bit

    def _judge(self, matching: int) -> Verdict:
        rules = [rule for bit, rule in enumerate(self._rule_of_bit) if matching >> bit & 1]
        first = rules[0] if rules else None
        if first is None or first.effect is Effect.OBLIGE:
            return Verdict(allowed=False, clause=self.book.default_clause, rule=None, obligations=())
        denied = first.effect is Effect.DENY
        speaking = [rule for rule in rules if (rule.effect is Effect.DENY) == denied]
        owed = {word for rule in speaking for word in rule.obligations}
        return Verdict(not denied, first.clause, first, tuple(word for word in Obligation if word in owed))


@dataclass(frozen=True, slots=True)
class Sums:
    """What some rules open, close, and oblige (where they open or oblige, where they close), before the balance."""

    opened: Cells
    closed: Cells
    obliged: Mapping[Obligation, tuple[Cells, Cells]]

    @classmethod
    def of(cls, rules: Sequence[tuple[Rule, Cells]]) -> Sums:
        """The sums of rules with their cells."""

        def union(*effects: Effect, bearing: Obligation | None = None) -> Cells:
            return Cells.union(
                cells
                for rule, cells in rules
                if rule.effect in effects and (bearing is None or bearing in rule.obligations)
            )

        obliged = {
            word: (union(Effect.ALLOW, Effect.OBLIGE, bearing=word), union(Effect.DENY, bearing=word))
            for word in Obligation
        }
        return cls(union(Effect.ALLOW), union(Effect.DENY), obliged)

    def with_rules(self, rules: Sequence[tuple[Rule, Cells]]) -> Tables:
        """The balance of these sums and some more rules: a refusal overrides."""
        more = Sums.of(rules)
        closed = self.closed | more.closed
        allowed = (self.opened | more.opened) - closed
        carried = {
            word: ((opening | more.obliged[word][0]) & allowed, closing | more.obliged[word][1])
            for word, (opening, closing) in self.obliged.items()
        }
        return Tables(allowed, carried)


def _deciding_order(rules: Sequence[Rule]) -> list[Rule]:
    return [rule for effect in (Effect.DENY, Effect.ALLOW, Effect.OBLIGE) for rule in rules if rule.effect is effect]


def hash_of(files: Mapping[str, bytes]) -> str:
    """One hash over a version's files, names and bytes, so that a version edited after the fact is seen."""
    digest = sha256()
    for name in sorted(files):
        for part in (name.encode(), files[name]):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def in_order(versions: Sequence[Version]) -> tuple[Version, ...]:
    """The versions by date of effect.

    Raises:
        PolicyUnreadable: when there are none, two share a name or a date, or one posted later takes effect earlier.
    """
    if not versions:
        raise PolicyUnreadable("policy", "", "no version found; put one in a folder named by its date")
    ordered = sorted(versions, key=lambda version: version.effective_at)
    for older, newer in pairwise(ordered):
        where = f'versions "{older.name}" and "{newer.name}"'
        if older.name == newer.name or older.effective_at == newer.effective_at:
            raise PolicyUnreadable("policy", where, "overlap: both would be in effect from the same instant")
        if newer.posted_at <= older.posted_at:
            raise PolicyUnreadable("policy", where, "overlap: the one in effect later must be posted later")
    return tuple(ordered)


def opened(older: Version, newer: Version) -> Cells:
    """The cells that the newer version allows and the older did not: what clause 7 owes people a notice of."""
    return newer.tables.allowed - older.tables.allowed


def closed(older: Version, newer: Version) -> Cells:
    """The cells that the older version allowed and the newer does not."""
    return older.tables.allowed - newer.tables.allowed
