from __future__ import annotations

from typing import Any

import pytest

from connector.flows.signup_link.age import age_by_provider
from connector.model.tags import Age
from providers.capabilities import Account

NOW = 1_767_312_000_000  # 2 January 2026, 00:00 UTC


@pytest.mark.parametrize(
    ("facts", "age"),
    [
        ({}, None),
        ({"birthdate": "1990-05-01"}, Age.OK),
        ({"birthdate": "2020-02-29"}, Age.CHILD),
        ({"birthdate": "2015"}, Age.CHILD),
        ({"birthdate": "0000-05-01"}, None),
        ({"birthdate": "2013-13-45"}, None),
        ({"birthdate": "yesterday"}, None),
        ({"age_range": (None, 12)}, Age.CHILD),
        ({"age_range": (13, 17)}, Age.OK),
        ({"age_range": (21, None)}, Age.OK),
        ({"age_range": (10, 15)}, None),
        ({"age_range": (9, 3)}, None),
        ({"birthdate": "1990-05-01", "age_range": (None, 12)}, Age.CHILD),
    ],
)
def test_the_careful_one_of_what_a_provider_says_counts(facts: dict[str, Any], age: Age | None) -> None:
    assert age_by_provider(Account("https://provider.example", "1", **facts), NOW) is age
