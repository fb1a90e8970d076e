"""F8 and F18: a process stands still in the middle of a refresh; meanwhile it is taken over, or the person revokes."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from connector.flows import failpoints, refresh_attempt, revoke
from connector.model.errors import ConnectorError
from connector.model.states import ConnectionState, Ended
from tests.faults.conftest import Rig, eventually, stopped
from tests.faults.nursery import Child

pytestmark = pytest.mark.loopback

LEASE_MS = 1_500
SHORT = {"lease_ms": LEASE_MS, "deadline_s": 1.0}


def frozen(rig: Rig, step: str, **how: object) -> Child:
    """A caller's process that came to this step and stands still."""
    child = rig.ask(f"{step}:stop", **how)
    eventually(lambda: stopped(child))
    return child


def taken_over(rig: Rig) -> None:
    """Somebody else refreshed it, once the lease was over."""

    def refreshed() -> bool:
        rig.recover()
        try:
            rig.linked.fresh()
        except ConnectorError:
            return False
        return rig.linked.connection().generation > 1

    time.sleep(LEASE_MS / 1000)
    eventually(refreshed)


@pytest.mark.parametrize("step", ["after_claim", "after_send"])
def test_f08_who_slept_through_the_lease_overwrites_nothing_and_sends_nothing_more(rig, step):
    one = rig(rotation="grace", worn=True)
    town = one.linked
    sleeper = frozen(one, step, **SHORT)
    taken_over(one)
    before, uses = town.connection(), town.uses()
    sleeper.send_signal(signal.SIGCONT)
    assert sleeper.wait() == 0
    after = town.connection()
    assert (after.generation, after.state) == (before.generation, ConnectionState.ACTIVE)
    assert town.uses() == uses
    assert town.refresh_works()
    orphans = town.row("orphan_tokens", "connection_id")
    assert bool(orphans) is (step == "after_send")  # what came too late is kept until the grant is revoked


def test_f08_at_a_strict_provider_the_sleeper_does_not_end_the_grant(rig):
    one = rig(rotation="strict", worn=True)
    sleeper = frozen(one, "after_claim", **SHORT)
    taken_over(one)
    sleeper.send_signal(signal.SIGCONT)
    assert sleeper.wait() == 0
    assert one.linked.provider.oracle.report()["reuse"] == []
    assert one.linked.refresh_works()


def test_f08_twin_without_a_look_at_the_lease_the_sleeper_ends_the_grant(rig):
    one = rig(rotation="strict", worn=True)
    sleeper = frozen(one, "after_claim", **SHORT, without=["look"])
    taken_over(one)
    sleeper.send_signal(signal.SIGCONT)
    sleeper.wait()
    assert not one.linked.refresh_works()


@pytest.mark.parametrize("step", failpoints.STEPS)
def test_f18_a_revocation_at_any_step_of_a_refresh_leaves_no_token_alive(rig, step):
    one = rig(rotation="strict", worn=True)
    town = one.linked
    lease_ms = 5_000 if step == "before_land" else LEASE_MS  # a revocation waits for a claim that still lives
    child = frozen(one, step, lease_ms=lease_ms, deadline_s=1.0)
    revoking = threading.Thread(target=end, args=(one,))
    revoking.start()
    if step != "before_land":  # there SQLite's one writer is the one that stands still
        revoking.join()
    child.send_signal(signal.SIGCONT)
    said = child.line()
    child.wait()
    revoking.join()
    # Released within the commit that lands, it hands out before the revocation, or finds itself behind or beside it.
    assert said in ({"handed", "revoked", "changed"} if step == "before_land" else {"revoked", "refresh_under_way"})
    eventually(lambda: told(one))
    assert [one for one in town.provider.live_tokens() if one["grant"] in town.provider.grants] == []
    assert handouts_after_the_end(one) == 0


def test_f18_twin_without_the_fence_the_answer_brings_a_revoked_connection_back(rig):
    one = rig(rotation="strict", worn=True)
    with guards_down(one):
        child = frozen(one, "after_send", without=["fence"])
        end(one)
        child.send_signal(signal.SIGCONT)
        child.wait()
    assert one.linked.connection().state is ConnectionState.ACTIVE
    one.linked.fresh()
    assert handouts_after_the_end(one) > 0


def end(rig: Rig) -> None:
    """The person revokes."""
    town = rig.linked
    revoke.revoke(town.gateway, town.house.tenant.id, town.connection_id, by=Ended.PERSON)


def told(rig: Rig) -> bool:
    """Whether the provider has heard of everything by now."""
    revoke.tell_providers(rig.linked.gateway)
    with rig.linked.store.read() as tx:
        return tx.one("SELECT id FROM revocations WHERE state IN ('queued', 'claimed')") is None


def handouts_after_the_end(rig: Rig) -> int:
    """Entries of handouts behind the entry of the revocation."""
    with rig.linked.store.read() as tx:
        rows = tx.all("SELECT kind FROM ledger_entries WHERE kind IN ('token_handout', 'revoked') ORDER BY id")
    kinds = [row["kind"] for row in rows]
    return kinds[kinds.index("revoked") :].count("token_handout")


GUARDED = ("connections", "connection_tokens")


@contextmanager
def guards_down(rig: Rig) -> Iterator[None]:
    """The database refuses such a move as well; a twin has to do without that, too. The next test has it again."""
    with rig.linked.store.transaction() as tx:
        if tx.dialect == "sqlite":  # a file of this test alone
            for row in tx.all("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
                tx.run(f'DROP TRIGGER "{row["name"]}"')
            guarded: tuple[str, ...] = ()
        else:
            guarded = GUARDED
        for table in guarded:
            tx.run(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    try:
        yield
    finally:
        with rig.linked.store.transaction() as tx:
            for table in guarded:
                tx.run(f"ALTER TABLE {table} ENABLE TRIGGER USER")


assert refresh_attempt.DEADLINE_S * 1000 > LEASE_MS  # the one who takes over has a lease of the usual length
