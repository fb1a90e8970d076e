"""Rules, promises and overlays: what a version of the policy is made of.

A rule is a box with an effect: `allow` opens it, `deny` closes it whatever else allows it, `oblige` opens nothing and
adds obligations where something else allows. `except` takes boxes out. A promise is what must hold of all rules
together: `never` (no cell of the box is allowed), `always` (every cell is), `owed` (every allowed cell of the box
carries the obligations; with `when = "denied"`, every denied one).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from connector.model.errors import Misconfigured
from connector.model.tags import Obligation
from connector.policy.space import Box


class PolicyUnreadable(Misconfigured):
    """A policy file that cannot be taken as it is. The hint names the file, the rule and the key."""

    def __init__(self, file: str, where: str, problem: str) -> None:
        self.file = file
        self.where = where
        super().__init__("policy_unreadable", f"{file}: {where}: {problem}" if where else f"{file}: {problem}")


class Effect(StrEnum):
    """What a rule does to its box."""

    ALLOW = "allow"
    DENY = "deny"
    OBLIGE = "oblige"


class Kind(StrEnum):
    """What a promise says of its box."""

    NEVER = "never"
    ALWAYS = "always"
    OWED = "owed"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: what it does (`effect`) to which cells, under which clause, meaning what.

    `quote` is a piece of the operator's own policy text that the rule carries out; "" where it quotes none.
    """

    id: str
    clause: str
    effect: Effect
    meaning: str
    box: Box
    exceptions: tuple[Box, ...] = ()
    obligations: tuple[Obligation, ...] = ()
    quote: str = ""


@dataclass(frozen=True, slots=True)
class Promise:
    """One statement about all rules together, checked in every combination."""

    id: str
    clause: str
    kind: Kind
    meaning: str
    box: Box
    exceptions: tuple[Box, ...] = ()
    obligations: tuple[Obligation, ...] = ()
    when_denied: bool = False


@dataclass(frozen=True, slots=True)
class Overlay:
    """A provider's terms for what came from it: refusals only, so that it can take away and never give.

    Attributes:
        provider: the catalogue's name.
        scopes: what was asked for under which the terms count, in the provider's words; `*` for all.
        source: where the terms can be read. read_on: the day they were.
    """

    name: str
    title: str
    provider: str
    source: str
    read_on: str
    scopes: tuple[str, ...]
    rules: tuple[Rule, ...]
    promises: tuple[Promise, ...]


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Everything one version says, before it is compiled.

    Attributes:
        overlays: the terms of providers, by name.
        flows: every (action, recipient, purpose) that can happen at all, with its sentence for people.
        clauses: clause id to its subject, in the order of the text.
    """

    version: str
    effective_at: int
    posted_at: int
    default_clause: str
    clauses: Mapping[str, str]
    rules: tuple[Rule, ...]
    promises: tuple[Promise, ...]
    flows: Mapping[str, str] = field(default_factory=dict)
    overlays: tuple[Overlay, ...] = ()
