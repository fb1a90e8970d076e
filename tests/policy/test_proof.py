from __future__ import annotations

from dataclasses import replace

import pytest

from connector.model.tags import Choice, Notice, Word
from connector.policy import Report, Version, check, prove
from connector.policy.proof import MONOTONE, opened_by_restriction
from connector.policy.rules import Rule
from connector.policy.space import COMBINATIONS, DIMENSIONS, STANDINGS, TAGS, USES, Box, Cell, Cells
from tests.policy.shipped import DIRECTORY, policy


def shipped() -> Version:
    return policy().versions[-1]


def altered(rule_id: str, **changes: object) -> Version:
    book = shipped().book
    rules = tuple(replace(rule, **changes) if rule.id == rule_id else rule for rule in book.rules)
    return Version(replace(book, rules=rules), sha256_hex="")


def freed(rule_id: str, dimension: str) -> Version:
    return altered(rule_id, box=rule(rule_id).box.without(dimension))


def rule(rule_id: str) -> Rule:
    return next(rule for rule in shipped().book.rules if rule.id == rule_id)


def broken(report: Report) -> dict[str, str]:
    return {violation.promise: violation.cell for violation in report.violations}


def test_the_shipped_policy_keeps_every_promise_in_every_combination():
    report = check(DIRECTORY)
    assert report.violations == ()
    assert (report.combinations, report.flows_possible) == (3 * 36_578_304, 26)
    assert report.sound
    assert 0 < report.seconds < 5


def test_the_time_taken_is_that_of_the_stopwatch_handed_in():
    assert check(DIRECTORY, stopwatch=iter([10.0, 12.5]).__next__).seconds == 2.5


def test_letting_imports_be_pushed_is_found_with_the_cell_and_the_clause():
    rules = tuple(rule for rule in shipped().book.rules if rule.id != "push-own-words-only")
    version = Version(replace(shipped().book, rules=rules), sha256_hex="")
    assert prove(version).sound, "the permission alone already refuses them"
    open_door = replace(rule("push-opted-in"), box=rule("push-opted-in").box.without("source"))
    rules = tuple(open_door if rule.id == "push-opted-in" else rule for rule in rules)
    report = prove(Version(replace(shipped().book, rules=rules), sha256_hex=""))
    found = next(violation for violation in report.violations if violation.promise == "push-only-as-chosen")
    assert found.clause == "3a"
    assert "action=push, recipient=provider, purpose=sync, category=profile, source=observed" in found.cell
    assert "clause 3a, push-only-as-chosen" in str(found)


def test_a_flow_that_is_not_named_is_found():
    assert "flows" in broken(prove(freed("answered", "purpose")))


def test_an_obligation_that_went_missing_is_found():
    assert "leaving-is-logged" in broken(prove(altered("push-opted-in", obligations=())))


def test_a_promise_that_nothing_keeps_is_found_by_denying_too_much():
    assert "imported-serves" in broken(prove(freed("revoked-import-closes", "link")))


@pytest.mark.parametrize("dimension", MONOTONE)
def test_a_more_restrictive_word_never_opens_anything_in(dimension):
    assert not opened_by_restriction(shipped().tables.allowed, dimension)


@pytest.mark.parametrize(("dimension", "strict"), [("choice", Choice.STALE), ("notice", Notice.OBJECTED)])
def test_a_door_that_restriction_would_open_is_seen(dimension, strict):
    odd = shipped().tables.allowed | Cells.of(one_cell(**{"recipient": "user", "action": "use", dimension: strict}))
    assert opened_by_restriction(odd, dimension)


def one_cell(**words: str) -> Box:
    chosen: dict[str, frozenset[Word]] = {
        name: frozenset([kind(words.get(name, next(iter(kind))))]) for name, kind in DIMENSIONS.items()
    }
    return Box(chosen)


def test_decisions_and_the_proven_table_agree_on_every_combination():
    """Cells with the same bits get the same verdict: one of each class of uses, tags and standings covers them all."""
    version = shipped()
    table = version.tables.allowed
    own = version._own
    uses, standings = classes([bits & own for bits in version._uses]), classes(version._standings)
    places = {bits: sum(1 << member for member in members) for bits, members in standings.items()}
    covered = 0
    for use_bits, members in uses.items():
        opened = {
            bits: sum(place for one, place in places.items() if version.verdict(use_bits & bits & one).allowed)
            for bits in set(version._tags)
        }
        row = b"".join(opened[bits].to_bytes(len(STANDINGS) // 8, "little") for bits in version._tags)
        assert all(table.blocks.get(use, 0) == int.from_bytes(row, "little") for use in members)
        covered += len(members) * len(row) * 8
    assert covered == COMBINATIONS


def classes(bits: list[int]) -> dict[int, list[int]]:
    grouped: dict[int, list[int]] = {}
    for index, mask in enumerate(bits):
        grouped.setdefault(mask, []).append(index)
    return grouped


def test_a_cell_is_found_where_it_was_put():
    cell = Cell(USES[123], TAGS[456], STANDINGS[78])
    alone = Cells.of(one_cell(**{name: str(cell.word(name)) for name in DIMENSIONS}))
    assert (len(alone), cell in alone, alone.first()) == (1, True, cell)
    assert Cell(USES[123], TAGS[456], STANDINGS[79]) not in alone


def test_a_box_less_another_falls_into_boxes_that_do_not_overlap():
    whole, hole = rule("deleted").box, rule("deleted").exceptions[0]
    pieces = [Cells.of(piece) for piece in whole.minus(hole)]
    assert sum(map(len, pieces)) == len(Cells.union(pieces)) == len(Cells.of(whole) - Cells.of(hole))
