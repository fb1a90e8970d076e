from __future__ import annotations

from connector.policy.mutation import score
from tests.policy.shipped import policy


def test_the_promises_notice_nearly_every_weakened_rule():
    result = score(policy().versions[-1])
    assert result.mutants > 400
    assert result.share >= 0.97, f"{result.share:.3f}; unnoticed: {result.survivors}"
