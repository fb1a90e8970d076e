"""An attempt gets the outcome `unknown` when nobody is at it any more, and never while somebody is."""

from __future__ import annotations

import pytest

from connector import work
from connector.flows import push_update, reconcile
from connector.flows.push_update import sending
from connector.ledger import open_intents
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
