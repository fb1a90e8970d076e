"""What was begun and has no outcome is listed, by the list to work from and by the entries themselves."""

from __future__ import annotations

import pytest

from connector.ledger import Entry, append, append_all, open_intents, sequence, verify
from connector.model.ids import new_id

TENANT = "ten_abc"


def intent(work: str, attempt: int = 1) -> Entry:
    return Entry("push_intent", TENANT, None, {"delivery": work, "attempt": attempt})


def outcome(work: str, attempt: int = 1) -> Entry:
    return Entry("push_outcome", TENANT, None, {"delivery": work, "attempt": attempt, "outcome": "written"})


def listed(store) -> list[tuple[str, int]]:
    with store.read() as tx:
        return [(one.work, one.attempt) for one in open_intents(tx)]


def found(store) -> list[tuple[str, int]]:
    with store.transaction() as tx:
        report = verify(tx)
    assert report.ok
    return [(work, attempt) for _, _, work, attempt in report.unanswered]


def test_an_attempt_is_listed_until_its_outcome_is_entered(store):
    one, two = new_id("dlv"), new_id("dlv")
    with store.transaction() as tx:
        append_all(tx, [intent(one), intent(two), intent(one, 2)])
    assert listed(store) == found(store) == [(one, 1), (two, 1), (one, 2)]
    with store.transaction() as tx:
        append_all(tx, [outcome(one, 2), outcome(two)])
        sequence(tx)
    assert listed(store) == found(store) == [(one, 1)]


def _then_a_stranger(tx) -> None:
    append(tx, intent(new_id("dlv")))
    append(tx, Entry("wedding", TENANT))


def test_an_entry_that_is_undone_leaves_no_mark_on_the_list(store):
    with store.transaction() as tx:
        one = append(tx, intent(new_id("dlv")))
    with pytest.raises(ValueError, match="no kind"), store.transaction() as tx:
        _then_a_stranger(tx)
    with store.read() as tx:
        assert [each.entry_id for each in open_intents(tx)] == [one]


def test_twin_a_row_taken_off_the_list_is_still_found_in_the_entries(store):
    one = new_id("dlv")
    with store.transaction() as tx:
        append(tx, intent(one))
    with store.transaction() as tx:
        tx.run("DELETE FROM ledger_intents")
    assert (listed(store), found(store)) == ([], [(one, 1)])
