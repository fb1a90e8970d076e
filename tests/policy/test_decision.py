from __future__ import annotations

import statistics
import time
from dataclasses import replace

import pytest

from connector.model.tags import Obligation, Source, Use
from connector.policy import Policy, PolicyUnreadable, Version, explain
from connector.policy.rules import Effect, Rule
from connector.policy.versions import closed, hash_of, opened
from tests.policy.shipped import NOW, policy, standing, tags

DAY = 86_400_000
FIRST = policy().versions[0]
PUSH = Use.of("push", "provider", "sync")
IMPORTED = tags("contact", "imported")
GIVEN = tags("contact", "given")


def successor(change, posted_at: int = NOW, effective_at: int = NOW + DAY, name: str = "2030-01-01") -> Version:
    rules = tuple(kept for rule in FIRST.book.rules if (kept := change(rule)) is not None)
    book = replace(FIRST.book, version=name, rules=rules, posted_at=posted_at, effective_at=effective_at)
    return Version(book, sha256_hex="")


def wider(rule: Rule) -> Rule | None:
    if rule.id == "push-own-words-only":
        return None
    return replace(rule, box=rule.box.without("source")) if rule.id == "push-opted-in" else rule


def narrower(rule: Rule) -> Rule | None:
    return None if rule.id == "push-opted-in" else rule


def same(rule: Rule) -> Rule | None:
    return rule


def test_clause_7_the_version_in_effect_at_the_moment_of_use_decides():
    both = Policy([FIRST, successor(narrower)])
    before = both.decide(PUSH, GIVEN, standing(), NOW + DAY - 1)
    after = both.decide(PUSH, GIVEN, standing(), NOW + DAY)
    assert (before.allowed, before.version) == (True, "2019-03-11")
    assert (after.allowed, after.version) == (False, "2030-01-01")


def test_clause_7_a_widening_reaches_only_those_who_came_back():
    both = Policy([FIRST, successor(wider)])
    later = NOW + 2 * DAY
    dormant = both.decide(PUSH, IMPORTED, standing(), later, bound_at=NOW - 1)
    assert (dormant.allowed, dormant.clause, dormant.rule_id) == (False, "3a", "push-own-words-only")
    assert (dormant.version, dormant.binding_version) == ("2030-01-01", "2019-03-11")
    assert "binds this person until they come back" in dormant.explanation
    back = both.decide(PUSH, IMPORTED, standing(), later, bound_at=NOW)
    assert (back.allowed, back.binding_version) == (True, "2030-01-01")


def test_clause_7_a_narrowing_counts_for_everyone_at_once():
    both = Policy([FIRST, successor(narrower)])
    assert not both.decide(PUSH, GIVEN, standing(), NOW + DAY, bound_at=NOW - 1).allowed
    assert not both.decide(PUSH, GIVEN, standing(), NOW + DAY, bound_at=NOW + DAY).allowed


def test_clause_7_coming_back_after_posting_but_before_effect_opens_nothing_early():
    both = Policy([FIRST, successor(wider)])
    assert not both.decide(PUSH, IMPORTED, standing(), NOW + 1, bound_at=NOW + 1).allowed


def test_clause_7_the_obligations_of_both_versions_are_owed():
    def stricter(rule: Rule) -> Rule:
        return replace(rule, obligations=(Obligation.NAMED_APPROVER,)) if rule.id == "push-opted-in" else rule

    both = Policy([FIRST, successor(stricter)])
    owed = both.decide(PUSH, GIVEN, standing(), NOW + DAY, bound_at=NOW - 1).obligations
    assert owed == (Obligation.LOG, Obligation.RECEIPT, Obligation.NAMED_APPROVER)


def test_clause_7_what_a_new_version_opens_and_closes_is_known_cell_by_cell():
    version = successor(wider)
    gained = opened(FIRST, version)
    assert gained.words()["action"] == ("push",)
    assert gained.words()["source"] == ("observed", "imported")
    assert not closed(FIRST, version)
    assert closed(FIRST, successor(narrower)).words()["recipient"] == ("provider",)


def test_before_the_first_version_nothing_is_allowed():
    answer = policy().decide(PUSH, GIVEN, standing(), FIRST.effective_at - 1)
    assert (answer.allowed, answer.clause, answer.rule_id, answer.version) == (False, "7", "no-version", "")
    assert not policy().decide(PUSH, GIVEN, standing(), NOW, bound_at=FIRST.posted_at - 1).allowed


@pytest.mark.parametrize(
    "other",
    [
        successor(same, effective_at=FIRST.effective_at),
        successor(same, posted_at=FIRST.posted_at),
        successor(same, name=FIRST.name),
    ],
)
def test_overlapping_versions_are_refused(other):
    with pytest.raises(PolicyUnreadable, match="overlap"):
        Policy([FIRST, other])


def test_versions_may_be_given_in_any_order():
    newer = successor(same)
    assert Policy([newer, FIRST]).versions == (FIRST, newer)


def test_a_policy_without_versions_is_refused():
    with pytest.raises(PolicyUnreadable, match="no version found"):
        Policy([])


def test_a_source_that_no_permission_names_is_refused_by_default():
    everywhere = [policy().decide(PUSH, tags("usage", source), standing(), NOW).allowed for source in Source]
    assert everywhere == [False, False, False]


def test_clause_3_every_permission_names_what_is_done_for_whom_and_what_for_so_a_new_word_begins_with_nothing():
    allowing = [rule for rule in policy().versions[0].book.rules if rule.effect is Effect.ALLOW]
    assert len(allowing) > 20
    assert [rule.id for rule in allowing if not {"action", "recipient", "purpose"} <= rule.box.words.keys()] == []


def test_the_explanation_says_rule_clause_owed_and_versions():
    text = explain(policy().decide(PUSH, GIVEN, standing(), NOW, bound_at=NOW))
    assert "Allowed by clause 3a" in text
    assert "Rule: push-opted-in" in text
    assert "Owed before it happens: log, receipt" in text
    assert "Version that binds the person: 2019-03-11" in text
    refused = explain(policy().decide(PUSH, GIVEN, standing(choice="stale"), NOW))
    assert "Owed now: ask again" in refused


def test_the_same_question_at_the_same_time_has_the_same_answer():
    assert policy().decide(PUSH, GIVEN, standing(), NOW) == policy().decide(PUSH, GIVEN, standing(), NOW)


def test_a_decision_takes_at_most_three_microseconds():
    now, decide = standing(), policy().decide
    rounds = []
    for _ in range(200):
        started = time.perf_counter()
        for _ in range(100):
            decide(PUSH, GIVEN, now, NOW, NOW)
        rounds.append((time.perf_counter() - started) / 100)
    assert statistics.median(rounds) <= 3e-6


def test_the_hash_of_a_version_covers_names_and_bytes():
    assert hash_of({"a": b"bc"}) != hash_of({"ab": b"c"}) != hash_of({"ab": b"d"})
    assert len(FIRST.sha256) == 64
