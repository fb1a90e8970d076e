"""A provider's clock is compared with ours, and told."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from prometheus_client import REGISTRY

from connector.egress import note_skew, skew_s
from providers.exchange import NetworkFailure, Response

NOW = 1_767_225_600_000


def answer(ahead_s: int, **headers: str) -> Response:
    date = format_datetime(datetime.fromtimestamp(NOW / 1000 + ahead_s, UTC), usegmt=True)
    return Response(200, {"date": date, **headers}, b"")


@pytest.mark.parametrize("ahead_s", [0, 45, -3600])
def test_the_skew_is_how_far_the_other_clock_is_ahead(ahead_s):
    assert skew_s(answer(ahead_s), NOW) == ahead_s


@pytest.mark.parametrize(
    "response",
    [Response(200, {}, b""), Response(200, {"date": "yesterday"}, b""), answer(99, age="3")],
    ids=["no date", "no time", "from a cache"],
)
def test_an_answer_that_does_not_say_says_nothing(response):
    assert skew_s(response, NOW) is None


def test_it_is_kept_for_the_metrics_and_told_where_it_is_much(capsys):
    note_skew("somebody", answer(5), NOW)
    assert "clock.skewed" not in capsys.readouterr().out
    note_skew("somebody", NetworkFailure("maybe", "deadline"), NOW)
    note_skew("somebody", answer(45), NOW)
    assert "clock.skewed" in capsys.readouterr().out
    found = REGISTRY.get_sample_value("connector_provider_clock_skew_seconds", {"provider": "somebody"})
    assert found == 45
