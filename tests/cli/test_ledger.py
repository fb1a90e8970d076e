"""What the command line says of attempts without an outcome, and of the ledger as files."""

from __future__ import annotations

from connector.ledger import Entry, append
from connector.model.ids import new_id
from tests.ledger.tile_reader import Tiles


def begin(town, work: str) -> int:
    with town.store.transaction() as tx:
        return append(tx, Entry("push_intent", town.house.tenant.id, None, {"delivery": work, "attempt": 1}))


def test_what_was_begun_and_has_no_outcome_is_shown(desk, town):
    work = new_id("dlv")
    entry = begin(town, work)
    (shown,) = desk.json("ledger", "show", "--open")
    assert (shown["id"], shown["facts"]["delivery"]) == (entry, work)
    found = desk.json("ledger", "verify")
    assert found["ok"] is True
    assert found["unanswered"] == [{"id": entry, "kind": "push_intent", "work": work, "attempt": 1}]
    assert f"push_intent of {work}, attempt 1: under way, or cut off" in desk.run("ledger", "verify").stdout


def test_the_ledger_is_written_out_as_tiles(desk, town, tmp_path):
    begin(town, new_id("dlv"))
    done = desk.json("ledger", "checkpoint", "--tiles", str(tmp_path / "tiles"))
    assert done["files_written"] >= 2
    read = Tiles(tmp_path / "tiles")
    assert read.holds()
    assert read.size == done["size"]
