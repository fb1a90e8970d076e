"""A version of the policy, compiled for decisions, and the order of versions in time.

A rule's box is a product, so whether it matches is three questions: does it hold for the use, the tags, the standing?
Each use, each tags and each standing carries one bit per piece of a rule; the matching rules of a cell are the AND of
three integers. That is exact for every cell and takes well under a microsecond. The refusals of providers' terms carry
bits of their own, which a mask leaves out where those terms do not count.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from itertools import pairwise

from connector.model.tags import Obligation
from connector.policy.overlays import OWN, terms_for
from connector.policy.rules import Effect, Overlay, PolicyUnreadable, Rule, Rulebook
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
        self._index(self._order)
        self._own = (1 << len(self._rule_of_bit)) - 1
        self._masks = {overlay.name: self._own | self._index(overlay.rules) for overlay in book.overlays}
        self._overlay_of = {rule.id: overlay for overlay in book.overlays for rule in overlay.rules}
        self._verdicts: dict[int, Verdict] = {}
        self._tables: dict[str, Tables] = {}

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

    def posted(self, at: int) -> Version:
        """The same version, posted at another instant (ms) than its file says."""
        other = copy.copy(self)
        other.book = replace(self.book, posted_at=at)
        return other

    def matching(self, use: int, tags: int, standing: int, terms: str = OWN) -> int:
        """The bits of all rules that speak of a cell under some terms; equal bits mean an equal verdict."""
        return self._uses[use] & self._tags[tags] & self._standings[standing] & self._masks.get(terms, self._own)

    def overlay_of(self, rule: Rule) -> Overlay | None:
        """The provider's terms that a rule is part of; None for a rule of ours."""
        return self._overlay_of.get(rule.id)

    def overlay(self, terms: str) -> Overlay | None:
        """The terms of that name, where this version knows them."""
        return next((overlay for overlay in self.book.overlays if overlay.name == terms), None)

    def terms_for(self, provider: str, scopes: Iterable[str]) -> str:
        """The name of the terms that count for what a provider gave under these scopes; `OWN` for none."""
        return terms_for(self.book.overlays, provider, scopes)

    def verdict(self, matching: int) -> Verdict:
        """The verdict for the bits that `matching` gave. Remembered by bits: a pure function of the version."""
        known = self._verdicts.get(matching)
        if known is None:
            known = self._verdicts[matching] = self._judge(matching)
        return known

    @cached_property
    def tables(self) -> Tables:
        """The effect of all rules together, cell by cell."""
        return self._sums.with_rules([])

    def tables_under(self, terms: str) -> Tables:
        """The effect of all rules and of some terms together; that of our rules alone where it knows no such terms."""
        overlay = self.overlay(terms)
        if overlay is None:
            return self.tables
        if terms not in self._tables:
            self._tables[terms] = self._sums.with_rules(with_cells(overlay.rules))
        return self._tables[terms]

    @cached_property
    def _sums(self) -> Sums:
        return Sums.of(with_cells(self.book.rules))

    def _index(self, rules: Sequence[Rule]) -> int:
        first = len(self._rule_of_bit)
        for rule in rules:
            for piece in rule.box.minus_all(rule.exceptions):
                bit = 1 << len(self._rule_of_bit)
                self._rule_of_bit.append(rule)
                for use in piece.uses():
                    self._uses[use] |= bit
                for tags in piece.tags():
                    self._tags[tags] |= bit
                for standing in piece.standings():
                    self._standings[standing] |= bit
        return (1 << len(self._rule_of_bit)) - (1 << first)

    def _judge(self, matching: int) -> Verdict:
        rules = [rule for bit, rule in enumerate(self._rule_of_bit) if matching >> bit & 1]
        first = next((rule for rule in rules if rule.effect is Effect.DENY), rules[0] if rules else None)
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


def with_cells(rules: Iterable[Rule]) -> list[tuple[Rule, Cells]]:
    """Rules with the cells they speak of."""
    return [(rule, Cells.of(rule.box, rule.exceptions)) for rule in rules]


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


def opened(older: Version, newer: Version, terms: str = OWN) -> Cells:
    """The cells that the newer version allows and the older did not: what clause 7 owes people a notice of."""
    return newer.tables_under(terms).allowed - older.tables_under(terms).allowed


def closed(older: Version, newer: Version, terms: str = OWN) -> Cells:
    """The cells that the older version allowed and the newer does not."""
    return older.tables_under(terms).allowed - newer.tables_under(terms).allowed
