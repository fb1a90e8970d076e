from __future__ import annotations

from dataclasses import replace

from connector.policy import Version
from connector.policy.mutation import score
from tests.policy.shipped import policy
from tests.policy.test_golden import compare


def test_the_promises_notice_nearly_every_weakened_rule_and_the_score_is_published():
    result = score(policy().versions[-1])
    assert result.mutants > 500
    assert result.share >= 0.97, f"{result.share:.3f}; unnoticed: {result.survivors}"
    compare(
        "mutation.json",
        {
            "mutants": result.mutants,
            "equivalent": result.equivalent,
            "killed": result.killed,
            "survivors": list(result.survivors),
        },
    )


def test_rules_that_nothing_was_promised_about_score_nothing():
    book = policy().versions[-1].book
    bare = replace(book, rules=book.rules[:2], promises=(), overlays=(), flows={})
    result = score(Version(bare, sha256_hex=""))
    assert result.survivors
    assert result.share < 0.5  # only the order of restriction is left to notice anything
