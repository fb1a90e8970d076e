from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from connector.policy import Version, document
from connector.policy.document import gaps, main, page, tests_by_clause
from tests.policy.shipped import policy

ROOT = Path(__file__).resolve().parents[2]
tests_by_clause.__test__ = False


def test_the_page_is_fresh_and_no_clause_lacks_a_rule_a_promise_or_a_test():
    assert main(["--check"]) == 0


def test_a_clause_without_tests_fails_the_build():
    tests = tests_by_clause(ROOT / "tests")
    del tests["3a"]
    assert gaps(policy().versions[-1], tests) == ["Clause 3a has no test."]


def test_a_clause_without_rules_fails_the_build():
    book = policy().versions[-1].book
    rules = tuple(rule for rule in book.rules if rule.clause != "8")
    version = Version(replace(book, rules=rules), sha256_hex="")
    assert gaps(version, tests_by_clause(ROOT / "tests")) == ["Clause 8 has no rule."]


def test_a_clause_without_promises_fails_the_build():
    book = policy().versions[-1].book
    promises = tuple(promise for promise in book.promises if promise.clause != "3b")
    version = Version(replace(book, promises=promises), sha256_hex="")
    assert gaps(version, tests_by_clause(ROOT / "tests")) == ["Clause 3b has no promise."]


def test_a_gap_fails_the_command_that_the_build_runs(monkeypatch, capsys):
    """The twin of the check: a clause whose tests are gone."""
    monkeypatch.setattr(document, "tests_by_clause", lambda _where: {})
    assert main(["--check"]) == 1
    assert "Clause 3a has no test." in capsys.readouterr().err


def test_the_page_names_every_clause_every_rule_and_every_providers_terms():
    written = page(policy(), tests_by_clause(ROOT / "tests"))
    version = policy().versions[-1]
    overlays = version.book.overlays
    for rule in (*version.book.rules, *(rule for overlay in overlays for rule in overlay.rules)):
        assert f"`{rule.id}`" in written
    assert all(f"| {clause}: " in written for clause in version.book.clauses)
    assert all(overlay.source in written for overlay in overlays)


def test_tests_are_found_by_the_clause_in_their_name():
    tests = tests_by_clause(ROOT / "tests")
    assert "tests/policy/test_clauses.py::test_clause_3_nothing_is_sold_whatever_its_tags" in tests["3"]
    assert set(policy().versions[-1].book.clauses) <= set(tests)


def test_the_page_changes_with_the_rules():
    assert page(policy(), {}) != page(policy(), {"3": ["tests/x.py::test_clause_3_x"]})


def test_an_unknown_argument_is_a_misuse():
    assert main(["--verify"]) == 2
