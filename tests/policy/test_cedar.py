"""A second opinion: the exported policy set, asked about the edges of every rule by another engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connector.policy import OWN, Version
from connector.policy.cedar import ACTION, PRINCIPAL, RESOURCE, context_of, to_cedar
from connector.policy.rules import Effect, Rule
from connector.policy.space import DIMENSIONS, Box, Cell, Cells
from tests.policy.shipped import policy

cedarpy = pytest.importorskip("cedarpy", reason="cedarpy has no wheel for this machine")

PER_RULE = 16
VERSION = policy().versions[-1]


def neighbours(cell: Cell) -> Iterator[Cell]:
    """Every cell that differs in one word."""
    for name, kind in DIMENSIONS.items():
        for word in kind:
            if word is not cell.word(name):
                words = {other: frozenset([cell.word(other)]) for other in DIMENSIONS} | {name: frozenset([word])}
                found = Cells.of(Box(words)).first()
                assert found is not None
                yield found


def edges(version: Version, rule: Rule, terms: str) -> list[Cell]:
    """A cell of the rule, an allowed one if it has one, and cells beside it; those that come out otherwise first."""
    allowed = version.tables_under(terms).allowed
    mine = Cells.of(rule.box, rule.exceptions)
    inside = (mine & allowed).first() or (mine & version.tables.allowed).first() or mine.first()
    assert inside is not None
    beside = sorted(neighbours(inside), key=lambda cell: (cell in allowed) == (inside in allowed))
    return [inside, *beside[:PER_RULE]]


def asked(version: Version) -> list[tuple[Cell, str]]:
    own = [(cell, OWN) for rule in version.book.rules for cell in edges(version, rule, OWN)]
    terms = [
        (cell, overlay.name)
        for overlay in version.book.overlays
        for rule in overlay.rules
        for cell in edges(version, rule, overlay.name)
    ]
    return list(dict.fromkeys([*own, *terms]))


def disagreements(version: Version, text: str) -> list[str]:
    cells = asked(version)
    requests = [
        {
            "principal": PRINCIPAL,
            "action": ACTION,
            "resource": RESOURCE,
            "context": dict(context_of(cell, terms)),
        }
        for cell, terms in cells
    ]
    answers = cedarpy.is_authorized_batch(requests, text, [])
    assert not any(answer.diagnostics.errors for answer in answers)
    return [
        f"{terms or 'own'}: {cell}"
        for (cell, terms), answer in zip(cells, answers, strict=True)
        if answer.allowed != (cell in version.tables_under(terms).allowed)
    ]


def test_the_exported_policy_decides_as_ours_at_the_edges_of_every_rule():
    allowed = sum(cell in VERSION.tables_under(terms).allowed for cell, terms in asked(VERSION))
    assert 100 < allowed < len(asked(VERSION)) - 100
    assert disagreements(VERSION, to_cedar(VERSION)) == []


@pytest.mark.parametrize("rule_id", ["push-opted-in", "child", "google-transfer-by-consent"])
def test_an_export_that_lost_a_rule_is_noticed(rule_id):
    """The twin."""
    policies = to_cedar(VERSION).split("\n@id(")
    left = [one for one in policies if not one.startswith(f'"{rule_id}"')]
    assert len(left) == len(policies) - 1
    assert disagreements(VERSION, "\n@id(".join(left))


def test_every_rule_that_decides_is_exported_with_its_clause():
    text = to_cedar(VERSION)
    for rule in VERSION.book.rules:
        assert (f'@id("{rule.id}")\n@clause("{rule.clause}")' in text) == (rule.effect is not Effect.OBLIGE)
