"""What a person types arrives at a provider that is really somewhere else, once in effect."""

from __future__ import annotations

import pytest

from tests.agreed import WRITING, agree, deliveries, grant_scopes, push_all, typed, writes
from tests.connected import linked_over_sockets

pytestmark = pytest.mark.loopback
PHONE = {"phones": {"p1": {"number": "+46709999999", "features": {"mobile": True}}}}


@pytest.fixture
def town(tmp_path, store, clock):
    with linked_over_sockets(tmp_path, store, clock) as made:
        grant_scopes(made, *WRITING)
        agree(made, "push", "phones")
        yield made


@pytest.mark.parametrize("kind", ["hang_up_before", "hang_up_after", "truncated", "garbage"])
def test_whatever_happens_to_the_answer_there_is_one_effect(town, clock, kind):
    town.rehearsal.test_client().post(
        "/_control/faults", json=[{"endpoint": "me", "kind": kind, "skip": 1, "count": 1}]
    )
    typed(town, PHONE)
    push_all(town)
    clock.advance(3600)
    push_all(town)
    assert [one["effect"] for one in writes(town)] == [True]
    assert deliveries(town)[0]["state"] == "done"
    assert town.provider.profiles["ada"].fields["phones"][0]["number"] == "+46709999999"
