"""An import from a provider that is really somewhere else: over sockets, page by page, with failures in the middle."""

from __future__ import annotations

import pytest

from providers.rehearsal.server import Config
from tests.agreed import agree, contact_cards, imported, newest_import, profile_values, run_imports
from tests.connected import linked_over_sockets

pytestmark = pytest.mark.loopback


@pytest.fixture
def town(tmp_path, store, clock):
    with linked_over_sockets(tmp_path, store, clock, config=Config(page_size=5)) as made:
        agree(made, "import", "profile", "contacts")
        yield made


def faults(town, *rules):
    answer = town.rehearsal.test_client().post("/_control/faults", json=list(rules))
    assert answer.status_code == 200, answer.text


def test_profile_and_contacts_come_in(town):
    assert imported(town)["state"] == "done"
    assert profile_values(town)["/name"]["full"] == "Ada Lindqvist"
    assert len(contact_cards(town)) == 24


@pytest.mark.parametrize("kind", ["status", "rate_limit", "garbage", "truncated", "huge", "redirect", "hang_up_after"])
def test_a_page_that_fails_in_the_middle_costs_nothing_but_time(town, clock, kind):
    faults(town, {"endpoint": "contacts", "kind": kind, "skip": 2, "count": 1})
    first = imported(town)
    assert len(contact_cards(town)) == 10
    if first["state"] == "queued":
        clock.advance(1800)
        run_imports(town)
        assert newest_import(town)["state"] == "done"
    else:
        assert (kind, first["state"], first["error"]) == ("redirect", "failed", "misconfigured")
        imported(town)
    assert len(contact_cards(town)) == 24
