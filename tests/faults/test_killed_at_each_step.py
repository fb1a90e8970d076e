"""A process dies at each step of a refresh, at each kind of provider, on each database: what must be true afterwards.

Who judges is the provider: it knows every refresh token, who used it, and how many refreshes were under way at once.
"""

from __future__ import annotations

import signal

import pytest

from connector.flows import failpoints, reconcile
from connector.ledger import verify
from connector.model.errors import ConnectorError
from connector.model.states import ConnectionState
from tests.faults.conftest import eventually

pytestmark = pytest.mark.loopback

BEFORE_THE_SEND = {"after_claim"}
STORED = {"after_land"}


@pytest.mark.parametrize("rotation", ["none", "strict", "grace"])
@pytest.mark.parametrize("step", failpoints.STEPS)
def test_a_process_killed_in_a_refresh_loses_nothing_that_can_be_saved(rig, step, rotation):
    one = rig(rotation=rotation, worn=True)
    town = one.linked
    assert one.ask(f"{step}:kill").wait(30) == -signal.SIGKILL
    one.recover()

    saved = step in BEFORE_THE_SEND | STORED or rotation != "strict"
    assert settled(town) is saved
    assert town.most_at_once() <= 1
    after = town.connection()
    if saved:
        assert after.state is ConnectionState.ACTIVE
        assert town.refresh_works()
    else:
        assert (after.state, after.reason) == (ConnectionState.NEEDS_REAUTH, "refresh_lost")
    assert told(town)[0] == (("landed", None) if step in STORED else ("unknown", "interrupted"))


def told(town) -> list[tuple[str, str | None]]:
    """What the ledger says of each attempt, once it was gone through; every one that began has its outcome."""
    reconcile.step(town.gateway)
    with town.store.transaction() as tx:
        assert verify(tx).unanswered == ()
    outcomes = {one["attempt"]: (one["outcome"], one.get("reason")) for one in town.entries("refresh")}
    begun = [one["attempt"] for one in town.entries("refresh_intent")]
    assert begun == sorted(outcomes)
    return [outcomes[attempt] for attempt in begun]


def settled(town) -> bool:
    """Ask until there are new tokens, or only the person can help; whether it is the former."""

    def asked() -> bool:
        try:
            town.fresh()
        except ConnectorError as error:
            return error.code == "needs_reauth"
        return town.connection().generation > 1

    eventually(asked)
    return town.connection().generation > 1
