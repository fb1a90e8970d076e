"""Rows whose seals held are remembered by every byte of them, and only so many."""

from __future__ import annotations

from connector.storage import Verified, read_of


def test_a_row_that_differs_in_one_value_is_not_remembered() -> None:
    remembered: Verified[str] = Verified(2)
    remembered.put(read_of({"id": "con_a", "state": "revoked", "seal": b"1"}), "checked")
    assert remembered.get(read_of({"id": "con_a", "state": "revoked", "seal": b"1"})) == "checked"
    assert remembered.get(read_of({"id": "con_a", "state": "active", "seal": b"1"})) is None


def test_remembering_stays_within_its_bound_and_forgets_the_oldest() -> None:
    remembered: Verified[int] = Verified(2)
    for number in range(5):
        remembered.put((number,), number)
    assert remembered.get((2,)) is None
    assert remembered.get((4,)) == 4
