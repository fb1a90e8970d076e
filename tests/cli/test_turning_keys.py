"""`connector vault rotate` from the command line: what a timer runs, and other index keys."""

from __future__ import annotations

from tests.cli.conftest import Desk
from tests.connected import Linked
from vault import FileKeySource


def test_a_timer_turns_the_keys_once_the_epoch_is_over_and_not_again(desk: Desk, town: Linked) -> None:
    """The town's keys are older than an epoch: the clock of its tests stands, and the command's does not."""
    assert desk.json("vault", "status")["epoch"]["overdue"]
    turned = desk.json("vault", "rotate", "--due")
    assert [(one["kind"], one["phase"]) for one in turned] == [("tenant_keys", "done"), ("kek", "done")]
    dates = desk.json("vault", "status")["epoch"]
    assert not dates["overdue"]
    assert [(one["kek"], one["forget_from"]) for one in dates["retired"]] == [("local:1", None)]
    assert desk.json("vault", "rotate", "--due") == []
    assert "Nothing is due" in desk.run("vault", "rotate", "--due").stdout
    assert FileKeySource(town.house.folder / "kek.json").retired_ids() == {"local:1"}


def test_index_keys_are_replaced_by_a_word(desk: Desk) -> None:
    done = desk.json("vault", "rotate", "--what", "indexes")
    assert [(one["kind"], one["phase"], one["done"] > 0) for one in done] == [("indexes", "done", True)]
    assert "Rotated the index keys" in desk.run("vault", "rotate", "--what", "indexes").stdout
    assert desk.run("vault", "rotate", "--what", "indexes", "--to", "2").exit_code == 2
