"""What changes between versions, cell by cell, and the notice of it."""

from __future__ import annotations

from dataclasses import replace

from connector.model.tags import Obligation
from connector.policy import Version, difference, notice
from connector.policy.boxes import boxes_by_use
from connector.policy.rules import Rule, Rulebook
from connector.policy.space import DIMENSIONS, Box, Cells
from connector.policy.versions import opened
from connector.policy.words import OWED, PHRASES
from tests.policy.shipped import NOW, policy

FIRST = policy().versions[0]


def next_version(change, **head: object) -> Version:
    rules = tuple(kept for rule in FIRST.book.rules if (kept := change(rule)) is not None)
    facts = {"version": "2030-01-01", "rules": rules, "posted_at": NOW, "effective_at": NOW} | head
    return Version(replace(FIRST.book, **facts), sha256_hex="")


def wider(rule: Rule) -> Rule | None:
    if rule.id == "push-own-words-only":
        return None
    return replace(rule, box=rule.box.without("source")) if rule.id == "push-opted-in" else rule


def narrower(rule: Rule) -> Rule | None:
    return None if rule.id == "push-opted-in" else rule


def same(rule: Rule) -> Rule:
    return rule


def flow_of(use, box: Box) -> Cells:
    words = {"action": use.action, "recipient": use.recipient, "purpose": use.purpose}
    return Cells.of(Box({name: frozenset([word]) for name, word in words.items()} | dict(box.words)))


def test_the_boxes_of_a_set_are_that_set_without_overlap():
    allowed = FIRST.tables.allowed
    pieces = [flow_of(use, box) for use, boxes in boxes_by_use(allowed).items() for box in boxes]
    assert Cells.union(pieces) == allowed
    assert sum(map(len, pieces)) == len(allowed)


def test_clause_7_the_notice_says_what_becomes_possible_in_plain_words():
    found = difference(FIRST, next_version(wider))
    assert found.widens
    assert found.count("opened") == len(opened(FIRST, found.newer))
    said = notice(found, contact="team@example.org")
    assert "What becomes possible:" in said
    assert FIRST.book.flows["push provider sync"] in said
    assert "that the service saw or that came from another account" in said
    assert "if you agreed to it" in said
    assert "team@example.org" in said
    assert "What ends:" not in said


def test_clause_7_the_notice_says_what_ends():
    found = difference(FIRST, next_version(narrower))
    assert not found.widens
    said = notice(found, contact="x")
    assert "What ends:" in said
    assert "What becomes possible:" not in said


def test_owing_less_is_a_widening_that_is_said():
    def careless(rule: Rule) -> Rule:
        return replace(rule, obligations=(Obligation.LOG,)) if rule.id == "authority" else rule

    found = difference(FIRST, next_version(careless))
    assert found.widens
    assert {change.kind for change in found.changes} == {"eased"}
    assert f"No longer with {OWED[Obligation.NAMED_APPROVER]}" in notice(found, contact="x")


def test_dropping_a_providers_terms_is_a_widening_for_what_came_from_there():
    found = difference(FIRST, next_version(same, overlays=FIRST.book.overlays[:1]))
    assert found.widens
    assert {change.terms for change in found.changes} == {"google"}
    assert "Google (Limited Use)" in notice(found, contact="x")
    back = difference(found.newer, FIRST)
    assert not back.widens


def test_a_new_wording_changes_nothing():
    reworded = next_version(lambda rule: replace(rule, meaning=f"{rule.meaning} Truly."))
    found = difference(FIRST, reworded)
    assert found.changes == ()
    assert "Nothing changes" in notice(found, contact="x")


def test_every_word_of_the_space_and_every_obligation_has_a_phrase():
    inner = {name: kind for name, kind in DIMENSIONS.items() if name not in {"action", "recipient", "purpose"}}
    assert {name: set(kind) for name, kind in inner.items()} == {name: set(said) for name, said in PHRASES.items()}
    assert set(OWED) == set(Obligation)


def test_a_change_is_named_with_its_cells():
    shown = str(difference(FIRST, next_version(wider)).changes[0])
    assert shown.startswith("opened push provider sync: 96 cells: ")
    assert "source in imported/observed" in shown


def test_the_book_is_left_alone():
    assert isinstance(FIRST.book, Rulebook)
    assert FIRST.posted(5).posted_at == 5
    assert FIRST.posted_at != 5
