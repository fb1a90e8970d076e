"""The events of a choice are a chain: what was appended stays as it was, or it shows."""

from __future__ import annotations

import pytest

from connector import consent
from connector.consent import events
from connector.model.tags import Choice
from tests.consent.test_consent import given, user, vault  # noqa: F401  fixtures
from vault import DataKey, RowSealBroken

EDITS = {
    "an event edited": "UPDATE consent_events SET method = 'page' WHERE event = 'withdrawn'",
    "an event dated back": "UPDATE consent_events SET at = at - 1 WHERE event = 'given'",
    "an event taken out": "DELETE FROM consent_events WHERE event = 'withdrawn'",
    "the newest cut off": "DELETE FROM consent_events WHERE id = (SELECT max(id) FROM consent_events)",
    "an event put in twice": """INSERT INTO consent_events (consent_id, event, by, method, policy_version, at, seal)
        SELECT consent_id, event, by, method, policy_version, at, seal FROM consent_events WHERE event = 'given'""",
    "a seal taken off and the event edited": """UPDATE consent_events SET seal = NULL, by = 'app'
        WHERE event = 'withdrawn'""",
    "all of them gone": "DELETE FROM consent_events",
}


@pytest.fixture
def kept(store, vault, user):  # noqa: F811  pytest's way
    """Given, withdrawn, given again, withdrawn again by another way."""
    with store.transaction() as tx:
        one = consent.give(tx, vault, given(tx, user))
        one = consent.withdraw(tx, vault, one, by="app", method="api")
        one = consent.give(tx, vault, given(tx, user))
        return consent.refuse(tx, vault, given(tx, user))


def history(store, vault, kept):  # noqa: F811  pytest's way
    with store.read() as tx:
        return [one["state"] for one in consent.record_of(tx, vault, kept)["events"]]


def test_every_event_is_told_in_its_order(store, vault, kept):  # noqa: F811  pytest's way
    told = ["ConsentGiven", "ConsentWithdrawn", "RenewedConsentGiven", "ConsentRefused"]
    assert history(store, vault, kept) == told


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_a_changed_history_is_not_told(store, vault, kept, edit):  # noqa: F811  pytest's way
    with store.transaction() as tx:
        assert tx.run(edit) >= 1
    with pytest.raises(RowSealBroken):
        history(store, vault, kept)


@pytest.mark.parametrize("edit", ["an event edited", "an event dated back"])
def test_twin_without_the_seals_an_edited_history_is_told(store, vault, kept, monkeypatch, edit):  # noqa: F811
    with store.transaction() as tx:
        tx.run(EDITS[edit])
    monkeypatch.setattr(DataKey, "check_row", lambda *_: None)
    assert history(store, vault, kept)


def test_what_an_older_version_wrote_is_shown_as_unsealed_and_bound_by_what_follows(
    store,
    vault,  # noqa: F811  pytest's way
    user,  # noqa: F811  the same
):
    with store.transaction() as tx:
        kept = consent.give(tx, vault, given(tx, user))
        tx.run("UPDATE consent_events SET seal = NULL")
        kept = consent.withdraw(tx, vault, kept, by="app", method="api")
        key = vault.key(tx, _tenant(kept))
        assert [one.sealed for one in events.events_of(tx, key, kept.id, Choice.WITHDRAWN)] == [False, True]
        assert consent.record_of(tx, vault, kept)["events"][0]["sealed"] is False
        tx.run("UPDATE consent_events SET by = 'app' WHERE event = 'given'")
        with pytest.raises(RowSealBroken):
            events.events_of(tx, key, kept.id, Choice.WITHDRAWN)


def _tenant(kept):
    from vault import Owner  # noqa: PLC0415  only here

    return Owner(kept.tenant_id, "tenant", kept.tenant_id)
