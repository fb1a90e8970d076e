"""No order of events reaches what it should not, and each way to build it wrong is found with its shortest story."""

from __future__ import annotations

import pytest

from tests.proofs.order_of_events import Flaw, Model, walk


def test_no_order_of_events_does_what_it_should_not():
    result = walk(Model())
    assert result.faults == {}
    assert result.states > 200
    assert result.transitions > 1_000


def test_everything_that_should_be_possible_happens_somewhere():
    seen: set[str] = set()

    def collect(_before, _after, effects):
        seen.update(effects)
        return iter(())

    walk(Model(), collect)
    assert seen == {"pushed", "imported", "import used", "handed out", "transferred", "import transferred", "swept"}


@pytest.mark.parametrize(
    ("flaw", "fault", "story"),
    [
        (Flaw.DECIDES_WHEN_QUEUED, "pushed", ("connect", "switch push on", "edit", "switch push off", "send")),
        (Flaw.KEEPS_AFTER_REVOKING, "still held of a revoked connection", ("connect", "import", "revoke", "sweep")),
        (Flaw.KEEPS_A_CHILD, "still held of a child or a deleted account", ("connect", "learn of a child", "sweep")),
        (
            Flaw.KEEPS_AFTER_DELETION,
            "still held of a child or a deleted account",
            ("edit", "delete the account", "sweep"),
        ),
        (Flaw.REOPENS_ON_RECONNECT, "import used", ("connect", "import", "revoke", "connect", "use the import")),
        (Flaw.CACHES_THE_TOKEN, "handed out", ("connect", "revoke", "hand out")),
        (Flaw.TRANSFERS_ONCE_POSTED, "transferred", ("post the notice", "transfer")),
        (Flaw.FORGETS_STALE, "pushed", ("connect", "switch push on", "edit", "widen the policy", "send")),
    ],
)
def test_a_flawed_gateway_is_caught_with_the_shortest_story(flaw, fault, story):
    found = walk(Model(frozenset([flaw]))).faults
    assert fault in found
    assert len(found[fault]) == len(story)
    assert set(found[fault]) == set(story)
