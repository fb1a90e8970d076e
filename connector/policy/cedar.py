"""A version as a Cedar policy set, for whoever runs Cedar: the same boxes, as permits and forbids.

Cedar answers allow or deny; what is owed, the two versions and the time stay here. Every dimension is a string of the
request's context, `terms` included, so that no schema is needed: a word outside the vocabulary matches no permit.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

from connector.policy.overlays import OWN
from connector.policy.rules import Effect, Rule
from connector.policy.space import DIMENSIONS, Box, Cell
from connector.policy.versions import Version

PRINCIPAL: Final = 'Gateway::"us"'
ACTION: Final = 'Action::"decide"'
RESOURCE: Final = 'Value::"any"'
TERMS: Final = "terms"


def to_cedar(version: Version) -> str:
    """The whole version as text."""
    head = (
        f"// Version {version.name} of the privacy policy, SHA-256 {version.sha256}.\n"
        f"// Ask with principal {PRINCIPAL}, action {ACTION}, resource {RESOURCE} and a context of these strings:\n"
        f"// {', '.join([*DIMENSIONS, TERMS])}. What is owed is not in here.\n"
    )
    own = (_policy(rule, OWN) for rule in version.book.rules if rule.effect is not Effect.OBLIGE)
    terms = (_policy(rule, overlay.name) for overlay in version.book.overlays for rule in overlay.rules)
    return "\n".join([head, *own, *terms])


def context_of(cell: Cell, terms: str = OWN) -> Mapping[str, str]:
    """The context that asks about a cell under some terms."""
    return {name: str(cell.word(name)) for name in DIMENSIONS} | {TERMS: terms}


def _policy(rule: Rule, terms: str) -> str:
    effect = "permit" if rule.effect is Effect.ALLOW else "forbid"
    lines = [
        f"@id({_text(rule.id)})",
        f"@clause({_text(rule.clause)})",
        f"// {rule.meaning}",
        f"{effect} (principal, action, resource)",
    ]
    conditions = [*_conditions(rule.box), *([f"context.{TERMS} == {_text(terms)}"] if terms != OWN else [])]
    if conditions:
        lines.append(f"when {{ {' && '.join(conditions)} }}")
    lines += [f"unless {{ {' && '.join(_conditions(box))} }}" for box in rule.exceptions]
    return "\n".join(lines) + ";\n"


def _conditions(box: Box) -> Iterator[str]:
    for name, words in box.words.items():
        said = [_text(str(word)) for word in sorted(words, key=lambda word: word.rank)]
        yield f"context.{name} == {said[0]}" if len(said) == 1 else f"[{', '.join(said)}].contains(context.{name})"


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=True)
