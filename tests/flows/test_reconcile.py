"""An attempt gets the outcome `unknown` when nobody is at it any more, and never while somebody is."""

from __future__ import annotations

import pytest

from connector import connections, ledger, work
from connector.flows import erase, push_update, reconcile, refresh, refresh_attempt, revoke
from connector.flows.push_update import sending
from connector.ledger import open_intents
from connector.model.states import Ended
from tests.agreed import WRITING, agree, deliveries, grant_scopes, typed
from tests.connected import linked


class Cut(BaseException):
    """The process is gone: nobody catches this."""


@pytest.fixture
def cut_off(tmp_path, store, clock, monkeypatch):
    """A delivery whose worker died after sending."""
    town = linked(tmp_path, store, clock)
    grant_scopes(town, *WRITING)
    agree(town, "push", "phones")
    typed(town, {"phones": {"p1": {"number": "+45 55 55 01 02"}}})

    def die(_gateway, step):
        if step == "push_sent":
            raise Cut

    with monkeypatch.context() as patched:
        patched.setattr(sending.failpoints, "reached", die)
        with pytest.raises(Cut):
            push_update.step(town.gateway)
    return town


def listed(town):
    with town.store.read() as tx:
        return [one.attempt for one in open_intents(tx)]


def test_while_somebody_holds_the_work_nothing_is_said(cut_off):
    assert reconcile.step(cut_off.gateway) == 0
    assert listed(cut_off) == [1]


@pytest.mark.parametrize("by", ["another worker", "revocation", "erasure"])
def test_once_nobody_does_its_outcome_is_unknown(cut_off, by):
    with cut_off.store.transaction() as tx:
        if by == "another worker":
            work.release_dead(tx, "deliveries", [cut_off.gateway.worker_id])
        elif by == "revocation":
            tx.run("UPDATE deliveries SET state = 'void'")
        else:
            tx.run("DELETE FROM deliveries")
    assert reconcile.step(cut_off.gateway) == 1
    (entry,) = cut_off.entries("push_outcome")
    assert (entry["outcome"], entry["reason"], entry["attempt"]) == ("unknown", "interrupted", 1)
    assert reconcile.step(cut_off.gateway) == 0


@pytest.fixture
def refresh_cut_off(tmp_path, store, clock, monkeypatch):
    """A refresh whose process died between the provider's answer and its commit."""
    town = linked(tmp_path, store, clock)
    clock.advance(250)

    def die(_gateway, step):
        if step == "after_send":
            raise Cut

    with monkeypatch.context() as patched:
        patched.setattr(refresh_attempt.failpoints, "reached", die)
        with pytest.raises(Cut):
            refresh.refresh_now(town.gateway, town.connection())
    assert town.refreshes() == 1
    return town


@pytest.mark.parametrize("by", ["another process", "revocation", "erasure"])
def test_a_refresh_that_was_cut_off_is_listed_and_then_said_to_be_unknown(refresh_cut_off, clock, by):
    town = refresh_cut_off
    (fence,) = listed(town)
    assert [(one["connection"], one["attempt"]) for one in town.entries("refresh_intent")] == [
        (town.connection_id, fence)
    ]
    assert (reconcile.step(town.gateway), town.entries("refresh")) == (0, [])
    if by == "another process":
        clock.advance(16)
        with town.store.transaction() as tx:
            assert connections.claim_refresh(
                tx, town.gateway.vault, town.connection_id, worker="wrk_next", lease_ms=refresh.LEASE_MS
            )
    elif by == "revocation":
        revoke.revoke(town.gateway, town.house.tenant.id, town.connection_id, by=Ended.PERSON)
    else:
        erase.delete_user(town.gateway, town.house.tenant.id, town.connection().sub, Ended.PERSON)
    assert reconcile.step(town.gateway) == 1
    (entry,) = town.entries("refresh")
    assert (entry["outcome"], entry["reason"], entry["attempt"]) == ("unknown", "interrupted", fence)
    assert (listed(town), reconcile.step(town.gateway)) == ([], 0)
    with town.store.transaction() as tx:
        assert ledger.verify(tx).unanswered == ()


def test_a_refresh_that_comes_to_its_end_needs_no_word(tmp_path, store, clock):
    town = linked(tmp_path, store, clock)
    clock.advance(250)
    refresh.refresh_now(town.gateway, town.connection())
    ((begun,), (ended,)) = town.entries("refresh_intent"), town.entries("refresh")
    assert (ended["outcome"], ended["attempt"]) == ("landed", begun["attempt"])
    assert (listed(town), reconcile.step(town.gateway)) == ([], 0)


def test_what_comes_to_an_end_by_itself_needs_no_word(tmp_path, store, clock):
    town = linked(tmp_path, store, clock)
    grant_scopes(town, *WRITING)
    agree(town, "push", "phones")
    typed(town, {"phones": {"p1": {"number": "+45 55 55 01 02"}}})
    assert push_update.step(town.gateway)
    assert deliveries(town)[0]["state"] == "done"
    assert (listed(town), reconcile.step(town.gateway)) == ([], 0)


def test_twin_without_asking_who_holds_the_work_a_living_attempt_is_called_cut_off(cut_off, monkeypatch):
    monkeypatch.setattr(reconcile.work, "is_held", lambda *_: False)
    assert reconcile.step(cut_off.gateway) == 1
