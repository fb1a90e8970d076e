"""A worker dies between an intent and its outcome: that is shown, said to be unknown, and the work comes to its end.

Who judges is the ledger: every intent has one outcome in the end, and nothing took effect twice at the provider.
"""

from __future__ import annotations

import signal

import pytest

from connector.flows import failpoints, revoke
from connector.ledger import open_intents, verify
from connector.model.states import Ended
from tests.agreed import WRITING, agree, deliveries, grant_scopes, newest_import, queue_import, typed, writes
from tests.faults.conftest import eventually

pytestmark = pytest.mark.loopback

WORK = {"push": "push_outcome", "import": "import", "revoke": "revocation_outcome"}
# Where it died only matters to the provider; the ledger's way is one, so the other database tries the harder half.
CASES = [
    *(pytest.param("sqlite", step, id=f"sqlite-{step}") for step in failpoints.OUTWARD_STEPS),
    *(
        pytest.param("postgresql", step, id=f"postgresql-{step}", marks=pytest.mark.postgresql)
        for step in failpoints.OUTWARD_STEPS
        if step.endswith("sent")
    ),
]


def begin(town, work: str) -> None:
    """Something for a worker to do."""
    if work == "push":
        typed(town, {"phones": {"p1": {"number": "+45 55 55 01 02"}}})
    elif work == "import":
        queue_import(town)
    else:
        revoke.revoke(town.gateway, town.house.tenant.id, town.connection_id, by=Ended.PERSON)


def ended(town, work: str) -> bool:
    if work == "push":
        return deliveries(town)[0]["state"] == "done"
    if work == "import":
        return newest_import(town)["state"] == "done"
    return any(one["outcome"] == "confirmed" for one in town.entries("revocation_outcome"))


def unanswered(town) -> tuple[list[int], list[int]]:
    """The attempts without an outcome, by the list and by the entries."""
    with town.store.transaction() as tx:
        return [one.attempt for one in open_intents(tx)], [one[3] for one in verify(tx).unanswered]


@pytest.mark.parametrize(("database_kind", "step"), CASES, indirect=["database_kind"])
def test_an_attempt_that_was_cut_off_is_shown_and_gets_its_outcome(rig, step):
    work = step.partition("_")[0]
    one = rig(rotation="none", access_token_s=3600)
    town = one.linked
    grant_scopes(town, *WRITING)
    agree(town, "push", "phones")
    agree(town, "import", "profile")
    victim = one.worker(f"{step}:kill")
    begin(town, work)
    assert victim.wait(20) == -signal.SIGKILL
    assert unanswered(town) == ([1], [1])

    one.worker()
    eventually(lambda: ended(town, work) and unanswered(town) == ([], []))
    outcomes = {entry["attempt"]: (entry["outcome"], entry.get("reason")) for entry in town.entries(WORK[work])}
    assert outcomes.pop(1) == ("unknown", "interrupted")
    assert len(outcomes) == 1
    if work == "push":
        assert len([write for write in writes(town) if write["effect"]]) == 1
