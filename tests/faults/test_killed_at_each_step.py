"""A process dies at each step of a refresh, at each kind of provider, on each database: what must be true afterwards.

Who judges is the provider: it knows every refresh token, who used it, and how many refreshes were under way at once.
"""

from __future__ import annotations

import signal

import pytest

from connector.flows import failpoints
from connector.model.errors import ConnectorError
from connector.model.states import ConnectionState
from tests.faults.conftest import eventually

pytestmark = pytest.mark.loopback

BEFORE_THE_SEND = {"after_claim"}
STORED = {"after_land"}


@pytest.mark.parametrize("rotation", ["none", "strict", "grace"])
@pytest.mark.parametrize("step", failpoints.STEPS)
def test_a_process_killed_in_a_refresh_loses_nothing_that_can_be_saved(rig, step, rotation):
    one = rig(rotation=rotation)
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


def settled(town) -> bool:
    """Ask until there is an answer that will not change: a token, or that only the person can help."""
    found: list[bool] = []

    def asked() -> bool:
        try:
            found.append(town.works(town.fresh().access_token))
        except ConnectorError as error:
            if error.code != "needs_reauth":
                return False
            found.append(False)
        return True

    eventually(asked)
    return found[-1]
